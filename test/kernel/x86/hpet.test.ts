import assert from 'node:assert/strict';
import { Hpet, HPET_CFG, HPET_TN, HPET_Tn_CFG, HPET_Tn_ROUTE } from '../../../src/hardware/hpet';
import { IRTE_HIGH, IRTE_SIZE } from '../../../src/hardware/irte';
import type { HpetConfig, MachineConfig } from '../../../src/hardware/machine-config';
import { validateMachineConfig } from '../../../src/hardware/validate-machine';
import { intel_ir_data } from '../../../src/kernel/drivers/iommu/intel/irte';
import { amd_ir_data } from '../../../src/kernel/drivers/iommu/amd/amd_iommu_types';
import { disable_irq, enable_irq } from '../../../src/kernel/irq/manage';
import { procInterrupts } from '../../../src/text/proc-interrupts';
import { play, type Played } from '../../scenario/play';
import { run } from './machines';

const FOUR = 'machine: { cpus: 4, arat: false, hpet: { timers: 8, messages: true } }';

const row = ({ guest }: Played, irq: number): string =>
  (procInterrupts(guest.world).split('\n').find(line => line.startsWith(` ${irq}:`)) ?? '').replace(/\s+/g, ' ').trim();

const channels = ({ guest }: Played): string => guest.world.kernel.hpet_base.channels.map(({ mode, irq }) => `${mode}${mode === 'CLOCKEVT' ? ` ${irq}` : ''}`).join(', ');

const domains = ({ guest }: Played): string[] => guest.world.kernel.irq_domain_list.map(({ name }) => name);

