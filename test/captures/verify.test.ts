import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { verify, type Verdict } from '../../src/capture/verify';

const DATA = 'test/captures';

function run(folder: string): { verdict: Verdict; lines: string[] } {
  const lines: string[] = [];
  const verdict = verify(folder, line => lines.push(line));
  return { verdict, lines };
}

describe('verifying a capture from power-on', () => {
  const captures = {
    '5.9.2-oracle-n-4cpu-1nvme-min': { events: 855, log: 164, calls: 1413 },
    '5.9.2-oracle-n-4cpu-1nvme-min-intelir': { events: 858, log: 187, calls: 1550 },
    // The timer does not tick through the IOAPIC; two controllers at once, whose numbers of interrupts tell in which order they took them.
    '5.9.2-oracle-b-4cpu-noiommu': { events: 1378, log: 175, calls: 2531 },
    '5.10.0-32-n-4cpu-1nvme-min': { events: 916, log: 168, calls: 1426 },
    '5.10.0-32-n-4cpu-1nvme-min-intelir': { events: 921, log: 190, calls: 1581 },
    // A PCI Express switch, and behind a bridge to PCI a slot that ACPI has and shpchp wants.
    '5.10.0-32-s5-4cpu-intelir-bridges': { events: 1107, log: 186, calls: 0 },
    // A drive behind a switch that never answers: its driver gives up; a device behind a bridge to PCI sends with an alias.
    '5.10.0-32-s6-4cpu-amdir-bridges': { events: 919, log: 167, calls: 0 },
    // Without IOAPICs: their lines are known from the MP table, the 8259 pair interrupts.
    '5.10.0-32-l-4cpu-noapic': { events: 1319, log: 78, calls: 0 },
    // threadirqs noirqdebug irqaffinity=0,2; the timer ticks only as the 8259 pair's own interrupt.
    '5.10.0-32-u6-4cpu-threadirqs': { events: 972, log: 176, calls: 0 },
  };

  for (const [name, expected] of Object.entries(captures)) {
    it(`finds every event, every state, every call and every line of the log of ${name} the same`, () => {
      const { verdict, lines } = run(join(DATA, name));
      const { events, state, calls } = verdict;
      assert.deepEqual([events.matched, events.total], [expected.events, expected.events], lines.join('\n'));
      assert.deepEqual([calls.matched, calls.total], [expected.calls, expected.calls], lines.join('\n'));
      assert.deepEqual([verdict.resumed, verdict.unread], [0, 0]);
      assert.deepEqual(verdict.differences, [], lines.join('\n'));
      assert.match(lines.at(-1)!, new RegExp(`^${name}: events ${events.matched}/${events.total}, state ${state.matched}/${state.total}, calls ${calls.matched}/${calls.total}, log ${expected.log}/${expected.log}, inputs \\d+, resumed 0, unread 0$`));
    });
  }

  it('finds two controllers that were set up side by side the same, whichever kworker had which', () => {
    const { verdict } = run(join(DATA, '5.10.0-32-b-4cpu-noiommu'));
    const ofTrace = verdict.differences.filter(d => !d.where.startsWith('graph-tree') && !d.where.startsWith('dmesg.txt') && !d.where.includes('snapshot final'));
    assert.deepEqual(ofTrace, []);
  }).timeout(60_000);
});

