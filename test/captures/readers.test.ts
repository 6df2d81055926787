import assert from 'node:assert/strict';
import { parseCpuinfo, parseDmesg } from '../../src/capture/reading/boot';
import { capturedStreams } from '../../src/capture/model-and-capture/compare-calls';
import { CaptureFiles, listOf, sectionsOf } from '../../src/capture/reading/files';
import { parseGraph } from '../../src/capture/reading/graph';
import { parseProcInterrupts, parseSysKernelIrq } from '../../src/capture/reading/interrupts';
import { capabilityOf, parsePci } from '../../src/capture/reading/pci';
import { inOrder } from '../../src/capture/reading/graph-order';
import { scriptOf } from '../../src/capture/reading/script';
import { parseSnapshots } from '../../src/capture/reading/snapshot';
import { lostEvents, markOf, parseTrace } from '../../src/capture/reading/trace';

const event = (task: string, rest: string): string => `${task.padStart(20)} [001] d.h.    44.536822: ${rest}\n`;

describe('reading a trace', () => {
  it('takes task names with blanks, brackets and dashes as they are', () => {
    const names = ['<idle>-0', '<...>-27', 'kworker/u8:3-61', 'Web Content-812', 'a-b-c-9'];
    const { value, unread } = parseTrace(names.map(name => event(name, 'vector_reserve: irq=24 ret=0')).join(''));
    assert.deepEqual(value.map(line => line.task), names);
    assert.deepEqual(unread, []);
  });

  it('knows a hard interrupt inside a soft interrupt (H) as one, and a soft interrupt alone (s) as none', () => {
    const flags = ['d.h.', 'd.H.', '..s.', 'd...', 'd..1'];
    const { value } = parseTrace(flags.map(f => `            init-1       [001] ${f}    44.5: vector_reserve: irq=24 ret=0\n`).join(''));
    assert.deepEqual(value.map(line => line.hardirq), [true, true, false, false, false]);
  });

  it('lists a line that was cut off, by its number', () => {
    const { value, unread } = parseTrace(`# tracer: nop\n${event('init-1', 'vector_reserve: irq=24 ret=0')}            init-1       [00`);
    assert.equal(value.length, 1);
    assert.deepEqual(unread, [{ file: 'trace-vectors.txt', line: 3, text: '            init-1       [00' }]);
  });

  it('tells the marks of the script from what else is written into the trace', () => {
    const lines = parseTrace(event('init-1', 'tracing_mark_write: ORACLE: RES -22 (after 5 ok) : req 0000:00:04.0 0 8') + event('init-1', 'tracing_mark_write: hello') + event('init-1', 'vector_free_moved: irq=1')).value;
    assert.deepEqual(lines.map(markOf), [{ kind: 'RES', text: '-22 (after 5 ok) : req 0000:00:04.0 0 8' }, null, undefined]);
  });

  it('counts events that the buffer lost', () => {
    assert.equal(lostEvents('# tracer: nop\n#\n# entries-in-buffer/entries-written: 1008/1100   #P:4\n'), 92);
  });
});