describe('timers of the HPET for each CPU', () => {
  it('are those that send messages and that neither PIT, RTC nor /dev/hpet has, one for each possible CPU', async () => {
    const played = await play(FOUR, ['boot']);
    assert.equal(channels(played), 'LEGACY, LEGACY, DEVICE, CLOCKEVT 24, CLOCKEVT 25, CLOCKEVT 26, CLOCKEVT 27, DEVICE');
    assert.ok(played.log.includes('hpet: 8 channels of 4 reserved for per-cpu timers'));
    assert.equal(row(played, 25), '25: 0 0 0 0 HPET-MSI 4-edge hpet4');
  });

  it('leave no timer to /dev/hpet, and the RTC alone, where the kernel has neither', async () => {
    const played = await play(`config: [X86_MCE]\n${FOUR}`, ['boot']);
    assert.equal(channels(played), 'LEGACY, CLOCKEVT 24, CLOCKEVT 25, CLOCKEVT 26, CLOCKEVT 27, UNUSED, UNUSED, UNUSED');
  });

  it('may be fewer than CPUs: the others go without', async () => {
    const played = await play('machine: { cpus: 4, arat: false, hpet: { timers: 8, messages: [2, 4, 7] } }', ['boot']);
    assert.equal(channels(played), 'LEGACY, LEGACY, DEVICE, DEVICE, CLOCKEVT 24, DEVICE, DEVICE, CLOCKEVT 25');
    assert.deepEqual([played.place(24), played.place(25)], ['0:33', '1:34']);
  });

  it('have a domain although none of them can send messages, and none where the APIC timers always run', async () => {
    const without = await play('machine: { arat: false, hpet: {} }', ['boot']);
    assert.equal(domains(without)[0], 'HPET-MSI-0');
    assert.ok(without.log.includes('hpet: 3 channels of 0 reserved for per-cpu timers'));
    const arat = await play('machine: { hpet: { timers: 8, messages: true } }', ['boot']);
    assert.equal(domains(arat)[0], 'PCI-MSI-3');
  });

  for (const cmdline of ['hpet=disable', 'nohpet', 'hpet=force,disable']) {
    it(`are not used with ${cmdline}`, async () => {
      const played = await play(`cmdline: ${cmdline}\n${FOUR}`, ['boot']);
      assert.equal(channels(played), '');
      assert.ok(!domains(played).includes('HPET-MSI-0'));
    });
  }

  it('get a vector anywhere, go to their CPU at once, and the first message frees the old one', async () => {
    const before = await play(FOUR, ['boot']);
    const data = (played: Played, irq: number): string => {
      const { prev_cpu, prev_vector, move_in_progress } = played.desc(irq).irq_data.parent_data!.chip_data as { prev_cpu: number; prev_vector: number; move_in_progress: boolean };
      return `${played.place(irq)} before ${prev_cpu}:${prev_vector}${move_in_progress ? ', moving' : ''}`;
    };
    // The capture of such a machine has the same CPUs, and 33 there since that one came first.
    assert.match(data(before, 24), /^0:33 before [1-3]:33, moving$/);
    const after = await play(FOUR, ['boot', '{ expire: 3, expect: 1 }']);
    assert.match(data(after, 24), /^0:33 before [1-3]:0$/);
    assert.equal(row(after, 24), '24: 1 0 0 0 HPET-MSI 3-edge hpet3');
  });

  it('stop when masked and keep what comes meanwhile: as any edge', async () => {
    const played = await play(FOUR, ['boot', '{ expire: 4, expect: 1 }']);
    const { world } = played.guest;
    const fsb = (): number => HPET_TN.get(world.machine.hpet!.timers[4].cfg, 'fsb');
    run(world, 1, () => disable_irq(25));
    assert.equal(fsb(), 1, 'disabling is lazy');
    run(world, 1, function* () { world.machine.hpet!.expire(4); });
    assert.equal(fsb(), 0, 'the interrupt that comes has it masked');
    assert.equal(world.machine.hpet!.expire(4), false);
    run(world, 1, () => enable_irq(25));
    assert.equal(fsb(), 1);
    assert.equal(row(played, 25), '25: 0 2 0 0 HPET-MSI 4-edge hpet4');
  });

  it('get their message again after a suspend', async () => {
    const { guest: { world } } = await play(FOUR, ['boot']);
    const timer = world.machine.hpet!.timers[3];
    const { cfg, fsb_address, fsb_data } = timer;
    Object.assign(timer, { cfg: HPET_TN.with(cfg, { fsb: 0, enable: 0 }), fsb_address: 0, fsb_data: 0 });
    const hc = world.kernel.cpu_hpet_channel[0]!;
    run(world, 0, () => hc.tick_resume!(hc));
    assert.deepEqual([timer.cfg, timer.fsb_address, timer.fsb_data], [cfg, fsb_address, fsb_data]);
  });

  it('say so when one interrupts that has no user yet', async () => {
    const { guest: { world } } = await play(FOUR, ['boot']);
    world.kernel.cpu_hpet_channel[2]!.event_handler = null;
    run(world, 2, function* () { world.machine.hpet!.expire(5); });
    assert.equal(world.kernel.log.at(-1)!.text, 'hpet: Spurious interrupt HPET channel 5');
  });

  it('are given back by a CPU that goes, and taken by the next that comes', async () => {
    const gone = await play(FOUR, ['boot', 'offline: 3', 'offline: 1', '{ expire: 6, expect: 0 }']);
    assert.deepEqual([gone.stop.reason, gone.desc(27).action, gone.place(27)], ['end', null, '-']);
    const back = await play(FOUR, ['boot', 'offline: 3', 'offline: 1', 'online: 3', '{ expire: 4, expect: 1 }']);
    // hpet4 was CPU 1's.
    assert.equal(row(back, 25), '25: 0 0 1 HPET-MSI 4-edge hpet4');
  });
});

