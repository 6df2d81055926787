import assert from 'node:assert/strict';
import type { MachineConfig } from '../../../src/hardware/machine-config';
import { print_ICs } from '../../../src/kernel/arch/x86/apic/print';
import { announce_cpu } from '../../../src/kernel/arch/x86/smpboot';
import { pr_cont, pr_info, printk_open } from '../../../src/kernel/lib/printk';
import { enterWorld, type World } from '../../../src/kernel/world';
import { boot, plain, powerOn, remapped, run } from './machines';

const texts = ({ kernel }: World): string[] => kernel.log.map(({ text }) => text);
const debug = (config: MachineConfig): World => boot(config, { cmdline: 'apic=debug' });
const matching = (world: World, pattern: RegExp): string[] => texts(world).filter(line => pattern.test(line));

describe('the log', () => {
  it('goes on with the line that a CPU has begun, until another line comes between', () => {
    const world = powerOn(plain(2));
    enterWorld(world, 0);
    printk_open('info', '.... node  #0, CPUs:  ');
    pr_cont(' #1');
    enterWorld(world, 1);
    pr_info('masked ExtINT on CPU#1');
    enterWorld(world, 0);
    pr_cont(' #2');
    pr_cont(' #3\n');
    pr_cont('\n');
    assert.deepEqual(texts(world), ['.... node  #0, CPUs:   #1', 'masked ExtINT on CPU#1', ' #2 #3', '']);
  });

  it('speaks of local APIC and IOAPIC set-up only when asked to', () => {
    const spoken = /^(mapped|Int:|ENABLING|init IO_APIC|IRQ\d| pin|\.\.\. APIC|Using local APIC timer|(enabled|masked) ExtINT)/;
    assert.deepEqual(matching(boot(plain()), spoken), []);
    assert.equal(matching(debug(plain()), spoken).length, 15 + 15 + 24 + 2 + 2 + 2 + 1 + 4);
  });

  // 5.10.0-32-n-4cpu-1nvme-min, dmesg.txt
  it('gives APICs the fixed addresses behind those that the kernel was built with', () => {
    assert.deepEqual(matching(debug(plain()), /^mapped/), ['mapped APIC to ffffffffff5fd000 (        fee00000)', 'mapped IOAPIC to ffffffffff5fc000 (fec00000)']);
  });

  // 5.10.0-32-n-4cpu-1nvme-min and its twin under VT-d, dmesg.txt
  it('shows the IOAPIC pins as their registers are: those of devices that are open', () => {
    const enabled = (config: MachineConfig): string[] => matching(debug(config), /^ pin.*enabled/);
    assert.deepEqual(enabled(plain()).map(line => line.slice(0, 24)), [1, 2, 8, 9, 12].map(pin => ` pin0${pin.toString(16)}, enabled , ${pin === 9 ? 'level' : 'edge '},`));
    assert.ok(enabled(plain()).includes(' pin02, enabled , edge , high, V(30), IRR(0), S(0), logical , D(01), M(0)'));
    assert.ok(enabled(remapped()).includes(' pin0c, enabled , edge , high, V(0C), IRR(0), S(0), remapped, I(000B),  Z(0)'));
  });

  it('shows the local APIC of the boot CPU, wherever the boot has got to', () => {
    const world = debug(plain());
    const before = world.kernel.log.length;
    run(world, 2, print_ICs);
    assert.deepEqual(texts(world).slice(before, before + 2), ['... APIC ID:      00000000 (0)', '... APIC VERSION: 00050014']);
  });

  // 5.10.0-32-n-4cpu-1nvme-min, dmesg.txt
  it('sets the timer right by the PM timer where 100 ms were not 100 ms', () => {
    const world = debug({ ...plain(), clocks: { lapic: 6609923, pmTimer: 378587, tsc: 211529072 } });
    const at = texts(world).indexOf('calibrating APIC timer ...');
    assert.deepEqual(texts(world).slice(at + 1, at + 11), [
      '... lapic delta = 6609923', '... PM-Timer delta = 378587', 'APIC calibration not consistent with PM-Timer: 105ms instead of 100ms',
      'APIC delta adjusted to PM-Timer: 6249682 (6609923)', 'TSC delta adjusted to PM-Timer: 200000732 (211529072)', '..... delta 6249682', '..... mult: 268421497',
      '..... calibration result: 3999796', '..... CPU clock speed is 2000.0029 MHz.', '..... host bus clock speed is 999.3796 MHz.',
    ]);
  });

  // 5.10.0-32-g-8cpu-numa2, dmesg.txt: the second node's line is begun behind an empty one
  it('announces the CPUs of a node in one line at boot, later each in its own', () => {
    const world = boot({ ...plain(), cpus: [0, 0, 1, 1].map((node, apicId) => ({ apicId, node })) });
    const from = texts(world).indexOf('x86: Booting SMP configuration:');
    assert.deepEqual(texts(world).slice(from, from + 4), ['x86: Booting SMP configuration:', '.... node  #0, CPUs:      #1', '.... node  #1, CPUs:   #2 #3', 'smp: Brought up 2 nodes, 4 CPUs']);
    run(world, 0, () => announce_cpu(3));
    assert.equal(texts(world).at(-1), 'smpboot: Booting Node 1 Processor 3 APIC 0x3');
  });
});
