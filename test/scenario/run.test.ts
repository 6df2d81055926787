import assert from 'node:assert/strict';
import type { irq_data } from '../../src/kernel/include/irq';
import { kstat_irqs_cpu } from '../../src/kernel/irq/irqdesc';
import { loadScenario, type ScenarioGuest } from '../../src/scenario/load';
import { Stepper, type StopEvent } from '../../src/stepper/stepper';
import { readTextFile } from '../../src/text/files';

/** A scenario's guest; runs go up to a step of it. */
class Run {
  guest!: ScenarioGuest;
  readonly stepper: Stepper;

  constructor(path: string, text?: string, kernel?: string) {
    const loaded = loadScenario(path, text, { kernel });
    assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.diagnostics));
    this.stepper = new Stepper(host => (this.guest = loaded.make(host)));
  }

  async toEnd(): Promise<StopEvent> {
    this.stepper.setMarks([]);
    return this.stepper.run({ kind: 'continue' });
  }

  /** Runs until the step in this line is about to begin. */
  async toLine(line: number): Promise<void> {
    const step = this.guest.steps().find(s => s.source.line === line)!;
    this.stepper.setMarks(this.stepper.probesAt(step.source.path, line).map(p => p.id));
    assert.equal((await this.stepper.run({ kind: 'continue' })).reason, 'breakpoint');
  }

  get world() {
    return this.guest.world;
  }

  /** Vector and CPU of an irq, by its chain's innermost level. */
  vectorOf(irq: number): { cpu: number; vector: number } {
    let data: irq_data = this.world.kernel.irq_desc_tree.get(irq)!.irq_data;
    while (data.parent_data) data = data.parent_data;
    const { cpu, vector } = data.chip_data as { cpu: number; vector: number };
    return { cpu, vector };
  }

  /** The device's MSI-X entry, as software wrote it: address, data. */
  messageOf(address: string, entry: number): [address: string, data: string] {
    const { hi, lo, data } = this.world.machine.pci.find(f => f.config.address === address)!.msix!.message(entry);
    assert.equal(hi, 0);
    return [lo.toString(16), data.toString(16)];
  }

  get counters(): string[] {
    return readTextFile(this.world, '/sys/kernel/debug/irq/domains/VECTOR').split('\n').filter(l => /^Global|^Total/.test(l)).map(l => l.replace(/\s+/g, ' '));
  }

  /** Rows of the matrix: CPU avl man mac act vectors. */
  get matrix(): string[] {
    return readTextFile(this.world, '/sys/kernel/debug/irq/domains/VECTOR').split('\n').filter(l => /^ +\d+ /.test(l)).map(l => l.trim().replace(/\s+/g, ' '));
  }
}

/** Interrupts of the line that each CPU has handled. */
function counts({ world: { kernel } }: Run, irq: number): number[] {
  const desc = kernel.irq_desc_tree.get(irq)!;
  return kernel.cpus.map((_, cpu) => kstat_irqs_cpu(desc, cpu));
}
const NVME = 'machine: { devices: [{ name: nvme0, kind: nvme, address: 00:04.0 }] }\n';

describe('a machine that boots silently', () => {
  it('has 201 vectors a CPU, less the old interrupts, spread by the most that are left', async () => {
    const run = new Run('x', 'steps: [{ affinity: { irq: 5, cpus: 0 } }]');
    await run.toEnd();
    // Requested in this order: timer (fixed), acpi, i8042 (mouse), i8042, rtc0, ttyS0; 14 - 5 of the 15 ISA lines stay reservations.
    assert.deepEqual(run.matrix, ['0 199 0 0 2 33,48', '1 199 0 0 2 33-34', '2 200 0 0 1 33', '3 200 0 0 1 33']);
    assert.deepEqual(run.counters, ['Global available: 798', 'Global reserved: 9', 'Total allocated: 6']);
  });

  it('shows its boot as steps when boot is the first', async () => {
    const run = new Run('x', 'steps: [boot]');
    assert.equal(run.world.kernel.irq_desc_tree.size, 0);
    assert.deepEqual(run.guest.steps().map(s => [s.title, s.task.cpu]), [
      ['boot swapper/0', 0],
      ['boot init', 0],
      ['boot swapper/1', 1],
      ['boot init', 0],
      ['boot swapper/2', 2],
      ['boot init', 0],
      ['boot swapper/3', 3],
      ['boot init', 0],
    ]);
    await run.toEnd();
    const silent = new Run('x', 'steps: [{ affinity: { irq: 5, cpus: 0 } }]');
    await silent.stepper.run({ kind: 'toStep', step: 1 });
    assert.deepEqual(run.world.kernel.trace, silent.world.kernel.trace);
  });
});

