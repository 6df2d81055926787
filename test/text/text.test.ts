import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { readTextFile, textFiles } from '../../src/text/files';
import { play } from '../scenario/play';
import { replayed } from '../captures/replayed';

// Texts of the model in a captured state, against what the captured kernel printed in that state.

const NAME = '5.10.0-32-c-4cpu-intelir';

const CARDS = '{ name: e, kind: edu, address: 00:04.0 }, { name: x, kind: custom, address: 00:05.0, msix: 4 }';
const CARD = `machine: { cpus: 4, devices: [${CARDS}] }`;
/** INTA of a slot goes to one of the pins 20 to 23. */
const PIN_OF_SLOT_5 = 21;

describe('/proc/interrupts', () => {
  it('gives four digits room as soon as there may be so many irqs', () => {
    const { world } = replayed(NAME, 'msix4-req');
    world.kernel.nr_irqs = 1000;
    assert.match(readTextFile(world, '/proc/interrupts'), /^ {12}CPU0 {7}CPU1 .*\n {3}0: {10}0 .*IR-IO-APIC {4}2-edge {6}timer\n/);
  });

  it('leaves out an irq without an action that never came', () => {
    const { world } = replayed(NAME, 'msix4-req');
    assert.doesNotMatch(readTextFile(world, '/proc/interrupts'), /^ {2}3:/m);
    world.kernel.irq_desc_tree.get(3)!.kstat_irqs.set(1, 1);
    assert.match(readTextFile(world, '/proc/interrupts'), /^ {2}3: +0 +1 +0 +0 {2}IR-IO-APIC {3}3-edge {4}\n/m);
  });
});

describe('/proc/irq', () => {
  it('shows the affinity that is asked for, also while it waits for an interrupt', () => {
    const { world } = replayed('5.10.0-32-b-4cpu-noiommu', 'edu-aff1');
    assert.equal(readTextFile(world, '/proc/irq/25/smp_affinity_list'), '1\n');
    assert.equal(readTextFile(world, '/proc/irq/25/smp_affinity'), '2\n');
    assert.equal(world.kernel.irq_desc_tree.get(25)!.irq_common_data.affinity.toString(), '0-3');
  });
});

describe('/sys/kernel/irq', () => {
  it('has an empty file where there is nothing to tell: an irq without a domain, a flow or a handler', () => {
    const { world } = replayed(NAME, 'msix4-req');
    assert.deepEqual(['hwirq', 'name', 'actions', 'chip_name'].map(name => readTextFile(world, `/sys/kernel/irq/2/${name}`)), ['', '', '', 'XT-PIC\n']);
    assert.equal(readTextFile(world, '/sys/kernel/irq/0/actions'), 'timer\n');
    assert.equal(readTextFile(world, '/sys/kernel/irq/0/per_cpu_count').split(',').length, 4);
  });

  it('prints a hwirq as a signed number of 32 bits, as that kernel does', () => {
    const { world } = replayed(NAME, 'msix4-req');
    Object.assign(world.kernel.irq_desc_tree.get(0)!.irq_data, { hwirq: 0x80000000 });
    assert.equal(readTextFile(world, '/sys/kernel/irq/0/hwirq'), '-2147483648\n');
  });
});

describe('/proc/irq/N', () => {
  it('comes with the first handler, and has a directory for each handler', () => {
    const { world } = replayed(NAME, 'boot');
    const paths = textFiles(world).map(({ path }) => path);
    assert.ok(paths.includes('/proc/irq/4/ttyS0/'));
    assert.throws(() => readTextFile(world, '/proc/irq/4/ttyS0/'), { errno: 'EISDIR' });
    assert.throws(() => readTextFile(world, '/proc/irq/4'), { errno: 'EISDIR' });
    assert.ok(paths.includes('/sys/kernel/irq/21/actions'));
    assert.throws(() => readTextFile(world, '/proc/irq/21/smp_affinity'), { errno: 'ENOENT' });
  });
});

