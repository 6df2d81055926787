import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readCapture } from '../../src/capture/capture';
import { laterKernelOf } from '../../src/capture/later-kernels/changes';
import { planOf } from '../../src/capture/replay/plan';
import { replayOf, unexplained, verify, type Verdict } from '../../src/capture/verify';

const DATA = 'test/captures';
const V6_1 = '6.1.0-56-b-4cpu-noiommu';
const V6_12 = '6.12.95-b-4cpu-noiommu';
const V6_12_INTEL = '6.12.95-n2-4cpu-intelir';
const V6_12_AMD = '6.12.95-n2-4cpu-amdir';

/** Totals: events, lines of state, calls, lines of the log. */
type Totals = readonly [number, number, number, number];

/** What nothing in a capture of one drive, a network card and a test device shows: no xHCI, no function graph. */
const NOT_IN_SMALL = [
  'msi-device-data', 'msi-quirk-by-reservation', 'msi-checks-early', 'multi-msi-early-reject', 'xhci-one-interrupt', 'nvme-probe-waits', 'affinity-file-modes', 'xhci-msi-as-msix', 'irq-resolve-mapping',
  'msi-mask-functions', 'resend-list', 'synchronize-nested',
];

/** What stands in every test of such a capture. @param silent changes of which it shows nothing */
function capture(name: string, totals: Totals, silent: readonly string[] = []): { readonly explains: (id: string) => readonly number[] } {
  let verdict: Verdict;
  const lines: string[] = [];
  before(function () {
    this.timeout(400_000);
    verdict = verify(join(DATA, name), line => lines.push(line));
  });

  it('has no event, no line of state, no call and no line of the log that no change explains', () => {
    assert.deepEqual(verdict.differences, [], lines.join('\n'));
    assert.deepEqual([verdict.events.total, verdict.state.total, verdict.calls.total, verdict.log.total], totals);
    assert.deepEqual([verdict.resumed, verdict.unread], [0, 0]);
    assert.equal(unexplained(verdict), 0);
    assert.ok(lines.includes(`${name}: unexplained 0`));
  });

  it('is another kernel than those of the model', () => assert.equal(verdict.ok, false));

  it('has no change in its table that explains nothing', () => {
    const idle = verdict.explanations.filter(({ events, state, calls, log, uncompared }) => [events, state, calls, log, uncompared].every(count => count <= 0));
    assert.deepEqual(idle.flatMap(({ id }) => (silent.includes(id) ? [] : id)), []);
  });

  const explains = (id: string): readonly number[] => {
    const { events, state, calls, log, uncompared } = verdict.explanations.find(other => other.id === id)!;
    return [events, state, calls, log, uncompared];
  };
  return { explains };
}