describe('the script of a trace', () => {
  const mark = (text: string): string => event('init-1', `tracing_mark_write: ORACLE: ${text}`);

  it('gives each command its result, and keeps those behind a step\'s end in it', () => {
    const text = mark('STEP nvme-io') + mark('CMD nvec 0000:00:04.0') + event('init-1', 'vector_reserve: irq=20 ret=0') + mark('RES 65 : nvec 0000:00:04.0')
      + event('<idle>-0', 'vector_free_moved: irq=25 cpu=1 vector=33 is_managed=0') + mark('DONE nvme-io') + mark('WRITE /proc/irq/24/smp_affinity_list <- 1')
      + mark('TRY echo 1 > /proc/irq/24/smp_affinity_list -> sh: write error: Input/output error rc=1') + mark('STEP cpu-offline 3')
      + mark('TRY echo 0 > /sys/devices/system/cpu/cpu3/online -> rc=0');
    const { steps, events } = scriptOf(parseTrace(text).value);
    assert.deepEqual(steps.map(({ name, actions }) => [name, actions.map(({ kind, result }) => [kind, result])]), [
      ['nvme-io', [['CMD', '65 : nvec 0000:00:04.0'], ['WRITE', 'sh: write error: Input/output error rc=1']]],
      ['cpu-offline', [['TRY', 'rc=0']]],
    ]);
    assert.deepEqual(events.map(({ line }) => line), [3, 5]);
  });

  it('says that a step is cut off, and that a command has no result', () => {
    const [step] = scriptOf(parseTrace(mark('STEP lens-msix') + mark('CMD nvec 0000:00:04.0')).value).steps;
    assert.equal(step.complete, false);
    assert.equal(step.actions[0].result, undefined);
  });

  it('takes the rig\'s own kprobe events, and lists events of other systems and results without a command', () => {
    const text = mark('STEP lens-edu') + event('<...>-27', 'kp_clear_vector: (clear_irq_vector+0x0/0x150) irq=45') + event('init-1', 'sched_switch: x') + mark('RES 1 : x');
    const { events, unread } = scriptOf(parseTrace(text).value);
    assert.deepEqual(events.map(({ line }) => line), [2]);
    assert.deepEqual(unread.map(({ line }) => line), [3, 4]);
  });
});

describe('reading graph-tree.txt', () => {
  const tree = '## ORACLE: STEP fg-unload\n[cpu 3 rmmod-8]\n  free_irq\n    apic_ack_irq\n      * vector_alloc: irq=24 vector=36 reserved=0 ret=0\n    irq_shutdown.part.0\n'
    + '[cpu 0 rmmod-8] * vector_teardown: irq=23 is_managed=0 has_reserved=1\n';

  it('gives the events inside and between the trees as lines of a trace: those below an acknowledgement are of an interrupt', () => {
    const { value, unread } = parseGraph(tree);
    assert.deepEqual(unread, []);
    assert.deepEqual(value.lines.map(({ event: name, cpu, hardirq }) => [name, cpu, hardirq]), [
      ['tracing_mark_write', 0, false],
      ['vector_alloc', 3, true],
      ['vector_teardown', 0, false],
    ]);
  });

  it('takes the interrupt out of the task that it hit, and a part of a split function as the function', () => {
    const { trees } = parseGraph(tree).value;
    const streams = capturedStreams(trees).map(({ task, cpu, trees: own }) => [task, cpu, own.map(({ lines }) => lines.map(({ text }) => text))]);
    assert.deepEqual(streams, [
      [undefined, 3, [['apic_ack_irq']]],
      ['rmmod-8', 3, [['free_irq', '  irq_shutdown']]],
    ]);
  });

  it('puts together what a task did on two CPUs: the end stands alone, the beginning before the next tree', () => {
    const torn = '[cpu 1 rmmod-8]\n      free_desc\n    pci_disable_msi\n[cpu 0 rmmod-8]\n  pci_free_irq_vectors\n    free_msi_irqs\n  irq_startup\n    irq_enable\n';
    const { trees } = parseGraph(torn).value;
    assert.deepEqual(trees.map(({ calls }) => calls.map(({ name }) => name)), [
      ['pci_free_irq_vectors', 'free_msi_irqs', 'free_desc', 'pci_disable_msi'],
      ['irq_startup', 'irq_enable'],
    ]);
  });

  it('keeps two ends of one task apart from a tree that another task tore', () => {
    const torn = '[cpu 1 rmmod-8]\n      free_desc\n[cpu 0 insmod-9]\n  free_irq\n  irq_startup\n[cpu 1 rmmod-8]\n    pci_disable_msi\n';
    const { trees } = parseGraph(torn).value;
    assert.deepEqual(trees.map(({ calls }) => calls.map(({ name }) => name)), [['free_desc', 'pci_disable_msi'], ['free_irq'], ['irq_startup']]);
  });

  it('takes an event for one of an interrupt where another function than its own is around it', () => {
    const hit = '[cpu 3 init-1]\n  __irq_set_affinity\n    irq_set_affinity_locked\n      * vector_free_moved: irq=31 cpu=3 vector=35 is_managed=0\n      clear_irq_vector\n        * vector_clear: irq=31\n';
    assert.deepEqual(parseGraph(hit).value.lines.map(({ hardirq }) => hardirq), [true, false]);
  });

  it('lists a line that is neither', () => {
    assert.deepEqual(parseGraph('garbage\n').unread, [{ file: 'graph-tree.txt', line: 1, text: 'garbage' }]);
  });
});

