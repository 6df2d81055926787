import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

const PLAIN = 'examples/nvme-msix.irq.yaml';

/** Runs the program as a user does. */
function compare(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['dist/cli.js', 'compare', ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });
}

interface Node {
  readonly kind: string;
  readonly a?: string;
  readonly b?: string;
  readonly children?: readonly Node[];
}

const all = (nodes: readonly Node[]): Node[] => nodes.flatMap(node => [node, ...all(node.children ?? [])]);

describe('irqstep compare', function () {
  this.timeout(60_000);

  it('finds nothing between a kernel and itself', () => {
    const { status, stdout } = compare(PLAIN, '--kernels', 'v5.10,v5.10');
    assert.equal(status, 0);
    assert.match(stdout, /nothing differs: \d+ lines, \d+ files\n$/);
  });

  it('says first where two kernels part, the caller first', () => {
    const { status, stdout } = compare(PLAIN, '--kernels', 'v5.10,v5.10.223');
    assert.equal(status, 1);
    assert.match(stdout, /first difference:\n {2}v5.10: ioapic_set_alloc_attr\(.* node=0, .*\n {2}v5.10.223: ioapic_set_alloc_attr\(.* node=-1, .*\n {4}in acpi_register_gsi_ioapic\n {4}in acpi_register_gsi\n/);
  });

  it('shows calls side by side, with a mark for what has changed', () => {
    const { stdout } = compare(PLAIN, '--kernels', 'v5.10,v5.10.223');
    // The stable kernel enables MSI-X before it has vectors.
    assert.match(stdout, /^ *pci_msix_clear_and_set_ctrl\(dev=0000:00:04.0, clear=32768, set=0x0\) +\| +pci_msix_clear_and_set_ctrl\(dev=0000:00:04.0, clear=0, set=0xc000\)$/m);
    assert.match(stdout, /^ {40,}> +msix_mask_all\(/m);
    assert.match(stdout, /^(.{78}) {3}\1$/m);
  });

  it('ends with what differs in the state: irq 2 of the 8259 is level triggered in the stable kernel', () => {
    const { stdout } = compare(PLAIN, '--kernels', 'v5.10,v5.10.223');
    assert.match(stdout, /\/sys\/kernel\/debug\/irq\/irqs\/2\n(- .*\n\+ .*\n)+\+ +IRQD_LEVEL\n/);
  });

  it('--json is the same for programs', () => {
    const { status, stdout } = compare(PLAIN, '--kernels', 'v5.10,v5.10.223', '--json');
    assert.equal(status, 1);
    const { kernels, same, first, steps } = JSON.parse(stdout) as { kernels: string[]; same: boolean; first: { kind: string; in: string[] }; steps: Node[] };
    assert.deepEqual([kernels, same, first.kind, first.in.at(-1)], [['v5.10', 'v5.10.223'], false, 'changed', 'acpi_register_gsi_ioapic']);
    assert.ok(all(steps).some(({ kind, b }) => kind === 'added' && b?.startsWith('msix_mask_all(')));
  });

  it('says what is wrong with the command line, with exit status 2', () => {
    const cases: [string[], RegExp][] = [
      [[PLAIN], /--kernels is missing: the two to compare, such as --kernels v5.9,v5.10/],
      [[PLAIN, '--kernels', 'v5.10'], /--kernels: found v5.10; expected two, such as v5.9,v5.10/],
      [[PLAIN, '--kernels', 'v5.10,v5.1'], /kernel v5\.1\b/],
      [['--kernels', 'v5.10,v5.10.223'], /FILE is missing/],
      [['no.irq.yaml', '--kernels', 'v5.10,v5.10.223'], /no.irq.yaml/],
    ];
    for (const [args, message] of cases) {
      const { status, stdout, stderr } = compare(...args);
      assert.deepEqual([status, stdout], [2, ''], args.join(' '));
      assert.match(stderr, message);
    }
  });
});
