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

describe('verifying a capture', () => {
  const captures = {
    '5.10.0-32-n-4cpu-1nvme-min': { events: 276, resumed: 1 },
    '5.10.0-32-n-4cpu-1nvme-min-intelir': { events: 276, resumed: 1 },
    '5.10.0-32-b-4cpu-noiommu': { events: 307, resumed: 2 },
    '5.10.0-32-c-4cpu-intelir': { events: 321, resumed: 2 },
  };

  for (const [name, expected] of Object.entries(captures)) {
    it(`finds every event and every state of ${name} the same`, () => {
      const { verdict, lines } = run(join(DATA, name));
      const { events, state } = verdict;
      assert.equal(verdict.difference, undefined, lines.join('\n'));
      assert.deepEqual([events.matched, events.total, verdict.resumed, verdict.unread], [expected.events, expected.events, expected.resumed, 0]);
      assert.equal(state.matched, state.total);
      assert.ok(verdict.ok);
      assert.equal(lines.at(-1), `${name}: events ${events.matched}/${events.total}, state ${state.matched}/${state.total}, inputs ${verdict.inputs.length}, resumed ${verdict.resumed}, unread 0`);
    });
  }
});

describe('a capture that differs', () => {
  const NAME = '5.10.0-32-n-4cpu-1nvme-min';
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'irqstep-'));
    cpSync(join(DATA, NAME), folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function edit(file: string, change: (text: string) => string): void {
    const path = join(folder, `${file}.gz`);
    writeFileSync(path, gzipSync(change(gunzipSync(readFileSync(path)).toString())));
  }

  it('is shown with both sides and the stack of the model', () => {
    edit('trace-vectors.txt', text => text.replace('vector_alloc: irq=24 vector=33 reserved=1', 'vector_alloc: irq=24 vector=39 reserved=1'));
    // the first of these is in an earlier step; the one in the range is changed too
    edit('trace-vectors.txt', text => {
      const at = text.indexOf('STEP lens-msix ');
      return text.slice(0, at) + text.slice(at).replace('vector_alloc: irq=24 vector=33', 'vector_alloc: irq=24 vector=39');
    });
    const { verdict } = run(folder);
    assert.equal(verdict.ok, false);
    assert.match(verdict.difference!.captured!, /\[003\] \. vector_alloc: irq=24 vector=39 reserved=1 ret=0/);
    assert.match(verdict.difference!.model!, /\[003\] \. vector_alloc: irq=24 vector=33 reserved=1 ret=0/);
    const functions = verdict.difference!.stack.map(frame => frame.split(' ')[0]);
    assert.deepEqual(functions.slice(0, 4), ['assign_vector_locked', 'assign_irq_vector_any_locked', 'activate_reserved', 'x86_vector_activate']);
    assert.ok(functions.includes('request_threaded_irq'));
  });

  it('lacks an event that the model makes: that is a difference too', () => {
    edit('trace-vectors.txt', text => {
      const at = text.indexOf('STEP lens-msix ');
      return text.slice(0, at) + text.slice(at).replace(/^.*vector_clear: irq=25 .*\n/m, '');
    });
    const { verdict } = run(folder);
    assert.equal(verdict.ok, false);
    assert.ok(verdict.events.matched < verdict.events.total);
    assert.match(verdict.difference!.model!, /vector_clear: irq=25/);
  });

  it('has another result of a command, or another state', () => {
    edit('trace-vectors.txt', text => text.replace('RES 4 : req 0000:00:04.0 0 3', 'RES -28 (after 3 ok) : req 0000:00:04.0 0 3'));
    assert.match(run(folder).verdict.difference!.where, /result of req/);
    edit('trace-vectors.txt', text => text.replace('RES -28 (after 3 ok) :', 'RES 4 :'));
    edit('irqlens.txt', text => {
      const at = text.indexOf('SNAPSHOT msix4-req');
      return text.slice(0, at) + text.slice(at).replace('addr_lo 0xfee02', 'addr_lo 0xfee03');
    });
    assert.match(run(folder).verdict.difference!.where, /irqlens\.txt, snapshot msix4-req, irq \d+/);
  });

  it('has an interrupt that the script did not raise: it is an input, by its number only', () => {
    rmSync(folder, { recursive: true });
    cpSync(join(DATA, '5.10.0-32-b-4cpu-noiommu'), folder, { recursive: true });
    // The command that fired before vector_free_moved becomes one that fires nothing.
    edit('trace-vectors.txt', text => {
      const at = text.lastIndexOf('CMD fire', text.indexOf('vector_free_moved: irq=25', text.indexOf('STEP lens-edu')));
      return text.slice(0, at) + text.slice(at).replace('CMD fire', 'CMD nvec').replace('RES 0 : fire', 'RES 1 : nvec');
    });
    const { verdict, lines } = run(folder);
    assert.equal(verdict.difference, undefined, lines.join('\n'));
    assert.deepEqual(verdict.inputs.filter(input => input.includes('by itself')), ['irq 25 came by itself (line 1254)']);
  });

  // What a CPU did in the interrupt that moves the irq, or that frees the vector it had there, comes behind the end of the command.
  for (const [name, raised] of [['5.10.0-32-b-4cpu-noiommu', 'RES 0 : fire'], ['5.10.0-32-c-4cpu-intelir', 'TRY echo']]) {
    it(`has a CPU that took an interrupt only when the script had gone on, behind "${raised}": when is an input`, () => {
      rmSync(folder, { recursive: true });
      cpSync(join(DATA, name), folder, { recursive: true });
      edit('trace-vectors.txt', text => {
        const at = text.indexOf('STEP lens-edu');
        return text.slice(0, at) + text.slice(at).replace(new RegExp(`((?:.* d\\S[hH]\\S .*\\n)+)(.*${raised}.*\\n)`), '$2$1');
      });
      const { verdict, lines } = run(folder);
      assert.ok(verdict.ok, lines.join('\n'));
      assert.equal(verdict.inputs.filter(input => /^CPU \d took its interrupt later \(line \d+\)$/.test(input)).length, 1);
    });
  }

  it('was cut off: what is left is checked, and it is said what is missing', () => {
    edit('trace-vectors.txt', text => text.slice(0, text.indexOf('STEP lens-msix-managed-more') + 2000));
    rmSync(join(folder, 'proc-interrupts.txt.gz'));
    const { verdict, lines } = run(folder);
    assert.equal(verdict.ok, false);
    assert.equal(verdict.difference, undefined, lines.join('\n'));
    assert.ok(lines.some(line => line.includes('proc-interrupts.txt is missing: the rows of /proc/interrupts are not checked')));
    assert.ok(lines.some(line => line.includes('trace-vectors.txt ends in step lens-msix-managed-more')));
    assert.equal(verdict.events.matched, verdict.events.total);
  });

  it('was made by a build of the module that prints no mode of an entry: that is no difference', () => {
    rmSync(folder, { recursive: true });
    cpSync(join(DATA, '5.10.0-32-n-4cpu-1nvme-min-intelir'), folder, { recursive: true });
    edit('irqlens.txt', text => text.replaceAll(/(irte_mask \d+) mode \d+/g, '$1'));
    const { verdict, lines } = run(folder);
    assert.ok(verdict.ok, lines.join('\n'));
  });

  it('lacks sys-kernel-irq.txt: events and irqlens.txt are still checked', () => {
    rmSync(folder, { recursive: true });
    cpSync(join(DATA, '5.10.0-32-c-4cpu-intelir'), folder, { recursive: true });
    rmSync(join(folder, 'sys-kernel-irq.txt.gz'));
    const { verdict, lines } = run(folder);
    assert.match(lines[0], /sys-kernel-irq\.txt is missing: .* neither they nor \/proc\/interrupts are checked/);
    assert.equal(verdict.difference, undefined, lines.join('\n'));
    assert.deepEqual([verdict.events.matched, verdict.events.total, verdict.ok], [321, 321, false]);
  });

  it('was cut between two snapshots: the rows that are missing are no success', () => {
    edit('proc-interrupts.txt', text => text.slice(0, text.indexOf('##### SNAPSHOT msixmgd-alloc')));
    const { verdict, lines } = run(folder);
    assert.equal(verdict.ok, false);
    assert.match(lines[0], /proc-interrupts\.txt lacks 6 of 13 snapshots from msixmgd-alloc on/);
  });

  it('has nothing of the range: zero of zero is no success', () => {
    rmSync(join(folder, 'trace-vectors.txt.gz'));
    const { verdict, lines } = run(folder);
    assert.equal(verdict.ok, false);
    assert.match(lines.at(-1)!, /events 0\/0, state 0\/0, inputs 0, resumed 0, unread 0$/);
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