describe('the order of events in call trees', () => {
  const totals = (event: string, avl: number, rsvd: number, alloc: number): string => `* irq_matrix_${event}: online_maps=4 global_avl=${avl}, global_rsvd=${rsvd}, total_alloc=${alloc}`;
  const order = (text: string): string[] => inOrder(parseGraph(text).value.lines).map(({ task, event }) => `${task} ${event}`);

  it('is the one in which the totals of the matrix fit, also where the first way that fits leads nowhere', () => {
    const a = [totals('reserve', 10, 1, 0), totals('remove_reserved', 9, 0, 1)].map(line => `[cpu 0 a-1] ${line}\n`).join('');
    const b = [totals('reserve', 10, 2, 0), totals('alloc', 9, 1, 1), totals('free', 10, 0, 0)].map(line => `[cpu 1 b-2] ${line}\n`).join('');
    const start = `[cpu 0 a-1] ${totals('remove_reserved', 10, 0, 0)}\n`;
    assert.deepEqual(order(start + a + b), [
      'a-1 irq_matrix_remove_reserved', 'a-1 irq_matrix_reserve', 'b-2 irq_matrix_reserve', 'b-2 irq_matrix_alloc', 'a-1 irq_matrix_remove_reserved', 'b-2 irq_matrix_free',
    ]);
  });

  it('keeps an event that fits nowhere, because others are lost', () => {
    const text = [totals('reserve', 10, 1, 0), totals('reserve', 10, 3, 0), totals('reserve', 10, 4, 0)].map(line => `[cpu 0 a-1] ${line}\n`).join('');
    assert.equal(order(text).length, 3);
  });
});

describe('reading irqlens.txt', () => {
  const chain = '  [0] domain IO-APIC-IR-0 chip IR IO APIC hwirq 0x2';

  it('takes chip names with blanks, irqs of four digits, and empty masks', () => {
    const { value, unread } = parseSnapshots(`##### SNAPSHOT boot\nirq 1023\n  state 0x31408600 type 0x0 node -1 aff 0-3 eff \n  flags\n${chain}\n`);
    assert.deepEqual(unread, []);
    const [irq] = value[0].irqs;
    assert.equal(irq.irq, 1023);
    assert.deepEqual([irq.affinity, irq.effective], [[0, 1, 2, 3], []]);
    assert.equal(irq.chain[0].chip, 'IR IO APIC');
  });

  it('reads an IRTE with and without the mode that some versions of the module print', () => {
    const irte = (mode: string): string => `##### SNAPSHOT x\nirq 1\n  [0] domain D chip INTEL-IR hwirq 0x0 irte_index 16 sub_handle 0 irte_mask 0${mode} irte_lo 0x000004000021000d irte_hi 0x0000000000040068\n`;
    for (const mode of ['', ' mode 0']) {
      const [level] = parseSnapshots(irte(mode)).value[0].irqs[0].chain;
      assert.deepEqual(level.irte, { index: 16, sub_handle: 0, mask: 0, low: 0x000004000021000dn, high: 0x0000000000040068n });
    }
  });

  it('does not make up what a cut-off line would have said', () => {
    const text = '##### SNAPSHOT x\nmatrix bits 256 alloc_start 32 alloc_end 236 global_available 1 global_reserved 0 systembits_inalloc 3 total_allocated 0 online_maps 1\n  cpu 0 online 1 available 19';
    const { value, unread } = parseSnapshots(text);
    assert.deepEqual(value[0].matrix!.cpus, []);
    assert.deepEqual(unread.map(({ line }) => line), [3]);
  });

  it('refuses a map that names bits which the matrix does not have', () => {
    const text = '##### SNAPSHOT x\nmatrix bits 256 alloc_start 32 alloc_end 236 global_available 1 global_reserved 0 systembits_inalloc 3 total_allocated 0 online_maps 1\n  system 0-4000000000\n';
    assert.equal(parseSnapshots(text).unread.length, 1);
  });

  it('reads lists of numbers as the kernel writes them', () => {
    assert.deepEqual([listOf(''), listOf('0-2,7'), listOf('3-1'), listOf('1,,2'), listOf('9999999'), listOf('0-9,0-9')], [[], [0, 1, 2, 7], undefined, undefined, undefined, undefined]);
  });
});

