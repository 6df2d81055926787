import assert from 'node:assert/strict';
import type { CpuConfig, MachineConfig } from '../../../src/hardware/machine-config';
import { IRTE_LOW } from '../../../src/hardware/irte';
import { RTE } from '../../../src/hardware/io-apic';
import type { mp_chip_data } from '../../../src/kernel/arch/x86/apic/io_apic_types';
import type { KernelTask, World } from '../../../src/kernel/world';
import { IRQS } from '../../../src/kernel/include/irqdesc';
import { disable_irq, enable_irq } from '../../../src/kernel/irq/manage';
import { HK_FLAG, housekeeping_cpumask } from '../../../src/kernel/sched/isolation';
import { LOCAL_TIMER_VECTOR } from '../../../src/kernel/arch/x86/hw_irq';
import { boot, capturedBoot, events, plain, remapped, run } from './machines';

/** The list has the newest first. */
const oldestFirst = (world: World) => [...world.kernel.irq_domain_list].reverse();
const domains = (world: World): string[] => oldestFirst(world).map(d => `${d.name} < ${d.parent?.name ?? '-'} ${d.flags.toString(16)} ${d.mapcount}`);
const online = (world: World): string[] => world.kernel.vector_matrix.maps.map(({ available, alloc_map }) => `${available}: ${alloc_map.toString()}`);