describe('a capture that differs', () => {
  const NAME = '5.10.0-32-n-4cpu-1nvme-min';
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'irqstep-'));
    cpSync(join(DATA, NAME), folder, { recursive: true });
    // Not what these are about.
    rmSync(join(folder, 'graph-tree.txt.gz'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function edit(file: string, change: (text: string) => string): void {
    const path = join(folder, `${file}.gz`);
    writeFileSync(path, gzipSync(change(gunzipSync(readFileSync(path)).toString())));
  }

  /** Changes the first match behind the start of a step. */
  const inStep = (step: string, from: string | RegExp, to: string) => (text: string): string => {
    const at = text.indexOf(`STEP ${step}`);
    return text.slice(0, at) + text.slice(at).replace(from, to);
  };

  it('is shown with both sides and the stack of the model', () => {
    edit('trace-vectors.txt', inStep('lens-msix ', 'vector_alloc: irq=24 vector=33', 'vector_alloc: irq=24 vector=39'));
    const { verdict } = run(folder);
    const [difference] = verdict.differences;
    assert.equal(verdict.ok, false);
    assert.match(difference.captured!, /\[003\] \. vector_alloc: irq=24 vector=39 reserved=1 ret=0/);
    assert.match(difference.model!, /\[003\] \. vector_alloc: irq=24 vector=33 reserved=1 ret=0/);
    const functions = difference.stack.map(frame => frame.split(' ')[0]);
    assert.deepEqual(functions.slice(0, 4), ['assign_vector_locked', 'assign_irq_vector_any_locked', 'activate_reserved', 'x86_vector_activate']);
    assert.ok(functions.includes('request_threaded_irq'));
  });

  it('lacks an event that the model makes: that is a difference too', () => {
    edit('trace-vectors.txt', inStep('lens-msix ', /^.*vector_clear: irq=25 .*\n/m, ''));
    const { verdict } = run(folder);
    assert.equal(verdict.ok, false);
    assert.match(verdict.differences[0].model!, /vector_clear: irq=25/);
  });

  it('has another result of a command', () => {
    edit('trace-vectors.txt', text => text.replace('RES 4 : req 0000:00:04.0 0 3', 'RES -28 (after 3 ok) : req 0000:00:04.0 0 3'));
    assert.match(run(folder).verdict.differences[0].where, /result of req/);
  });

  it('has another state', () => {
    edit('irqlens.txt', text => {
      const at = text.indexOf('SNAPSHOT msix4-req');
      return text.slice(0, at) + text.slice(at).replace('addr_lo 0xfee02', 'addr_lo 0xfee03');
    });
    assert.match(run(folder).verdict.differences[0].where, /irqlens\.txt, snapshot msix4-req, irq \d+/);
  });

  it('has interrupts that the script did not raise: they are inputs, by their numbers only', () => {
    const { inputs } = run(folder).verdict;
    assert.equal(inputs.filter(input => /^irq 24 came by itself \(line \d+\)$/.test(input)).length, 6);
  });

  // What a CPU did in the interrupt that moves the irq, or that frees the vector it had there, comes when the next command has begun.
  for (const [name, raised] of [['5.10.0-32-b-4cpu-noiommu', 'RES 0 : fire'], ['5.10.0-32-c-4cpu-intelir', 'TRY echo']]) {
    it(`has a CPU that took an interrupt only when the script had gone on, behind "${raised}": when is an input`, () => {
      rmSync(folder, { recursive: true });
      cpSync(join(DATA, name), folder, { recursive: true });
      rmSync(join(folder, 'graph-tree.txt.gz'));
      const before = run(folder).verdict;
      edit('trace-vectors.txt', text => {
        const at = text.indexOf('STEP lens-edu');
        return text.slice(0, at) + text.slice(at).replace(new RegExp(`((?:.* d\\S[hH]\\S .*\\n)+)(.*${raised}.*\\n)(.*(?:CMD (?!fire)|WRITE).*\\n)`), '$2$3$1');
      });
      const { verdict, lines } = run(folder);
      assert.deepEqual(verdict.events, before.events, lines.join('\n'));
      assert.equal(verdict.inputs.filter(input => /^CPU \d took its interrupt later \(line \d+\)$/.test(input)).length, 1);
    }).timeout(60_000);
  }

  it('was cut off: what is left is checked, and it is said what is missing', () => {
    edit('trace-vectors.txt', text => text.slice(0, text.indexOf('STEP lens-msix-managed-more') + 2000));
    rmSync(join(folder, 'proc-interrupts.txt.gz'));
    const { verdict, lines } = run(folder);
    assert.equal(verdict.ok, false);
    assert.ok(lines.some(line => line.includes('proc-interrupts.txt is missing: the rows of /proc/interrupts are not checked')));
    assert.ok(lines.some(line => line.includes('trace-vectors.txt ends in step lens-msix-managed-more')));
  });

  it('was made by a build of the module that prints no mode of an entry: that is no difference', () => {
    const name = '5.10.0-32-n-4cpu-1nvme-min-intelir';
    rmSync(folder, { recursive: true });
    cpSync(join(DATA, name), folder, { recursive: true });
    edit('irqlens.txt', text => text.replaceAll(/(irte_mask \d+) mode \d+/g, '$1'));
    assert.deepEqual(run(folder).verdict.state, run(join(DATA, name)).verdict.state);
  });

  it('lacks sys-kernel-irq.txt: events and irqlens.txt are still checked', () => {
    rmSync(join(folder, 'sys-kernel-irq.txt.gz'));
    const { verdict, lines } = run(folder);
    assert.match(lines[0], /sys-kernel-irq\.txt is missing: .* neither they nor \/proc\/interrupts are checked/);
    assert.deepEqual([verdict.events.matched, verdict.events.total, verdict.ok], [916, 916, false]);
  });

  it('was cut between two snapshots: the rows that are missing are no success', () => {
    edit('proc-interrupts.txt', text => text.slice(0, text.indexOf('##### SNAPSHOT msixmgd-alloc')));
    const { verdict, lines } = run(folder);
    assert.equal(verdict.ok, false);
    assert.match(lines[0], /proc-interrupts\.txt lacks \d+ of \d+ snapshots from msixmgd-alloc on/);
  });

  it('has no trace: zero of zero is no success', () => {
    rmSync(join(folder, 'trace-vectors.txt.gz'));
    const { verdict, lines } = run(folder);
    assert.equal(verdict.ok, false);
    assert.match(lines.at(-1)!, /events 0\/0, state 0\/0, calls 0\/0, log \d+\/\d+, inputs 0, resumed 0, unread 0$/);
  });

  it('has lines that nobody understands: they are counted, and it is said where they stand', () => {
    edit('irqlens.txt', text => text.replace('SNAPSHOT msix4-req\n', 'SNAPSHOT msix4-req\nsomething new\n'));
    const { verdict, lines } = run(folder);
    assert.ok(lines.some(line => /irqlens\.txt:\d+ is not understood: something new$/.test(line)));
    assert.equal(verdict.unread, 1);
    assert.equal(verdict.ok, false);
  });

  it('has an empty file: what cannot be checked without it is said', () => {
    edit('dmesg.txt', () => '');
    writeFileSync(join(folder, 'cpuinfo.txt'), 'noise\n');
    const { verdict, lines } = run(folder);
    assert.equal(verdict.ok, false);
    assert.match(lines[0], /dmesg\.txt is empty: IOAPICs and remapping units are not known$/);
    assert.match(lines[1], /cpuinfo\.txt names no CPU: APIC ids and cores of its CPUs are guessed$/);
  });

  it('is of a kernel that the model does not have: it is refused by name', () => {
    writeFileSync(join(folder, 'uname.txt'), 'Linux (none) 4.19.0-27-amd64 #1 SMP Debian 4.19.316-1 x86_64 GNU/Linux\n');
    assert.ok(run(folder).lines.some(line => line.includes('the model has no kernel') && line.includes('4.19.316')));
  });
});
