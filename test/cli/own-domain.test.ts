// Modules of the user's own on the command line, and what a new one begins with. The programs have to be built.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CLI = join(process.cwd(), 'dist', 'cli.js');
const TSC = join(process.cwd(), 'node_modules', 'typescript', 'bin', 'tsc');
const EXAMPLE = 'examples/own-domain/own-domain.irq.yaml';

describe("irqstep with a domain of the user's own", function () {
  this.timeout(120_000);
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'irqstep-own-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const irqstep = (args: readonly string[], cwd = process.cwd()): { status: number | null; stdout: string; stderr: string } => spawnSync(process.execPath, [CLI, ...args], { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });

  function scenario(module: string): void {
    writeFileSync(join(folder, 'm.ts'), module);
    writeFileSync(join(folder, 'a.irq.yaml'), 'modules: [./m.ts]\nsteps:\n  - call: go\n');
  }

  it('says what it loads, and prints its calls among those of the kernel', () => {
    const { status, stdout, stderr } = irqstep(['run', EXAMPLE, '--check']);
    assert.equal(status, 0, stderr);
    assert.deepEqual(stderr.split('\n').filter(line => line.startsWith('irqstep:')), [
      `irqstep: ${EXAMPLE} loads the code of ./examples/own-domain/accel-ims.ts`,
      `irqstep: ${EXAMPLE} loads the code of ./examples/own-domain/accel-driver.ts`,
    ]);
    assert.match(stdout, /\n +accel_domain_alloc\(domain=ACCEL-0000:00:05\.0, virq=25, nr_irqs=1, arg=PCI_MSIX hwirq 0x0\)\n +irq_domain_alloc_irqs_parent\(/);
  });

  it('shows the interrupt as the kernel would', () => {
    const text = 'modules: [./accel-driver.ts]\nmachine: { remap: intel, devices: [{ name: accel0, kind: ims, address: 00:05.0, ims: { slots: 2, subdevices: [part] } }] }\nsteps:\n  - probe: { device: accel0, driver: accel_driver }\n  - call: { function: add_queue, args: [accel0, q0] }\n  - call: { function: done, args: [accel0, 0] }\n';
    cpSync('examples/own-domain', folder, { recursive: true });
    writeFileSync(join(folder, 'a.irq.yaml'), text);
    assert.match(irqstep(['show', 'a.irq.yaml', '/proc/interrupts'], folder).stdout, /\n 25: +0 +0 +0 +1 +ACCEL {3}0-edge {6}q0\n/);
    assert.match(irqstep(['show', 'a.irq.yaml', '/sys/kernel/debug/irq/irqs/25'], folder).stdout, /domain: {2}ACCEL-0000:00:05\.0\n hwirq: {3}0x0\n chip: {4}ACCEL\n(.*\n)+ parent:\n {4}domain: {2}INTEL-IR-0\n/);
  });

  it('prints where a module threw, with the calls of the model', () => {
    scenario('function* help(n: number) {\n  if (n > 2) throw new Error(`too many: ${n}`);\n  return 0;\n}\nexport function* go() {\n  return yield* help(3);\n}\n');
    const { status, stderr } = irqstep(['run', 'a.irq.yaml'], folder);
    assert.equal(status, 1);
    assert.match(stderr, /irqstep: the run failed: \.\/m\.ts:2:20: too many: 3\n {4}at help \(\.\/m\.ts:2:14\)\n {4}at go \(\.\/m\.ts:6:3\)\n {4}at call go\(\) \(a\.irq\.yaml:3:5\)\n$/);
  });

  it('calls a NULL pointer of the kernel by that name, also where the module led there', () => {
    scenario("import { irq_domain_free_irqs } from 'irqstep/model';\nexport function* go() {\n  yield* irq_domain_free_irqs(0, 5000);\n}\n");
    const { status, stderr } = irqstep(['run', 'a.irq.yaml'], folder);
    assert.equal(status, 1);
    assert.match(stderr, /irqstep: the run failed: NULL dereference: .*\n {4}at irq_domain_remove_irq \(.*\n {4}at irq_domain_free_irqs \(.*\n {4}at go \(\.\/m\.ts:3:3\)\n/);
  });

  it('runs no line of a module that is refused', () => {
    scenario('export function* go() {\n  return process.exit(3);\n}\n');
    const { status, stderr } = irqstep(['run', 'a.irq.yaml'], folder);
    assert.deepEqual([status, stderr], [2, './m.ts:2:10: error: process is not here: a module has nothing but the model: a run must be the same each time\n']);
  });

  it('loses nothing when an allocation fails, whichever; a throw of a module is one more way to end', () => {
    const { stdout, stderr } = irqstep(['run', EXAMPLE, '--fail-nth', 'all']);
    assert.match(stdout, /\n\d\d allocations; 1 times the kernel gave up, 0 times something leaked, 0 times by no known bug\n$/, stderr);
    scenario("import { kzalloc } from 'irqstep/model';\nexport function* go() {\n  return kzalloc('go: a thing', () => ({ n: 0 }))!.n;\n}\n");
    assert.match(irqstep(['run', 'a.irq.yaml', '--fail-nth', 'all'], folder).stdout, /\n1 +go: a thing +call go\(\) +did not end +\.\/m\.ts:3:51: Cannot read properties of null \(reading 'n'\)\n/);
  });

  it('compares it on two kernels', () => {
    const { status, stdout, stderr } = irqstep(['compare', EXAMPLE, '--kernels', 'v5.9,v5.10']);
    assert.equal(status, 1, stderr);
    assert.match(stdout, /accel_domain_alloc|accel_probe/);
  });

  it('runs elsewhere: the example copied, with the typings beside it, passes its type check and ends as it does here', () => {
    cpSync('examples/own-domain', folder, { recursive: true });
    copyFileSync('dist/irqstep-model.d.ts', join(folder, 'irqstep-model.d.ts'));
    const types = spawnSync(process.execPath, [TSC, '-p', '.'], { cwd: folder, encoding: 'utf8' });
    assert.deepEqual([types.status, types.stdout], [0, '']);
    for (const file of ['own-domain.irq.yaml', 'pins.irq.yaml']) {
      const { status, stderr } = irqstep(['run', file, '--check'], folder);
      assert.equal(status, 0, stderr);
    }
  });

  it('has a template that passes its own type check, and runs', () => {
    cpSync('templates/irq-domain', folder, { recursive: true });
    copyFileSync('dist/irqstep-model.d.ts', join(folder, 'irqstep-model.d.ts'));
    const types = spawnSync(process.execPath, [TSC, '-p', folder], { encoding: 'utf8' });
    assert.deepEqual([types.status, types.stdout], [0, '']);
    const { status, stderr } = irqstep(['run', 'my-domain.irq.yaml', '--check'], folder);
    assert.equal(status, 0, stderr);
  });

  it('has typings that know an Op, and a slip of the pen', () => {
    copyFileSync('dist/irqstep-model.d.ts', join(folder, 'irqstep-model.d.ts'));
    copyFileSync('templates/irq-domain/tsconfig.json', join(folder, 'tsconfig.json'));
    writeFileSync(join(folder, 'm.ts'), "import { irq_domain_alloc_irqs, type irq_chip } from 'irqstep/model';\nexport function* go() {\n  const irq: number = irq_domain_alloc_irqs(null, 1, -1, null);\n}\nexport const chip: irq_chip = { name: 'X', irq_mask: () => 0, flags: 0 };\n");
    const { stdout } = spawnSync(process.execPath, [TSC, '-p', folder], { encoding: 'utf8' });
    assert.deepEqual([...stdout.matchAll(/m\.ts\((\d+),\d+\): error (TS\d+)/g)].map(found => found.slice(1, 3)), [['3', 'TS2322'], ['5', 'TS2322']]);
  });
});