describe('examples/nvme-msix.irq.yaml', () => {
  let run: Run;
  before(() => (run = new Run('examples/nvme-msix.irq.yaml')));
  const line = (title: string, nth = 0): number => run.guest.steps().filter(s => s.title === title)[nth].source.line;

  it('allocates one vector for the admin queue and a managed one for each CPU', async () => {
    await run.toLine(line('raise nvme0 entry 0'));
    // The lowest bit that neither an interrupt nor a managed reservation has, on the first CPU with most of them left: CPU 2.
    assert.deepEqual(run.vectorOf(24), { cpu: 2, vector: 35 });
    assert.deepEqual([25, 26, 27, 28].map(irq => run.vectorOf(irq)), [
      { cpu: 0, vector: 34 },
      { cpu: 1, vector: 35 },
      { cpu: 2, vector: 34 },
      { cpu: 3, vector: 34 },
    ]);
    assert.deepEqual(run.matrix, ['0 198 1 1 3 33-34,48', '1 198 1 1 3 33-35', '2 198 1 1 3 33-35', '3 199 1 1 2 33-34']);
  });

  it('writes messages to logical destinations: a bit a CPU', () => {
    assert.deepEqual(run.messageOf('0000:00:04.0', 0), ['fee04004', '4023']);
    assert.deepEqual([1, 2, 3, 4].map(entry => run.messageOf('0000:00:04.0', entry)), [
      ['fee01004', '4022'],
      ['fee02004', '4023'],
      ['fee04004', '4022'],
      ['fee08004', '4022'],
    ]);
  });

  it('only marks the interrupt when its affinity is written', async () => {
    await run.toLine(line('raise nvme0 entry 0', 1));
    assert.deepEqual(counts(run, 24), [0, 0, 1, 0]);
    assert.deepEqual(run.vectorOf(24), { cpu: 2, vector: 35 });
    assert.deepEqual([...run.world.kernel.irq_desc_tree.get(24)!.pending_mask], [3]);
  });

  it('moves it in its next interrupt, and keeps the old vector', async () => {
    await run.toLine(line('raise nvme0 entry 0', 2));
    assert.deepEqual(counts(run, 24), [0, 0, 2, 0]);
    assert.deepEqual(run.vectorOf(24), { cpu: 3, vector: 35 });
    assert.deepEqual(run.messageOf('0000:00:04.0', 0), ['fee08004', '4023']);
    assert.deepEqual(run.counters, ['Global available: 792', 'Global reserved: 10', 'Total allocated: 12']);
  });

  it('frees the old vector one interrupt later', async () => {
    await run.toLine(line('affinity of nvme0 vector 1: 3'));
    assert.deepEqual(counts(run, 24), [0, 0, 2, 1]);
    assert.deepEqual(run.counters, ['Global available: 793', 'Global reserved: 10', 'Total allocated: 11']);
  });

  it('reserves at allocation, assigns at request, and gives all back', async () => {
    await run.toLine(line('request vector 2 of card'));
    // 4 vectors and the INTx line of pci_enable_device().
    assert.deepEqual(run.counters, ['Global available: 793', 'Global reserved: 15', 'Total allocated: 11']);
    await run.toLine(line('free vector 2 of card'));
    assert.deepEqual(run.counters, ['Global available: 792', 'Global reserved: 14', 'Total allocated: 12']);
    assert.equal((await run.toEnd()).reason, 'end');
    assert.deepEqual(run.counters, ['Global available: 793', 'Global reserved: 11', 'Total allocated: 11']);
  });

  it('returned what the kernel returns', () => {
    assert.deepEqual(run.guest.results.map(r => r.value), [0, 0, 0, 0, 0, -5, 4, 0, 0, 0]);
  });
});

describe('examples/nvme-intel-ir.irq.yaml', () => {
  let run: Run;
  before(() => (run = new Run('examples/nvme-intel-ir.irq.yaml')));
  const line = (title: string, nth = 0): number => run.guest.steps().filter(s => s.title === title)[nth].source.line;
  const remapped = () => run.world.machine.events.filter(e => e.kind === 'remapped').at(-1);
  const hex = (value: bigint): string => value.toString(16).padStart(16, '0');

  it('writes a message that names an IRTE: behind 15 IOAPIC pins and the INTx line, entry 16', async () => {
    await run.toLine(line('raise nvme0 entry 0'));
    assert.deepEqual(run.messageOf('0000:00:04.0', 0), ['fee00218', '0']);
    assert.deepEqual(run.vectorOf(25), { cpu: 3, vector: 35 });
  });

  it('sends it through the remapping unit to CPU and vector of the IRTE', async () => {
    await run.toLine(line('affinity of nvme0 vector 0: 1'));
    const event = remapped();
    assert.ok(event?.kind === 'remapped');
    // present, logical destination 8 (CPU 3), redirection hint, vector 0x23; only requester 00:04.0 may use it
    assert.deepEqual([event.index, hex(event.low), hex(event.high)], [16, '000008000023000d', '0000000000040020']);
    assert.deepEqual(counts(run, 25), [0, 0, 0, 1]);
  });

  it('moves it at once: a new IRTE, the same message, the old vector free', async () => {
    await run.toLine(line('raise nvme0 entry 0', 1));
    assert.deepEqual(run.vectorOf(25), { cpu: 1, vector: 36 });
    assert.deepEqual(run.messageOf('0000:00:04.0', 0), ['fee00218', '0']);
    assert.equal(run.world.kernel.irq_desc_tree.get(25)!.pending_mask.empty, true);
    await run.toLine(line('affinity of nvme0 vector 1: 3'));
    const event = remapped();
    assert.ok(event?.kind === 'remapped');
    assert.deepEqual([event.index, hex(event.low), hex(event.high)], [16, '000002000024000d', '0000000000040020']);
    assert.deepEqual(counts(run, 25), [0, 1, 0, 1]);
  });

  it('gives an MSI without mask bit its vector at allocation', async () => {
    await run.toLine(line('request vector 0 of card'));
    assert.deepEqual(run.vectorOf(30), { cpu: 3, vector: 35 });
    assert.equal((await run.toEnd()).reason, 'end');
    assert.equal(run.world.kernel.irq_desc_tree.has(30), false);
  });
});

