import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { version } from '../../package.json';

const PLAIN = 'examples/nvme-msix.irq.yaml';
const REMAPPED = 'examples/nvme-intel-ir.irq.yaml';

/** Runs the program as a user does. */
function irqstep(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['dist/cli.js', ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });
}

describe('irqstep', function () {
  this.timeout(30_000);
  let folder = '';
  before(() => (folder = mkdtempSync(join(tmpdir(), 'irqstep-'))));
  after(() => rmSync(folder, { recursive: true }));

  /** The path of a scenario with this text. */
  function scenario(text: string): string {
    const path = join(folder, 'a.irq.yaml');
    writeFileSync(path, text);
    return path;
  }
  const NVME = 'machine: { devices: [{ name: nvme0, kind: nvme, address: 00:04.0 }] }\n';

  it('run prints the call tree, each function inside of its caller, and /proc/interrupts', () => {
    const { status, stdout } = irqstep('run', PLAIN);
    assert.equal(status, 0);
    const lines = stdout.split('\n');
    const depthOf = (start: string): number => {
      const line = lines.find(l => l.trimStart().startsWith(start));
      assert.ok(line !== undefined, `no line with ${start}`);
      return line.length - line.trimStart().length;
    };
    const chain = ['pci_alloc_irq_vectors_affinity(', '__irq_domain_alloc_irqs(', 'msi_domain_alloc(', 'x86_vector_alloc_irqs(', '* vector_reserve:'].map(depthOf);
    assert.deepEqual(chain, [...chain].sort((a, b) => a - b));
    assert.equal(new Set(chain).size, chain.length);
    assert.match(stdout, /\/proc\/interrupts:\n +CPU0 +CPU1 +CPU2 +CPU3/);
  });

  it('run takes any point of the series, and says which there is', () => {
    assert.match(irqstep('run', REMAPPED, '--kernel', 'series:17').stdout, /native_setup_msi_irqs/);
    assert.doesNotMatch(irqstep('run', REMAPPED, '--kernel', 'v5.10-v2-04').stdout, /native_setup_msi_irqs/);
    const { status, stderr } = irqstep('run', REMAPPED, '--kernel', 'v5.8');
    assert.equal(status, 2);
    assert.match(stderr, /--kernel: unknown kernel v5.8; expected v5.9, v5.10, v5.10.223, v5.10\+device-msi or v5.10\+ims-repost/);
  });

  it('run prints the same bytes each time', () => {
    for (const example of [PLAIN, REMAPPED]) assert.equal(irqstep('run', example).stdout, irqstep('run', example).stdout);
  });

  it('run --json is the same tree for programs', () => {
    const { status, stdout } = irqstep('run', REMAPPED, '--json');
    assert.equal(status, 0);
    const { kernel, steps } = JSON.parse(stdout) as { kernel: string; steps: { name: string; result: number }[] };
    assert.equal(kernel, 'v5.10');
    assert.deepEqual(steps.map(s => [s.name, s.result]), [
      ['probe nvme0', 0],
      ['raise nvme0 entry 0', 0],
      ['affinity of nvme0 vector 0: 1', 0],
      ['raise nvme0 entry 0', 0],
      ['affinity of nvme0 vector 1: 3', -5],
      ['expect -EIO', undefined],
      ['alloc 1 to 1 vectors of card', 1],
      ['request vector 0 of card', 0],
      ['free vector 0 of card', 0],
      ['freeVectors card', 0],
    ]);
  });

  it('run tells steps on one line apart', () => {
    const { stdout } = irqstep('run', scenario(`${NVME}steps: [{ remove: nvme0 }, { raise: nvme0 }]\n`));
    assert.deepEqual(stdout.match(/^ {2}= .*/gm), ['  = -ENODEV', '  = 0']);
  });

  it('run --kernel runs another kernel than the scenario says', () => {
    assert.match(irqstep('run', PLAIN, '--kernel', 'v5.10.223').stdout, /^.*\(kernel v5\.10\.223\)\n/);
  });

  it('run ends with status 1 at a step that returns something else than it expects, and says both', () => {
    const path = scenario(`${NVME}steps:\n  - alloc: { device: nvme0, min: 66, max: 66, flags: [PCI_IRQ_MSIX] }\n    expect: 66\n  - probe: nvme0\n`);
    const { status, stdout, stderr } = irqstep('run', path);
    assert.equal(status, 1);
    assert.match(stderr, /a\.irq\.yaml:4:5: the step returned -ENOSPC; expected 66\n/);
    assert.doesNotMatch(stdout, /nvme_probe/);
  });

  it('run --expect no goes on there', () => {
    const path = scenario(`${NVME}steps:\n  - alloc: { device: nvme0, min: 66, max: 66, flags: [PCI_IRQ_MSIX] }\n    expect: 66\n  - probe: nvme0\n`);
    const { status, stdout } = irqstep('run', path, '--expect', 'no');
    assert.equal(status, 0);
    assert.match(stdout, /nvme_probe/);
  });

  it('run --check tells of a bug of the kernel that leaks a vector, once', () => {
    const old = irqstep('run', 'examples/cpu-offline.irq.yaml', '--check', '--kernel', 'v5.10');
    assert.deepEqual([old.status, old.stdout.match(/orphan: vector 35 of CPU 3 is allocated, and no interrupt has it/g)?.length], [0, 1]);
    const mended = irqstep('run', 'examples/cpu-offline.irq.yaml', '--check');
    assert.deepEqual([mended.status, /bugs of this kernel/.test(mended.stdout)], [0, false]);
  });

  it('refuses a broken scenario with status 2, its place and nothing on stdout', () => {
    const path = scenario('machine:\n  cpus: four\nsteps:\n  - prob: nvme0\n');
    for (const command of ['run', 'show']) {
      const { status, stdout, stderr } = irqstep(command, path);
      assert.equal(status, 2);
      assert.equal(stdout, '');
      assert.equal(stderr, `${path}:2:9: error: cpus: found "four"; expected a number of CPUs from 1 to 1024 or a list, each entry a map with apicId and node\n${path}:4:5: error: unknown key prob; did you mean probe?\n`);
    }
  });

  it('show lists the files of the kernel, and prints one', () => {
    const list = irqstep('show', PLAIN);
    assert.equal(list.status, 0);
    assert.ok(list.stdout.split('\n').includes('/sys/kernel/debug/irq/domains/VECTOR'));
    const file = irqstep('show', PLAIN, '/sys/kernel/debug/irq/domains/VECTOR');
    assert.equal(file.status, 0);
    assert.match(file.stdout, /^name: {3}VECTOR\n/);
  });

  it('show names the nearest of a path that is not there', () => {
    const { status, stderr } = irqstep('show', PLAIN, '/proc/interupts');
    assert.equal(status, 2);
    assert.match(stderr, /\/proc\/interupts: ENOENT: the kernel shows no such file; the nearest are \/proc\/interrupts.* \(irqstep show FILE lists all\)/);
  });

  it('refuses a wrong command line with status 2 and what was meant', () => {
    const cases: [args: string[], message: string][] = [
      [[], 'irqstep: no command given; expected run, show, verify, compare or series (irqstep --help says more)\n'],
      [['rum', PLAIN], 'irqstep: unknown command rum; did you mean run?\n'],
      [['run'], 'irqstep: FILE is missing (irqstep run --help says more)\n'],
      [['run', PLAIN, 'x'], 'irqstep: found x after FILE; expected nothing more (irqstep run --help says more)\n'],
      [['run', PLAIN, '--jsno'], 'irqstep: unknown option --jsno; did you mean --json? (irqstep run --help says more)\n'],
      [['verify'], 'irqstep: DIR is missing: a folder with a capture (irqstep verify --help says more)\n'],
      [['run', PLAIN, '--kernel', 'v5.11'], 'irqstep: --kernel: unknown kernel v5.11; expected v5.9, v5.10, v5.10.223, v5.10+device-msi or v5.10+ims-repost (irqstep run --help says more)\n'],
      [['verify', 'test/captures'], 'irqstep: test/captures holds no capture: neither trace-vectors.txt nor irqlens.txt is in it (irqstep verify --help says more)\n'],
      [['verify', 'test/none'], 'irqstep: there is no folder test/none; expected one with a capture (irqstep verify --help says more)\n'],
    ];
    for (const [args, message] of cases) {
      const { status, stderr } = irqstep(...args);
      assert.equal(stderr, message);
      assert.equal(status, 2);
    }
  });

  it('explains itself, with examples', () => {
    for (const args of [['--help'], ['run', '--help'], ['show', '-h'], ['verify', '--help'], ['help', 'run']]) {
      const { status, stdout } = irqstep(...args);
      assert.equal(status, 0);
      assert.match(stdout, /^examples?:\n {2}irqstep /m);
    }
    assert.equal(irqstep('--version').stdout, `irqstep ${version}\n`);
  });

  it('refuses a command that is a name of JavaScript as it refuses any other', () => {
    assert.deepEqual([irqstep('toString').status, irqstep('__proto__').status], [2, 2]);
  });
});