describe('reading /proc/interrupts', () => {
  const header = '##### SNAPSHOT x\n           CPU0       CPU2       CPU3       \n';

  it('has columns only of the CPUs that are online', () => {
    const { value } = parseProcInterrupts(`${header} 26:          1          0          2  IR-PCI-MSI 81920-edge      irqlens\n`);
    assert.deepEqual(value[0].cpus, [0, 2, 3]);
    assert.deepEqual(value[0].rows[0].counts, [1, 0, 2]);
    assert.equal(value[0].rows[0].description, 'IR-PCI-MSI 81920-edge      irqlens');
  });

  it('reads irqs of four digits, rows with one count, and a chip that is a number', () => {
    const { value, unread } = parseProcInterrupts(`${header}1027:          0          0          0         8259   5-level     x\nERR:          7\nMIS:          0\n`);
    assert.deepEqual(unread, []);
    assert.deepEqual(value[0].rows.map(({ label, counts }) => [label, counts.length]), [['1027', 3], ['ERR', 1], ['MIS', 1]]);
    assert.match(value[0].rows[0].description, /^8259/);
  });

  it('lists a row that has fewer counts than there are CPUs', () => {
    assert.equal(parseProcInterrupts(`${header} 26:          1          0\n`).unread.length, 1);
  });
});

describe('reading sys-kernel-irq.txt', () => {
  it('tells an irq without /proc/irq from one with an empty name', () => {
    const { value } = parseSysKernelIrq('##### SNAPSHOT x\n16|chip_name=IR-IO-APIC|hwirq=16|type=level|name=fasteoi|actions=|per_cpu_count=0,0|wakeup=disabled|smp_affinity_list=|effective_affinity_list=|node=\n2|chip_name=XT-PIC|hwirq=|type=level|name=|actions=a,b c|per_cpu_count=0,0|wakeup=disabled|smp_affinity_list=0-1|effective_affinity_list=|node=0\n');
    assert.deepEqual(value[0].irqs.map(({ smp_affinity, hwirq, actions }) => [smp_affinity, hwirq, actions]), [[null, 16, []], [[0, 1], null, ['a', 'b c']]]);
  });
});