describe('a run', () => {
  it('reaches the same state at a step, whether it came forwards or back', async () => {
    const run = new Run('examples/nvme-msix.irq.yaml');
    await run.stepper.run({ kind: 'toStep', step: 3000 });
    const there = run.guest.hash();
    await run.stepper.run({ kind: 'toStep', step: 5000 });
    const further = run.guest.hash();
    assert.notEqual(there, further);
    await run.stepper.run({ kind: 'toStep', step: 3000 });
    assert.equal(run.guest.hash(), there);
    await run.stepper.run({ kind: 'toStep', step: 5000 });
    assert.equal(run.guest.hash(), further);
  });

  it('is not disturbed by another that boots while it stands', async () => {
    const run = new Run('examples/nvme-msix.irq.yaml');
    await run.stepper.run({ kind: 'toStep', step: 3000 });
    const other = new Run('examples/nvme-intel-ir.irq.yaml');
    await other.stepper.run({ kind: 'toStep', step: 100 });
    await run.stepper.run({ kind: 'toStep', step: 5000 });
    const alone = new Run('examples/nvme-msix.irq.yaml');
    await alone.stepper.run({ kind: 'toStep', step: 5000 });
    assert.equal(run.guest.hash(), alone.guest.hash());
  });

  it('stands at the expectation that failed, and says both sides', async () => {
    const run = new Run('x', `${NVME}steps:\n  - raise: nvme0\n    expect: -EINVAL\n`);
    const stop = await run.toEnd();
    assert.equal(stop.reason, 'exception');
    assert.equal(stop.error?.message, 'x:4:5: the step returned 0; expected -EINVAL');
    assert.deepEqual(run.stepper.frames(stop.thread).map(f => [f.fn.name, f.line]), [['expect -EINVAL', 4]]);
  });

  it('shows a bug check of the kernel with the frame that made it', async () => {
    const alloc = '  - alloc: { device: nvme0, min: 1, max: 1 }\n  - request: { device: nvme0 }\n  - freeVectors: nvme0\n';
    const run = new Run('x', `${NVME}steps:\n${alloc}`);
    const stop = await run.toEnd();
    assert.equal(stop.reason, 'exception');
    assert.match(stop.error!.message, /^kernel BUG at .*free_msi_irqs/);
    assert.equal(run.stepper.frames(stop.thread)[0].fn.name, 'free_msi_irqs');
  });

  it('answers with errnos where the kernel does', async () => {
    const steps = [
      'raise: nvme0',
      'freeVectors: nvme0',
      'request: { device: nvme0 }',
      'remove: nvme0',
      'alloc: { device: nvme0, min: 66, max: 70, flags: [PCI_IRQ_MSIX] }',
      'alloc: { device: nvme0, min: 2, max: 1 }',
      'affinity: { irq: 200, cpus: 1 }',
      'affinity: { irq: 0, cpus: 1 }',
      'probe: nvme0',
      'probe: nvme0',
      'request: { device: nvme0 }',
      'remove: nvme0',
      'probe: { device: nvme0, driver: mine }',
      'affinity: { device: nvme0, vector: 2, cpus: "1,3" }',
    ];
    const drivers = 'drivers: { mine: { alloc: { min: 3, max: 3 }, request: [a, "b%d"] } }\n';
    const run = new Run('x', `${NVME}${drivers}steps:\n${steps.map(s => `  - ${s}\n`).join('')}`);
    await run.toEnd();
    const [EIO, ENOENT, EBUSY, ENODEV, EINVAL, ENOSPC, ERANGE] = [-5, -2, -16, -19, -22, -28, -34];
    assert.deepEqual(run.guest.results.map(r => r.value), [0, 0, EINVAL, ENODEV, ENOSPC, ERANGE, ENOENT, EIO, 0, EBUSY, EBUSY, 0, 0, 0]);
    assert.deepEqual([24, 25, 26].map(irq => run.world.kernel.irq_desc_tree.get(irq)!.action?.name), ['a', 'b1', 'b2']);
  });
});
