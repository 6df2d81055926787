import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

const PLAIN = 'examples/nvme-msix.irq.yaml';
const BEFORE = 'test/captures/5.9.2-oracle-n-4cpu-1nvme-min';
const AFTER = 'test/captures/5.10.0-32-n-4cpu-1nvme-min';

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

  it('prints the arch fallback of v5.9 beside the domain that v5.10 has at hand', () => {
    const { stdout } = compare('examples/nvme-intel-ir.irq.yaml', '--kernels', 'v5.9,v5.10');
    const path = ['arch_setup_msi_irqs', 'native_setup_msi_irqs', 'init_irq_alloc_info', 'irq_remapping_get_irq_domain', 'intel_get_irq_domain'];
    assert.match(stdout, new RegExp(`${path.map(name => `^ +${name}\\(.*\\) +<\\n(^.*<\\n)*?`).join('')}^ +msi_domain_alloc_irqs\\(.* {3,}msi_domain_alloc_irqs\\(`, 'm'));
  });

  it('says what is wrong with the command line, with exit status 2', () => {
    const cases: [string[], RegExp][] = [
      [[PLAIN], /--kernels is missing: the two to compare, such as --kernels v5.9,v5.10/],
      [[PLAIN, '--kernels', 'v5.10'], /--kernels: found v5.10; expected two, such as v5.9,v5.10/],
      [[PLAIN, '--kernels', 'v5.10,v5.1'], /kernel v5\.1\b/],
      [['--kernels', 'v5.10,v5.10.223'], /FILE is missing/],
      [[AFTER], /5.10.0-32-n-4cpu-1nvme-min is a capture; expected another capture or a scenario/],
      [[AFTER, 'examples'], /examples holds no capture: neither trace-vectors.txt nor irqlens.txt is in it/],
      [[AFTER, BEFORE, '--kernels', 'v5.9'], /--kernels v5.9: captures have the kernels that they were made on/],
      [[AFTER, PLAIN, '--kernels', 'v5.9,v5.10'], /found v5.9,v5.10; expected one, that of the run/],
      [[AFTER, 'no.irq.yaml'], /no.irq.yaml/],
      [[PLAIN, PLAIN], /neither .* is a folder with a capture/],
      [['no.irq.yaml', '--kernels', 'v5.10,v5.10.223'], /no.irq.yaml/],
    ];
    for (const [args, message] of cases) {
      const { status, stdout, stderr } = compare(...args);
      assert.deepEqual([status, stdout], [2, ''], args.join(' '));
      assert.match(stderr, message);
    }
  });
});

describe('irqstep compare with captures', function () {
  this.timeout(60_000);

  it('finds nothing between a capture and itself', () => {
    const { status, stdout } = compare(AFTER, AFTER);
    assert.equal(status, 0);
    assert.match(stdout, /nothing differs: \d+ lines, \d+ files\n$/);
  });

  it('finds vector 29, which v5.10 sets aside for #VC, as the first difference of the real kernels', () => {
    const { status, stdout } = compare(BEFORE, AFTER);
    assert.equal(status, 1);
    assert.match(stdout, /first difference:\n {2}5.9.2.*: nothing\n {2}5.10.0.*: \* irq_matrix_assign_system: bit=29 .*\n {4}in \[<idle>\/0\]\n {4}in boot\n/);
  });

  it('shows in the real kernels\' trees what the series has done to PCI/MSI', () => {
    const { stdout } = compare(BEFORE, AFTER);
    assert.match(stdout, /^ +arch_setup_msi_irqs +<\n +native_setup_msi_irqs +<\n +init_irq_alloc_info +<\n +irq_remapping_get_irq_domain +<\n +msi_domain_alloc_irqs +msi_domain_alloc_irqs\n +> +__msi_domain_alloc_irqs$/m);
    assert.match(stdout, /^ +pci_msi_set_desc +\| +pci_msi_domain_set_desc$/m);
    assert.match(stdout, /^ +irq_msi_compose_msg +\| +x86_vector_msi_compose_msg$/m);
    // A stable change: a startup sets the affinity first.
    assert.match(stdout, /^ +__irq_startup \.\.\. \+2 +~ +moved to __setup_irq > irq_startup$/m);
  });

  it('takes no difference of the compilers, the clocks and the counters for one of the kernels', () => {
    const { stdout } = compare(BEFORE, AFTER);
    assert.match(stdout, /^not shown: .*\bmsix_capability_init\b.*: both kernels have them/m);
    assert.doesNotMatch(stdout, /^ +msix_capability_init/m);
    // Hundreds of events of loads that did the same with other totals, as ahci holds an interrupt on one machine only.
    assert.match(stdout, /^reload-nvme \.\.\. \+\d+ +reload-nvme/m);
  });

  it('pairs interrupts by device and entry, and names those that only one has', () => {
    const { stdout } = compare(BEFORE, AFTER);
    assert.match(stdout, /\n0000:00:1f.2\[0\] \(final\)\nonly 5.10.0-32-n-4cpu-1nvme-min has it/);
    assert.match(stdout, /^\/proc\/interrupts \(final\)\n(- .*\n)?\+ 0000:00:1f.2\[0\]: PCI-MSI 512000-edge +ahci/m);
  });

  it('--json says what was compared', () => {
    const { status, stdout } = compare(BEFORE, AFTER, '--json');
    const { kernels, same, notes, steps } = JSON.parse(stdout) as { kernels: string[]; same: boolean; notes: string[]; steps: (Node & { text?: string })[] };
    assert.deepEqual([status, same, kernels], [1, false, ['5.9.2-oracle-n-4cpu-1nvme-min', '5.10.0-32-n-4cpu-1nvme-min']]);
    assert.equal(notes.length, 1);
    assert.ok(steps.some(({ kind, text }) => kind === 'same' && text === 'reload-nvme'));
  });

  it('puts a run beside the steps of a capture that it is like: the drive probes as on the real kernel', () => {
    const { status, stdout } = compare(AFTER, PLAIN, '--kernels', 'v5.10.223');
    assert.equal(status, 1);
    assert.match(stdout, /^fg-load-nvme +probe nvme0$/m);
    const probe = stdout.slice(stdout.search(/^fg-load-nvme/m), stdout.search(/^fg-affinity/m));
    // The drive of the capture had its pin already; apart from that, nothing is called that the other does not call.
    assert.doesNotMatch(probe, / <$/m);
    assert.equal(probe.split('\n').find(line => line.includes('>') && /> +pci_/.test(line)), undefined);
    assert.match(stdout, /the capture has no step like: .*freeVectors card/);
  });

  it('a run on the kernel before the series parts from a capture after it where the series did', () => {
    const { stdout } = compare(AFTER, PLAIN, '--kernels', 'v5.9');
    assert.match(stdout, /^ {40,}> +arch_setup_msi_irqs\(.*\n {40,}> +native_setup_msi_irqs\(/m);
  });
});