describe('reading pci.txt', () => {
  const words = (change: Record<number, string>): string => Array.from({ length: 64 }, (_, i) => change[i] ?? '00000000').join(' ');

  it('takes the header and the raw configuration together', () => {
    const text = `##### SNAPSHOT boot\n0000:00:04.0 Class [0108]: Device [1b36:0010]\n\tRegion 0: Memory at fe7d4000 (64-bit, non-prefetchable) [size=16K]\n\n=== 0000:00:04.0 class=0x010802 vendor=0x1b36 device=0x0010 irq=10 numa_node=-1 msi_bus=1 driver= iommu_group= msi_irqs=[]\n${words({ 0: '00101b36' })} \n`;
    const [f] = parsePci(text).value[0].functions;
    assert.deepEqual([f.vendor, f.driver, f.remapped, f.numa_node], [0x1b36, null, false, -1]);
    assert.deepEqual([...f.config.subarray(0, 4)], [0x36, 0x1b, 0x10, 0x00]);
  });

  it('leaves a function out whose configuration was cut off', () => {
    const text = '##### SNAPSHOT boot\n=== 0000:00:04.0 class=0x010802 vendor=0x1b36 device=0x0010 irq=10 numa_node=-1 msi_bus=1 driver= iommu_group= msi_irqs=[]\n00101b36 0010';
    const { value, unread } = parsePci(text);
    assert.deepEqual([value[0].functions.length, unread.length], [0, 1]);
  });

  it('ends its search in a capability list that turns in a circle', () => {
    const config = new Uint8Array(256);
    config.set([0x10], 6);
    config.set([0x40], 0x34);
    config.set([0x01, 0x50], 0x40);
    config.set([0x10, 0x40], 0x50);
    assert.equal(capabilityOf(config, 0x11), 0);
    assert.equal(capabilityOf(config, 0x10), 0x50);
  });
});

describe('reading what a machine says at boot', () => {
  it('takes CPUs with gaps in their APIC ids', () => {
    const text = 'processor\t: 0\nphysical id\t: 0\ncore id\t\t: 3\napicid\t\t: 0\ninitial apicid\t: 7\nprocessor\t: 1\nphysical id\t: 1\ncore id\t\t: 3\napicid\t\t: 16\n';
    assert.deepEqual(parseCpuinfo(text), [{ cpu: 0, apicId: 0, package: 0, core: 3 }, { cpu: 1, apicId: 16, package: 1, core: 3 }]);
  });

  it('takes IOAPICs, overrides and remapping units with their IOAPICs', () => {
    const log = parseDmesg(`[    0.000000] IOAPIC[0]: apic_id 0, version 32, address 0xfec00000, GSI 0-23
[    0.000000] ACPI: INT_SRC_OVR (bus 0 bus_irq 0 global_irq 2 dfl dfl)
[    0.000000] ACPI: INT_SRC_OVR (bus 0 bus_irq 9 global_irq 9 high level)
[    0.012000] DMAR: DRHD base: 0x000000fed90000 flags: 0x1
[    0.012000] DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap d2008c22260206 ecap f00f4a
[    0.012000] DMAR-IR: IOAPIC id 0 under DRHD base  0xfed90000 IOMMU 0
[    0.016000] DMAR-IR: Enabled IRQ remapping in x2apic mode
`);
    assert.deepEqual(log.ioapics, [{ id: 0, version: 32, address: 0xfec00000, gsiBase: 0, gsiEnd: 23 }]);
    assert.deepEqual(log.overrides[1], { irq: 9, gsi: 9, level: true, low: false });
    assert.deepEqual(log.dmar, [{ address: 0xfed90000, includeAll: true, cap: 0xd2008c22260206n, ecap: 0xf00f4an, ioapics: [0] }]);
    assert.equal(log.x2apic, true);
  });
});

describe('a capture folder', () => {
  it('says what is missing and what that means', () => {
    const files = new CaptureFiles('test/captures/nothing-here');
    assert.equal(files.read('irqlens.txt', 'there is no state'), undefined);
    assert.equal(files.read('dmesg.txt'), undefined);
    assert.deepEqual(files.problems, ['irqlens.txt is missing: there is no state']);
  });

  it('knows the place of a line in its file', () => {
    const [, second] = sectionsOf('##### SNAPSHOT a\nx\n##### SNAPSHOT b c\ny\n');
    assert.deepEqual([second.label, second.firstLine, second.lines], ['b c', 4, ['y']]);
  });
});
