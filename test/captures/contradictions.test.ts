import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readCapture } from '../../src/capture/capture';
import { planOf } from '../../src/capture/replay/plan';
import { verify } from '../../src/capture/verify';

const DATA = 'test/captures';
const NAME = '5.10.0-32-n-4cpu-1nvme-min';

describe('what a capture says in two places', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'irqstep-'));
    cpSync(join(DATA, NAME), folder, { recursive: true });
    rmSync(join(folder, 'graph-tree.txt.gz'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const path = (file: string): string => join(folder, readdirSync(folder).find(name => name === file || name === `${file}.gz`)!);
  const read = (file: string): string => (path(file).endsWith('.gz') ? gunzipSync(readFileSync(path(file))).toString() : readFileSync(path(file), 'utf8'));

  function edit(file: string, change: (text: string) => string): void {
    const text = change(read(file));
    writeFileSync(path(file), path(file).endsWith('.gz') ? gzipSync(text) : text);
  }

  /** 1-based number of the first line that has a text; its beginning counts as a blank. */
  const lineOf = (file: string, text: string, from = 0): number => read(file).split('\n').findIndex((line, i) => i >= from && ` ${line}`.includes(text)) + 1;
  const problems = (): readonly string[] => readCapture(folder).problems;

  it('is the same in every capture here', () => {
    for (const name of readdirSync(DATA).filter(name => name.startsWith('5.10'))) assert.deepEqual(readCapture(join(DATA, name)).problems, [], name);
  });

  it('is not where an event is of a CPU that the machine has not', () => {
    edit('trace-vectors.txt', text => text.replace(/\[003\](.*irq_matrix_online)/, '[006]$1'));
    assert.deepEqual(problems(), [
      `trace-vectors.txt:${lineOf('trace-vectors.txt', '[006]')} is of CPU 6, but cpuinfo.txt:${read('cpuinfo.txt').split('\n').map(line => line.startsWith('processor')).lastIndexOf(true) + 1} is the last of 4 CPUs, 3 the highest, and no command brought another one up`,
    ]);
  });

  it('may be of a CPU that a command brought up', () => {
    edit('cpuinfo.txt', text => text.slice(0, text.search(/^processor\s*: 3$/m)));
    edit('trace-vectors.txt', text => text.slice(0, text.indexOf('STEP load-e1000e')).replaceAll('[003]', '[002]').replaceAll('cpu=3', 'cpu=2') + text.slice(text.indexOf('STEP load-e1000e')));
    const before = problems().find(problem => problem.includes('is of CPU 3'));
    assert.match(before ?? '', /^trace-vectors\.txt:\d+ is of CPU 3, but cpuinfo\.txt:\d+ is the last of 3 CPUs/);
    edit('trace-vectors.txt', text => text.replace(/^.*STEP load-e1000e.*\n/m, '$&            init-1       [000] ....     5.000000: tracing_mark_write: ORACLE: TRY echo 1 > /sys/devices/system/cpu/cpu3/online -> rc=0 \n'));
    assert.equal(problems().some(problem => problem.includes('is of CPU 3')), false);
  });

  it('is not where the sums of a matrix are not those of its maps', () => {
    edit('irqlens.txt', text => text.replace(/global_available (\d+)/, (_, n) => `global_available ${Number(n) + 1}`).replace(/( {2}cpu 3 online 1 available \d+) allocated \d+/, '$1 allocated 77'));
    const [total, map] = problems();
    const [matrix, cpu3] = [lineOf('irqlens.txt', 'matrix bits'), lineOf('irqlens.txt', '  cpu 3 ')];
    assert.match(total, new RegExp(`^irqlens\\.txt:${matrix} says that \\d+ vectors are available, but the online maps have \\d+, the last of which is irqlens\\.txt:${cpu3}$`));
    assert.match(map, new RegExp(`^irqlens\\.txt:${cpu3} says that 77 vectors are allocated, but its alloc_map has \\d+$`));
  });

  it('is not where one file has a CPU online and another one has it not', () => {
    edit('proc-interrupts.txt', text => text.replace(/^( +CPU0 +CPU1 +CPU2 +)CPU3/m, '$1CPU5'));
    assert.equal(problems()[0], `proc-interrupts.txt:2 has a column of CPU 5, but its map is not online (irqlens.txt:${lineOf('irqlens.txt', '##### SNAPSHOT') + 1})`);
  });

  it('is there once', () => {
    edit('irqlens.txt', text => text.replace(/^irq 1\n/m, 'irq 0\n'));
    edit('proc-interrupts.txt', text => text.replace(/^( +)1:/m, '$10:'));
    edit('sys-kernel-irq.txt', text => text.replace(/^1\|/m, '0|'));
    const place = (file: string, text: string): string => {
      const first = lineOf(file, text);
      return `${file}:${lineOf(file, text, first)} tells of ${text.replace(/[:|]/, '').trim()} again, which is at ${file}:${first} already`;
    };
    assert.deepEqual(problems(), [place('irqlens.txt', ' irq 0'), place('proc-interrupts.txt', ' 0:'), place('sys-kernel-irq.txt', '0|')]);
  });

  it('may have the line ends of another system', () => {
    const before = readCapture(folder);
    for (const file of readdirSync(folder)) edit(file.replace(/\.gz$/, ''), text => text.replaceAll('\n', '\r\n'));
    const { script, snapshots, machine, problems, unread } = readCapture(folder);
    assert.deepEqual([problems, unread.length], [[], before.unread.length]);
    assert.deepEqual([script.events.length, snapshots.map(({ irqs }) => irqs.length), machine], [before.script.events.length, before.snapshots.map(({ irqs }) => irqs.length), before.machine]);
  });

  it('names drivers that are not modelled', () => {
    edit('pci.txt', text => text.replaceAll('driver=nvme', 'driver=i40e'));
    assert.match(problems()[0], /^pci\.txt:\d+: 0000:00:04\.0 has the driver i40e, which is not modelled/);
  });

  it('may be of a step that is not known: its commands are performed, and what else it did is said to be missing', () => {
    edit('trace-vectors.txt', text => text.replace('STEP unload-nvme', 'STEP drop-nvme'));
    const { items, problems } = planOf(readCapture(folder));
    assert.deepEqual(items.filter(({ step }) => step === 'drop-nvme').map(({ kind, text }) => `${kind} ${text}`), ['command rmmod nvme', 'snapshot unload-nvme']);
    assert.match(problems[0], /^trace-vectors\.txt:\d+ begins a step drop-nvme that is not known: only the 1 commands that left marks are performed/);
  });

  it('may be a command that is not known: where it stands', () => {
    edit('trace-vectors.txt', text => text.replace('TRY rmmod nvme ', 'TRY setpci -s 4 4.w=0 '));
    const lines: string[] = [];
    const verdict = verify(folder, line => lines.push(line));
    assert.equal(verdict.unread, 1);
    assert.ok(lines.some(line => /trace-vectors\.txt:\d+ is not understood: setpci/.test(line)), lines.join('\n'));
  });
});