describe('captures of kernels behind the last one of the model', () => {
  describe('6.1', () => {
    const { explains } = capture(V6_1, [1343, 16466, 1820, 163]);

    it('activates each MSI right after its allocation: in another order, events come elsewhere', () => {
      assert.ok(explains('msi-activate-each')[0] > 0);
    });

    it('cannot bind a driver to a device that something without a driver has set MSI up for', () => {
      const [events, , calls] = explains('msi-device-data');
      assert.deepEqual([events, calls > 0], [0, true]);
    });

    it('calls functions that the model has not: of the device data, where irq_find_mapping() was, and for mask bits', () => {
      assert.deepEqual(['msi-device-data', 'irq-resolve-mapping', 'msi-mask-functions'].map(id => explains(id)[4]), [103, 12, 4]);
    });
  });

  describe('6.12', () => {
    const { explains } = capture(V6_12, [1490, 17355, 1887, 160]);

    it('has an MSI domain for each device', () => assert.ok(explains('msi-parent-domains')[1] > 3000));
    it('frees the vector that an interrupt left by a timer of its CPU', () => assert.ok(explains('vector-cleanup-timer')[0] > 1000));
    it('has no flat mode: messages go to APIC ids', () => assert.ok(explains('physical-destinations')[1] > 4000));
    it('refuses to move a managed interrupt: -EPERM', () => assert.deepEqual(explains('affinity-eperm'), [0, 1, 0, 0, 0]));
    it('shows no interrupt that came and that nobody has any more', () => assert.deepEqual(explains('proc-requested-only'), [0, 2, 0, 0, 0]));
    it('asks for each interrupt whether users may move it', () => assert.deepEqual(explains('affinity-file-modes'), [0, 0, 10, 0, 0]));
    it('lets go first of the drive that was ready last', () => assert.ok(explains('nvme-probe-waits')[0] > 0));
    it('announces all CPUs before the first one logs anything', () => assert.deepEqual(explains('parallel-bringup'), [0, 0, 0, 7, 0]));
  });

  describe('6.12 with Intel remapping', () => {
    const { explains } = capture(V6_12_INTEL, [1001, 11046, 0, 177], ['msi-data-without-assert', ...NOT_IN_SMALL]);

    it('has domains IR-PCI-MSI-* and IR-PCI-MSIX-* of each device on INTEL-IR-0-13', () => assert.ok(explains('vtd-msi-parent-domains')[1] > 2000));
    it('calls the domain of an IOAPIC IO-APIC, whatever it stands on', () => assert.ok(explains('ioapic-parent-by-fwspec')[1] > 900));
    it('does not set the fault interrupt up before the units translate addresses', () => assert.ok(explains('dmar-fault-local')[0] > 100));
  });

  describe('6.12 with AMD remapping', () => {
    const { explains } = capture(V6_12_AMD, [1001, 11046, 0, 154], NOT_IN_SMALL);

    it('has domains IR-PCI-MSI-* and IR-PCI-MSIX-* of each device on AMD-IR-0-14, though its unit says that it is one of a guest (NpCache)', () => assert.ok(explains('amd-msi-parent-domains')[1] > 2000));
    it('says of the domain that a device cannot forge messages of another one: 0x20', () => assert.ok(explains('ir-isolated-msi')[1] > 40));
  });

  describe('a difference that no change makes', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'irqstep-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    /** Unexplained events, lines of state, calls and lines of the log, with one place of one file changed. */
    function planted(file: string, pattern: RegExp, by: string): number[] {
      for (const name of readdirSync(join(DATA, V6_12))) {
        const bytes = readFileSync(join(DATA, V6_12, name));
        const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
        const plain = name.replace(/\.gz$/, '');
        const changed = plain === file ? text.replace(pattern, by) : text;
        if (plain === file) assert.notEqual(changed, text, 'nothing was planted');
        writeFileSync(join(folder, plain), changed);
      }
      const read = readCapture(folder);
      const replay = replayOf(read, planOf(read), () => undefined);
      replay.compareLog();
      return [replay.matchedEvents, replay.state, replay.calls, replay.log].map(({ matched, total }) => total - matched);
    }

    it('stays unexplained: an interrupt on another CPU', function () {
      this.timeout(400_000);
      assert.deepEqual(planted('irqlens.txt', /(SNAPSHOT final\n[\s\S]*?\nirq 47\n {2}state \S+ type 0x0 node -1 aff 0-3 eff )2/, '$13'), [0, 1, 0, 0]);
    });

    it('stays unexplained: an IRQ that was moved, in the log', function () {
      this.timeout(400_000);
      assert.deepEqual(planted('dmesg.txt', /IRQ fixup: irq 25 move in progress, old vector 33/, 'IRQ fixup: irq 25 move in progress, old vector 34'), [0, 0, 0, 2]);
    });

    it('stays unexplained: a call that is not there', function () {
      this.timeout(400_000);
      const [events, state, calls, log] = planted('graph-tree.txt', /\n +vector_assign_managed_shutdown(?=\n +apic_update_irq_cfg)/, '');
      assert.deepEqual([events, state, calls > 0, log], [0, 0, true, 0]);
    });
  });

  it('a kernel without a table is not taken for a later one', () => {
    assert.equal(laterKernelOf(['v5.10.223']), undefined);
    assert.equal(laterKernelOf(['v6.10.1']), undefined);
    assert.notEqual(laterKernelOf(['v6.1.192']), undefined);
  });
});
