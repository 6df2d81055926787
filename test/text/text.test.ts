import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { readTextFile, textFiles } from '../../src/text/files';
import { resumed } from './resumed';

// Texts of the model in a captured state, against what the captured kernel printed in that state.

const OLD = 'test/text/data/5.9.2-n-4cpu-1nvme-min-intelir';
const NEW = 'test/captures/5.10.0-32-c-4cpu-intelir';

/** The files of debugfs-irq.txt, as `head` printed them. */
function debugfsFiles(): Map<string, string> {
  const text = gunzipSync(readFileSync(`${OLD}/debugfs-irq.txt.gz`)).toString();
  // `head` puts an empty line between files.
  const parts = text.replace(/\n$/, '\n\n').split(/^==> (.*) <==\n/m).slice(1);
  return new Map(parts.flatMap((path, i) => (i % 2 === 0 ? [[path, parts[i + 1].replace(/\n$/, '')] as const] : [])));
}

/** Differences between 5.9 and 5.10 that debugfs shows: new chip flags, a matrix without vector 29, messages composed elsewhere. */
const ofEitherKernel = (text: string): string =>
  text
    .replace(/^( *flags: {3})0x[\da-f]+\n( +IRQCHIP_\w+\n)*/gm, '$1\n')
    .replace(/^System: .*\n/m, '');

describe('/proc/interrupts', () => {
  it('is the captured table, byte for byte but for the counts that a clock makes', () => {
    const { world, capture } = resumed(NEW, 'msix4-req');
    const table = capture.interrupts.find(t => t.label === 'msix4-req')!;
    const masked = (line: string): string => (/^ *(NMI|LOC|SPU|PMI|IWI|RTR|RES|CAL|TLB|TRM|THR|DFR|MCE|MCP|PIN|NPI|PIW):/.test(line) ? line.replace(/\d/g, '0').replace(/ +0+(?= )/g, ' 0') : line);
    assert.equal(readTextFile(world, '/proc/interrupts').split('\n').map(masked).join('\n'), [...table.lines, ''].map(masked).join('\n'));
  });

  it('gives four digits room as soon as there may be so many irqs', () => {
    const { world } = resumed(NEW, 'msix4-req');
    world.kernel.nr_irqs = 1000;
    assert.match(readTextFile(world, '/proc/interrupts'), /^ {12}CPU0 {7}CPU1 .*\n {3}0: {8}130 .*IR-IO-APIC {4}2-edge {6}timer\n/);
  });

  it('leaves out an irq without an action that never came', () => {
    const { world } = resumed(NEW, 'msix4-req');
    assert.doesNotMatch(readTextFile(world, '/proc/interrupts'), /^ {2}3:/m);
    world.kernel.irq_desc_tree.get(3)!.kstat_irqs.set(1, 1);
    assert.match(readTextFile(world, '/proc/interrupts'), /^ {2}3: +0 +1 +0 +0 {2}IR-IO-APIC {3}3-edge {4}\n/m);
  });
});

describe('/sys/kernel/debug/irq', () => {
  it('prints domains and irqs as the kernel does', () => {
    const { world } = resumed(OLD, 'msix4-req', 'v5.10');
    const captured = debugfsFiles();
    captured.delete('/sys/kernel/debug/irq/domains/default');
    const own = textFiles(world).filter(({ path }) => path.startsWith('/sys/kernel/debug/irq/'));
    assert.deepEqual(new Set(own.map(({ path }) => path)), new Set(captured.keys()));
    for (const file of own) assert.equal(ofEitherKernel(file.read()), ofEitherKernel(captured.get(file.path)!), file.path);
  });
});

describe('/proc/irq', () => {
  it('shows the affinity that is asked for, also while it waits for an interrupt', () => {
    const { world } = resumed('test/captures/5.10.0-32-b-4cpu-noiommu', 'edu-aff1');
    assert.equal(readTextFile(world, '/proc/irq/25/smp_affinity_list'), '1\n');
    assert.equal(readTextFile(world, '/proc/irq/25/smp_affinity'), '2\n');
    assert.equal(world.kernel.irq_desc_tree.get(25)!.irq_common_data.affinity.toString(), '0-3');
  });
});

describe('the trace', () => {
  it('has the columns of ftrace', () => {
    const { world } = resumed(NEW, 'msix4-req');
    const text = 'irq=24 ret=0';
    world.kernel.trace = [
      { event: 'vector_reserve', cpu: 3, hardirq: false, irqs_off: true, text },
      { event: 'vector_free_moved', cpu: 12, hardirq: true, irqs_off: false, text },
    ];
    const captured = gunzipSync(readFileSync(`${NEW}/trace-vectors.txt.gz`)).toString().split('\n').slice(0, 11);
    const own = readTextFile(world, 'trace').split('\n');
    assert.deepEqual(own.slice(0, 11).map(line => line.replace('2/2', 'N')), captured.map(line => line.replace(/\d+\/\d+/, 'N')));
    assert.equal(own[11], '           <...>-0       [003] d...     0.000000: vector_reserve: irq=24 ret=0');
    assert.equal(own[12], '           <...>-0       [012] ..h.     0.000001: vector_free_moved: irq=24 ret=0');
  });
});

describe('an unknown file', () => {
  it('is answered with those that are nearest', () => {
    const { world } = resumed(NEW, 'msix4-req');
    assert.throws(() => readTextFile(world, '/proc/interupts'), /no file \/proc\/interupts; the nearest are \/proc\/interrupts/);
    assert.throws(() => readTextFile(world, '/sys/kernel/debug/irq/domains/VECTORS'), /nearest are \/sys\/kernel\/debug\/irq\/domains\/VECTOR,/);
    assert.throws(() => readTextFile(world, 'VECTOR'), /nearest are \/sys\/kernel\/debug\/irq\/domains\/VECTOR$/);
    assert.throws(() => readTextFile(world, 'proc/interrupts'), /nearest are \/proc\/interrupts$/);
  });
});