describe('boot', () => {
  it('does what the plain machine of the capture did, event by event', () => {
    assert.deepEqual(events(boot(plain())), capturedBoot('5.10.0-32-n-4cpu-1nvme-min'));
  });

  it('does what the remapped machine of the capture did, event by event', () => {
    assert.deepEqual(events(boot(remapped())), capturedBoot('5.10.0-32-n-4cpu-1nvme-min-intelir'));
  });

  it('leaves the matrix as the capture has it', () => {
    assert.deepEqual(online(boot(remapped())), ['199: 33,48', '199: 33-34', '199: 33-34', '200: 33']);
    assert.equal(boot(plain()).kernel.vector_matrix.system_map.toString(), '0-19,29,32,50,128,236,240-242,244,246-255');
  });

  it('creates domains in the order of the capture', () => {
    assert.deepEqual(domains(boot(plain())), ['VECTOR < - 3 15', 'IO-APIC-0 < VECTOR 3 15', 'PCI-MSI-3 < VECTOR 53 0']);
    assert.deepEqual(domains(boot(remapped())), [
      'VECTOR < - 3 16', 'INTEL-IR-0 < VECTOR 3 15', 'INTEL-IR-MSI-0-3 < INTEL-IR-0 13 0', 'DMAR-MSI < VECTOR 13 1', 'IO-APIC-IR-0 < INTEL-IR-0 3 15',
      'PCI-MSI-3 < VECTOR 53 0',
    ]);
  });

  it('hands devices to the remapping unit only when all are found', () => {
    const names = (world: World): (string | undefined)[] => world.kernel.pci_devices.map(dev => dev.msi_domain?.name);
    assert.deepEqual(names(boot(plain())), ['PCI-MSI-3', 'PCI-MSI-3']);
    assert.deepEqual(names(boot(remapped())), ['INTEL-IR-MSI-0-3', 'INTEL-IR-MSI-0-3']);
  });

  it('writes the vector into the RTE without remapping, the pin and an index with it', () => {
    const rte = (world: World, pin: number): bigint => world.machine.ioapics[0].rte[pin];
    const { vector, dest, dest_mode, mask } = RTE.decode(rte(boot(plain()), 9));
    assert.deepEqual({ vector, dest, dest_mode, mask }, { vector: 33, dest: 2, dest_mode: 1, mask: 0 });
    // pin 9 is the ninth pin that is connected: entry 8, in remappable format
    assert.equal(rte(boot(remapped()), 9).toString(16), '11000000008009');
  });

  it('fills the remapping table in memory: ISA interrupts in pin order, the timer as its second', () => {
    const { machine } = boot(remapped());
    const entry = machine.remapUnits[0].peekEntry(1)!;
    assert.equal(entry.low.toString(16), '1000030000d');
    assert.equal(entry.high.toString(16), '4ff00');
  });

  it('switches to x2APIC clusters where CPUs and unit can', () => {
    const world = boot(remapped(8, true));
    assert.equal(world.kernel.apic.name, 'cluster x2apic');
    assert.deepEqual(world.machine.cpus.map(({ lapic }) => lapic.mode), new Array(8).fill('x2apic'));
    assert.equal(IRTE_LOW.get(world.machine.remapUnits[0].peekEntry(1)!.low, 'dest_id'), 1);
    assert.deepEqual(world.kernel.x86_cpu_to_logical_apicid, [1, 2, 4, 8, 16, 32, 64, 128]);
  });

  it('stays in xAPIC mode without remapping, physical with more than eight CPUs', () => {
    assert.equal(boot({ ...plain(), x2apic: true }).kernel.apic.name, 'flat');
    assert.equal(boot(plain(16)).kernel.apic.name, 'physical flat');
    assert.ok(boot(plain(16)).kernel.log.some(({ text }) => text === 'Switched APIC routing to physical flat.'));
  });

  it('obeys intremap=off, x2apic_phys and pci=nomsi', () => {
    assert.equal(boot(plain(), { cmdline: 'pci=noaer,nomsi' }).kernel.pci_msi_enable, false);
    assert.equal(boot(remapped(), { cmdline: 'intremap=off' }).kernel.irq_remapping_enabled, false);
    assert.equal(boot(remapped(4, true), { cmdline: 'x2apic_phys' }).kernel.apic.name, 'physical x2apic');
  });

  it('starts no more CPUs than maxcpus=; the others are possible all the same', () => {
    const { kernel } = boot(plain(), { cmdline: 'maxcpus=3' });
    assert.deepEqual([kernel.cpu_online_mask, kernel.cpu_present_mask, kernel.cpu_possible_mask].map(String), ['0-2', '0-3', '0-3']);
    assert.deepEqual(kernel.vector_matrix.maps.map(({ initialized }) => initialized), [true, true, true, false]);
  });

  it('has one CPU and no IOAPIC with nosmp or maxcpus=0, and none of the others with nolapic', () => {
    for (const cmdline of ['nosmp', 'maxcpus=0']) {
      const { kernel } = boot(plain(), { cmdline });
      assert.deepEqual([kernel.apic_intr_mode, kernel.ioapics.length], ['SYMMETRIC_IO_NO_ROUTING', 0]);
      assert.deepEqual([kernel.cpu_online_mask, kernel.cpu_present_mask, kernel.cpu_possible_mask].map(String), ['0', '0', '0']);
      assert.ok(kernel.log.some(({ text }) => text === 'APIC: SMP mode deactivated'));
    }
    const { kernel } = boot(plain(), { cmdline: 'nolapic' });
    assert.deepEqual([kernel.apic_intr_mode, kernel.cpu_online_mask.toString()], ['PIC', '0']);
  });

  it('takes a place for a CPU as possible, and puts the places into the nodes with memory in turn', () => {
    const cpus = Array.from({ length: 10 }, (_, i) => ({ apicId: i, node: i < 3 ? 0 : 1, present: i < 6 }));
    const { kernel } = boot({ ...plain(), cpus });
    assert.deepEqual([kernel.cpu_online_mask, kernel.cpu_present_mask, kernel.cpu_possible_mask].map(String), ['0-5', '0-5', '0-9']);
    assert.deepEqual(kernel.cpu_to_node, [0, 0, 0, 1, 1, 1, 0, 1, 0, 1]);
    assert.equal(kernel.apic.name, 'physical flat');
  });

  it('makes threads of a core siblings when they come up, unless they are in different nodes', () => {
    const siblings = (cpus: CpuConfig[], cmdline = ''): string[] => boot({ ...plain(), cpus }, { cmdline }).kernel.cpu_sibling_map.map(String);
    const cpus = [0, 1, 2, 3].map(i => ({ apicId: i, node: 0, core: i & 1 }));
    assert.deepEqual(siblings(cpus), ['0,2', '1,3', '0,2', '1,3']);
    assert.deepEqual(siblings(cpus, 'maxcpus=3'), ['0,2', '1', '0,2', '']);
    assert.deepEqual(siblings(cpus.map((cpu, i) => ({ ...cpu, node: i >> 1 }))), ['0', '1', '2', '3']);
  });

  it('has units that only translate addresses report faults by an interrupt, too, once all functions are found', () => {
    const faults = (cmdline: string): (string | undefined)[] => [...boot(remapped(), { cmdline }).kernel.irq_desc_tree].flatMap(([irq, { action }]) => (action?.name.startsWith('dmar') ? `${irq} ${action.name}` : []));
    assert.deepEqual(faults('intremap=off intel_iommu=on'), ['24 dmar0']);
    assert.deepEqual(faults('intremap=off intel_iommu=on,off'), []);
    assert.deepEqual(faults('intremap=off'), []);
  });

  it('obeys irqaffinity=, with the boot CPU always among them, and isolcpus= with managed_irq', () => {
    const affinity = (cmdline: string): string => boot(remapped(), { cmdline }).kernel.irq_desc_tree.get(5)!.irq_data.common.affinity.toString();
    assert.equal(affinity('irqaffinity=2-3'), '0,2-3');
    assert.equal(affinity(''), '0-3');
    const housekeeping = (cmdline: string, flag: number = HK_FLAG.MANAGED_IRQ): string => {
      const world = boot(plain(), { cmdline });
      return String(run(world, 0, () => housekeeping_cpumask(flag)));
    };
    assert.equal(housekeeping('isolcpus=domain,managed_irq,2-3'), '0-1');
    assert.equal(housekeeping('isolcpus=managed_irq,0-3'), '0');
    assert.equal(housekeeping('isolcpus=2-3'), '0-3');
    assert.equal(housekeeping('isolcpus=2-3', HK_FLAG.DOMAIN), '0-1');
    assert.equal(housekeeping('isolcpus=2-3 isolcpus=managed_irq,1'), '0-3', 'another list');
    assert.equal(housekeeping('isolcpus=2-3 isolcpus=managed_irq,2-3'), '0-1');
  });

  it('leaves interrupts to the 8259 pair with noapic; later kernels keep their vectors free on all CPUs', () => {
    const old = boot(plain(), { cmdline: 'noapic', kernel: 'v5.10' });
    assert.deepEqual(oldestFirst(old).map(({ name }) => name), ['VECTOR', 'PCI-MSI-3']);
    assert.equal(old.kernel.irq_desc_tree.get(4)!.irq_data.chip.name, 'XT-PIC');
    assert.deepEqual(online(old).map(text => text.split(':')[0]), ['186', '201', '201', '201']);
    const { systembits_inalloc, total_allocated } = old.kernel.vector_matrix;
    assert.deepEqual({ systembits_inalloc, total_allocated }, { systembits_inalloc: 3, total_allocated: 15 });

    assert.deepEqual([old.kernel.apic_intr_mode, old.kernel.irq_desc_tree.get(2)!.action?.name], ['SYMMETRIC_IO', 'cascade']);
    assert.equal(boot(plain()).kernel.irq_desc_tree.get(2)!.action, null);
    assert.ok(old.kernel.log.some(({ text }) => text === "ACPI: Skipping IOAPIC probe due to 'noapic' option."));

    const later = boot(plain(), { cmdline: 'noapic' }).kernel.vector_matrix;
    assert.deepEqual(later.maps.map(({ available }) => available), [186, 186, 186, 186]);
    assert.deepEqual([later.systembits_inalloc, later.total_allocated], [18, 0]);
  });

  it('says under apic=debug what the captures say, and of domains nothing', () => {
    const log = boot(plain(), { cmdline: 'apic=debug' }).kernel.log.map(({ text }) => text);
    assert.deepEqual(log.filter(text => text.includes('ExtINT')), ['enabled ExtINT on CPU#0', 'masked ExtINT on CPU#1', 'masked ExtINT on CPU#2', 'masked ExtINT on CPU#3']);
    assert.ok(log.includes('ACPI: IRQ9 used by override.'));
    assert.ok(log.includes('NR_IRQS: 524544, nr_irqs: 456, preallocated irqs: 16'));
    assert.deepEqual(log.filter(text => text.includes('domain')), []);
  });

  it('takes ACPI\'s interrupt as level, active low, where its override leaves that open', () => {
    const sci = (isaOverrides: MachineConfig['isaOverrides']) => {
      const { trigger, polarity } = boot({ ...plain(), isaOverrides }).kernel.irq_desc_tree.get(9)!.irq_data.chip_data as mp_chip_data;
      return { trigger, polarity };
    };
    assert.deepEqual(sci([{ irq: 9, gsi: 9 }]), { trigger: 1, polarity: 1 });
    assert.deepEqual(sci([]), { trigger: 1, polarity: 1 });
    assert.deepEqual(sci([{ irq: 9, gsi: 9, level: true }]), { trigger: 1, polarity: 0 });
  });

  it('has handlers for the old devices that the machine has', () => {
    const users = (config: MachineConfig) => [...boot(config).kernel.irq_desc_tree.values()].flatMap(({ irq_data, action }) => (action ? `${irq_data.irq} ${action.name}` : []));
    assert.deepEqual(users({ ...plain(), pci: [] }), ['0 timer', '1 i8042', '4 ttyS0', '8 rtc0', '9 acpi', '12 i8042']);
    assert.deepEqual(users({ ...plain(), pci: [], isaDevices: ['rtc'] }), ['0 timer', '8 rtc0', '9 acpi']);
  });

  it('tries the local APIC\'s own pin for a timer that is on no IOAPIC', () => {
    const { kernel } = boot({ ...plain(), ioapics: [{ ...plain().ioapics[0], gsiBase: 24 }], isaOverrides: [], pci: [] });
    assert.equal(kernel.irq_desc_tree.get(0)!.irq_data.chip.name, 'local-APIC');
    assert.ok(kernel.log.some(({ text }) => text === '...trying to set up timer as Virtual Wire IRQ...'));
  });

  it('runs what was to be raised again by software after the next hard interrupt', () => {
    const world = boot(plain(), { cmdline: 'noapic' });
    const { kernel, machine } = world;
    kernel.irqs_resend.add(4);
    const before = kernel.irq_desc_tree.get(4)!.tot_count;
    run(world, 0, function* () { machine.cpus[0].lapic.accept(LOCAL_TIMER_VECTOR); });
    assert.deepEqual([kernel.irqs_resend.size, kernel.irq_desc_tree.get(4)!.tot_count - before], [0, 1]);
  });

  it('has ksoftirqd raise again by software what waits for it outside of an interrupt', () => {
    const world = boot(plain(), { kernel: 'v5.10', cmdline: 'noapic' });
    const desc = world.kernel.irq_desc_tree.get(4)!;
    const tasks: KernelTask[] = [];
    world.spawn = task => void tasks.push(task);
    run(world, 2, () => disable_irq(4));
    desc.istate |= IRQS.PENDING;
    const before = desc.tot_count;
    run(world, 2, () => enable_irq(4));
    assert.deepEqual([tasks.map(({ name }) => name), desc.tot_count - before], [['ksoftirqd/2'], 0]);
    run(world, 2, tasks[0].run);
    assert.equal(desc.tot_count - before, 1);
  });

  it('leaves no domain of a unit behind when remapping cannot be set up', () => {
    const config = remapped(4, true);
    const { units } = config.intelRemap!;
    const world = boot({ ...config, intelRemap: { units: [{ ...units[0], ioapics: [] }] } });
    assert.deepEqual(domains(world).filter(text => text.includes('INTEL')), []);
    assert.ok(world.kernel.log.some(({ text }) => text.startsWith('DMAR-IR: Failed to enable irq remapping.')));
  });

  it('asks the firmware for every IOAPIC to be in a unit\'s scope', () => {
    const config = remapped();
    const world = boot({ ...config, intelRemap: { units: [{ ...config.intelRemap!.units[0], ioapics: [] }] } });
    assert.equal(world.kernel.irq_remapping_enabled, false);
    assert.ok(world.kernel.log.some(({ text }) => text.includes('ioapic 0 has no mapping iommu')));
  });
});