describe('below a remapping unit', () => {
  it('of Intel: a domain with another name, and an entry that only the HPET may use', async () => {
    const played = await play(FOUR.replace('cpus: 4', 'cpus: 4, remap: intel'), ['boot', '{ expire: 3, expect: 1 }']);
    const { world } = played.guest;
    const irq = 25; // 24 is the unit's own
    assert.equal(domains(played)[0], 'IR-HPET-MSI-0');
    assert.equal(row(played, irq), '25: 1 0 0 0 IR-HPET-MSI 3-edge hpet3');
    const [top, ir] = [played.desc(irq).irq_data, played.desc(irq).irq_data.parent_data!];
    assert.deepEqual([top.hwirq, ir.domain!.name], [3, 'INTEL-IR-0']);
    const { irte_index, iommu } = (ir.chip_data as intel_ir_data).irq_2_iommu;
    const high = world.machine.memory.read64(iommu.ir_table!.base + irte_index * IRTE_SIZE + 8);
    assert.deepEqual([IRTE_HIGH.get(high, 'sid'), IRTE_HIGH.get(high, 'sq'), IRTE_HIGH.get(high, 'svt')], [0xff78, 3, 1]);
  });

  it('of AMD: an entry in the table of the HPET, behind those of the IOAPIC that signs alike', async () => {
    const played = await play(FOUR.replace('cpus: 4', 'cpus: 4, remap: amd'), ['boot', '{ expire: 3, expect: 1 }']);
    assert.equal(domains(played).find(name => name.includes('HPET')), 'IR-HPET-MSI-0');
    const irq = played.guest.world.kernel.cpu_hpet_channel[0]!.irq;
    const data = played.desc(irq).irq_data.parent_data!.chip_data as amd_ir_data;
    assert.deepEqual({ devid: data.irq_2_irte.devid, index: data.irq_2_irte.index }, { devid: 0xa0, index: 32 });
    assert.equal(played.desc(irq).kstat_irqs.get(0), 1);
  });

  it('that does not name the HPET, the messages are not remapped', async () => {
    const { guest: { world } } = await play(FOUR, ['boot']);
    assert.equal(world.kernel.hpet_domain!.parent, world.kernel.x86_vector_domain);
  });
});

describe('an HPET', () => {
  const config: HpetConfig = { id: 0, address: 0xfed00000, legacy: true, timers: [{ fsb: false }, { fsb: false }, { fsb: true }] };
  const made = (): { hpet: Hpet; sent: string[] } => {
    const sent: string[] = [];
    const hpet = new Hpet(config, { send: (lo, data) => sent.push(`${lo.toString(16)} ${data.toString(16)}`) > 0, pulse: gsi => void sent.push(`pin ${gsi}`) });
    return { hpet, sent };
  };

  it('sends a message only from a timer that can, and that is on', () => {
    const { hpet, sent } = made();
    hpet.write32(HPET_Tn_ROUTE(2), 0x4021);
    hpet.write32(HPET_Tn_ROUTE(2) + 4, 0xfee01000);
    hpet.write32(HPET_Tn_CFG(2), HPET_TN.encode({ enable: 1, fsb: 1 }));
    assert.equal(hpet.expire(2), false, 'the counter stands still');
    hpet.write32(HPET_CFG, 1);
    assert.equal(hpet.expire(2), true);
    assert.deepEqual(sent, ['fee01000 4021']);
  });

  it('stands in for PIT and RTC on the pins 2 and 8, wherever else the timers are routed', () => {
    const { hpet, sent } = made();
    hpet.write32(HPET_CFG, 3);
    for (const n of [0, 1]) hpet.write32(HPET_Tn_CFG(n), HPET_TN.encode({ enable: 1, route: 20 }));
    assert.deepEqual([hpet.expire(0), hpet.expire(1)], [true, true]);
    hpet.write32(HPET_CFG, 1);
    hpet.expire(1);
    assert.deepEqual(sent, ['pin 2', 'pin 8', 'pin 20']);
  });

  it('does not let software change what it can', () => {
    const { hpet } = made();
    const before = hpet.read32(HPET_Tn_CFG(0));
    hpet.write32(HPET_Tn_CFG(0), before | HPET_TN.encode({ fsb_cap: 1 }));
    assert.equal(hpet.read32(HPET_Tn_CFG(0)), before);
  });

  it('is refused by a machine whose remapping unit has another one below it', () => {
    const machine: MachineConfig = {
      cpus: [{ apicId: 0, node: 0 }], x2apic: false, ioapics: [], isaOverrides: [], pci: [], hpet: config,
      intelRemap: { units: [{ segment: 0, address: 0xfed90000, eim: false, pi: false, includeAll: true, devices: [], ioapics: [], hpets: [{ id: 1, requesterId: 0xff78 }] }] },
    };
    assert.deepEqual(validateMachineConfig(machine), [{ path: 'machine.intelRemap.units[0].hpets[0].id', message: 'there is no HPET with id 1' }]);
  });
});