describe('/sys/bus/pci/devices', () => {
  it('lists the messages of a device with their kind, and the first as its irq', async () => {
    const { guest: { world } } = await play(CARD, ['alloc: { device: e, min: 1, max: 1, flags: [PCI_IRQ_MSI] }', 'alloc: { device: x, min: 2, max: 2 }']);
    const folder = '/sys/bus/pci/devices/0000:00';
    const { irq } = world.kernel.pci_devices.find(({ name }) => name === '0000:00:04.0')!;
    assert.equal(readTextFile(world, `${folder}:04.0/irq`), `${irq}\n`);
    assert.equal(readTextFile(world, `${folder}:04.0/msi_irqs/${irq}`), 'msi\n');
    assert.equal(readTextFile(world, `${folder}:05.0/msi_irqs/${irq + 2}`), 'msix\n');
    assert.equal(readTextFile(world, `${folder}:05.0/irq`), `${PIN_OF_SLOT_5}\n`);
    assert.equal(readTextFile(world, `${folder}:05.0/msi_bus`), '1\n');
    assert.deepEqual(textFiles(world).filter(({ path }) => path.includes('05.0/msi_irqs')).length, 2);
  });
});

describe('/sys/kernel/debug/iommu', () => {
  it('shows an entry of Intel: source, destination, vector and both halves, as the table holds them', async () => {
    const run = await play(`machine: { cpus: 4, remap: intel, devices: [${CARDS}] }`, ['alloc: { device: x, min: 1, max: 1 }', 'request: { device: x }']);
    const text = readTextFile(run.guest.world, '/sys/kernel/debug/iommu/intel/ir_translation_struct');
    const irq = run.guest.world.kernel.pci_devices.find(({ name }) => name === '0000:00:05.0')!.msi_irqs![0];
    const [cpu, vector] = run.place(irq).split(':').map(Number);
    const row = text.split('\n').find(line => line.includes('00:05.0'))!;
    const vct = vector.toString(16);
    // flat logical destination: a bit for each CPU, in the second byte of the field
    const dest = ((1 << cpu) << 8).toString(16).padStart(8, '0');
    assert.match(row, new RegExp(`^ \\d+ +00:05\\.0 ${dest} ${vct}  0000000000040028\\t${dest}00${vct}000d$`));
    assert.match(text, /^Remapped Interrupt supported on IOMMU: dmar0\n IR table address:[\da-f]+000\n Entry SrcID {3}DstID {4}Vct IRTE_high\t\tIRTE_low\n 0 {5}/);
    assert.match(text, /\n\n\*{4}\n\n$/);
  });

  it('of AMD has no file for the tables in this kernel', async () => {
    const { guest } = await play(`machine: { cpus: 4, remap: amd, devices: [${CARDS}] }`, ['alloc: { device: x, min: 1, max: 1 }']);
    assert.deepEqual(textFiles(guest.world).filter(({ path }) => path.includes('/iommu/')), []);
  });
});

describe('the trace', () => {
  it('has the columns of ftrace', () => {
    const { world } = replayed(NAME, 'msix4-req');
    const text = 'irq=24 ret=0';
    world.kernel.trace = [
      { event: 'vector_reserve', cpu: 3, hardirq: false, irqs_off: true, text },
      { event: 'vector_free_moved', cpu: 12, hardirq: true, irqs_off: false, text },
    ];
    const captured = gunzipSync(readFileSync(`test/captures/${NAME}/trace-vectors.txt.gz`)).toString().split('\n').slice(0, 11);
    const own = readTextFile(world, 'trace').split('\n');
    assert.deepEqual(own.slice(0, 11).map(line => line.replace('2/2', 'N')), captured.map(line => line.replace(/\d+\/\d+/, 'N')));
    assert.equal(own[11], '           <...>-0       [003] d...     0.000000: vector_reserve: irq=24 ret=0');
    assert.equal(own[12], '           <...>-0       [012] ..h.     0.000001: vector_free_moved: irq=24 ret=0');
  });
});

describe('an unknown file', () => {
  it('is answered with those that are nearest', () => {
    const { world } = replayed(NAME, 'msix4-req');
    assert.throws(() => readTextFile(world, '/proc/interupts'), /^KernelReadError: \/proc\/interupts: ENOENT: the kernel shows no such file; the nearest are \/proc\/interrupts/);
    assert.throws(() => readTextFile(world, '/sys/kernel/debug/irq/domains/VECTORS'), /nearest are \/sys\/kernel\/debug\/irq\/domains\/VECTOR,/);
    assert.throws(() => readTextFile(world, 'VECTOR'), /nearest are \/sys\/kernel\/debug\/irq\/domains\/VECTOR$/);
    assert.throws(() => readTextFile(world, 'proc/interrupts'), /nearest are \/proc\/interrupts$/);
  });
});
