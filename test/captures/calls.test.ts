import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readCapture } from '../../src/capture/capture';
import type { Called } from '../../src/capture/model-and-capture/call-recorder';
import { capturedStreams, compareCalls } from '../../src/capture/model-and-capture/compare-calls';
import { EXCEPTIONS } from '../../src/capture/model-and-capture/counted-functions';
import { parseGraph } from '../../src/capture/reading/graph';
import { unknownFunctions } from '../../src/capture/model-and-capture/uncounted-functions';
import { verify, type Verdict } from '../../src/capture/verify';

const DATA = 'test/captures';
const textOf = (path: string): string => gunzipSync(readFileSync(path)).toString();

describe('the calls of the steps under the function graph tracer', () => {
  const figures = {
    '5.10.0-32-n-4cpu-1nvme-min': 1426,
    '5.10.0-32-n-4cpu-1nvme-min-intelir': 1581,
    '5.10.0-32-b-4cpu-noiommu': 2558,
    '5.10.0-32-c-4cpu-intelir': 2838,
    '5.10.0-32-e-4cpu-amdir': 3175,
    // Here the interrupt that frees a moved vector hits the task that moved it: of such an interrupt no call shows.
    '5.10.0-32-t2-5cpu-intelir': 1880,
  };
  for (const [name, calls] of Object.entries(figures)) {
    it(`are all the same in ${name}`, () => {
      const lines: string[] = [];
      const verdict = verify(join(DATA, name), line => lines.push(line));
      assert.deepEqual(verdict.calls, { matched: calls, total: calls });
      assert.deepEqual(verdict.differences.filter(({ where }) => where.startsWith('graph-tree')), []);
      assert.ok(lines.some(line => line.startsWith(`calls: ${Object.keys(EXCEPTIONS).length} functions are left out (`)));
    });
  }
});

describe('a call tree that differs', () => {
  const NAME = '5.10.0-32-n-4cpu-1nvme-min';
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'irqstep-'));
    cpSync(join(DATA, NAME), folder, { recursive: true });
  });
  after(() => rmSync(folder, { recursive: true }));

  const whole = textOf(join(DATA, NAME, 'graph-tree.txt.gz')).split('\n');
  /** 1-based number of the first line with this function behind the first one with `behind`. */
  const lineOf = (name: string, behind: string): number => whole.findIndex((line, i) => i > whole.findIndex(other => other.trim() === behind) && line.trim() === name) + 1;

  function verified(change: (lines: string[]) => void): { verdict: Verdict; lines: string[] } {
    const changed = [...whole];
    change(changed);
    writeFileSync(join(folder, 'graph-tree.txt.gz'), gzipSync(changed.join('\n')));
    const lines: string[] = [];
    return { verdict: verify(folder, line => lines.push(line)), lines };
  }

  function assertFound(line: number, sides: readonly [captured: string | undefined, model: string | undefined], change: (lines: string[]) => void): void {
    const { verdict } = verified(change);
    const [found] = verdict.differences.filter(({ where }) => where.startsWith('graph-tree'));
    assert.deepEqual([found.where, found.captured?.trim(), found.model?.trim()], [`graph-tree.txt:${line}`, ...sides]);
    assert.equal(verdict.ok, false);
    assert.ok(verdict.calls.matched < verdict.calls.total);
  }

  it('lacks a call that the model makes', () => {
    const line = lineOf('irq_pm_install_action', 'check_irq_resend');
    assertFound(line, ['register_irq_proc', 'irq_pm_install_action'], lines => lines.splice(line - 1, 1));
  });

  it('lacks the last call of a tree', () => {
    const line = lineOf('register_handler_proc', 'check_irq_resend');
    assertFound(lineOf('register_irq_proc', 'check_irq_resend'), [undefined, 'register_handler_proc'], lines => lines.splice(line - 1, 1));
  });

  it('has a call that the model does not make', () => {
    const line = lineOf('irq_pm_install_action', 'check_irq_resend');
    assertFound(line, ['irq_chip_pm_put', 'irq_pm_install_action'], lines => lines.splice(line - 1, 0, whole[line - 1].replace(/\w+$/, 'irq_chip_pm_put')));
  });

  it('has a call of a function that the kernel never makes here, and the model neither', () => {
    const line = lineOf('irq_enable', 'check_irq_resend');
    assertFound(line, ['irq_disable', 'irq_enable'], lines => (lines[line - 1] = lines[line - 1].replace('irq_enable', 'irq_disable')));
  });

  it('has two calls in the other order', () => {
    const line = lineOf('irq_pm_install_action', 'check_irq_resend');
    const other = lineOf('register_irq_proc', 'check_irq_resend');
    assertFound(line, ['register_irq_proc', 'irq_pm_install_action'], lines => {
      [lines[line - 1], lines[other - 1]] = [lines[other - 1], lines[line - 1]];
    });
  });

  it('has a call one deeper', () => {
    const line = lineOf('irq_pm_install_action', 'check_irq_resend');
    assertFound(line, ['irq_pm_install_action', 'irq_pm_install_action'], lines => (lines[line - 1] = `  ${lines[line - 1]}`));
  });

  it('has a call below another caller', () => {
    const line = lineOf('__irq_startup', 'irq_setup_affinity');
    assertFound(line, ['__irq_startup', '__irq_startup'], lines => (lines[line - 1] = lines[line - 1].slice(2)));
  });

  it('names a function that nobody knows, and has a line that is none: both are counted as unread', () => {
    const line = lineOf('module_put', 'free_irq');
    const { verdict, lines } = verified(text => text.splice(line - 1, 0, '    irq_brand_new', 'noise'));
    assert.equal(verdict.unread, 2);
    assert.ok(lines.some(text => text.endsWith(`graph-tree.txt:${line} is not understood: the function irq_brand_new`)));
    assert.equal(verdict.ok, false);
  });

  it('has lost its beginning when its task went to another CPU: the rest is compared, and it is said how much is not', () => {
    const line = lineOf('irq_pm_install_action', 'check_irq_resend');
    const begin = whole.slice(0, line).map(text => text.startsWith('[cpu')).lastIndexOf(true);
    const { verdict, lines } = verified(text => text.splice(begin + 1, line - begin - 2));
    assert.deepEqual(verdict.differences.filter(({ where }) => where.startsWith('graph-tree')), []);
    assert.ok(lines.some(text => /^calls: \d+ calls of the model are not checked/.test(text)), lines.at(-1));
  });
});

describe('calls of the model', () => {
  const [captured] = capturedStreams(parseGraph('[cpu 0 a-1]\n  free_irq\n    irq_shutdown\n    irq_domain_alloc_descs.part.0\n      __irq_alloc_descs\n').value.trees);
  const call = (name: string, depth: number, isSplit = false): Called => ({ name, depth, isSplit });
  const same = [call('free_irq', 0), call('irq_shutdown', 1), call('irq_domain_alloc_descs', 1, true), call('__irq_alloc_descs', 2)];

  it('are the same, with a split function that shows', () => {
    assert.deepEqual(compareCalls(captured, [same]), { matched: 4, total: 4, lost: 0, difference: undefined });
  });

  it('are the same where the caller does what a split function does first', () => {
    const [inlined] = capturedStreams(parseGraph('[cpu 0 a-1]\n  free_irq\n    irq_shutdown\n    __irq_alloc_descs\n').value.trees);
    assert.equal(compareCalls(inlined, [same]).difference, undefined);
    assert.notEqual(compareCalls(inlined, [same.map(({ name, depth }) => call(name, depth))]).difference, undefined);
  });

  it('are one too many: it counts, and so does a whole tree, and a task that the capture does not show (but for a split function)', () => {
    const extra = compareCalls(captured, [[...same, call('irq_chip_pm_put', 1)]]);
    assert.deepEqual([extra.matched, extra.total, extra.difference?.model], [4, 5, '  irq_chip_pm_put']);
    assert.equal(compareCalls(captured, [same, [call('irq_startup', 0)]]).total, 5);
    assert.deepEqual([compareCalls(undefined, [same]).matched, compareCalls(undefined, [same]).total], [0, 3]);
  });
});

describe('reading the call trees of other kernels', () => {
  for (const name of ['5.9.2-oracle-b-4cpu-noiommu', '5.9.2-oracle-c-4cpu-intelir', '6.1.0-56-b-4cpu-noiommu', '6.12.95-b-4cpu-noiommu']) {
    it(`understands every line of ${name}`, () => {
      const text = textOf(join(DATA, 'trees', `${name}.txt.gz`));
      const { value, unread } = parseGraph(text);
      assert.deepEqual(unread, []);
      const functions = text.split('\n').filter(line => /^ +[\w.]+( \[\w+\])?$/.test(line));
      assert.equal(value.trees.reduce((sum, { calls }) => sum + calls.length, 0), functions.length);
      assert.ok(functions.length > 1500);
    });
  }

  it('knows every function that v5.9 names', () => {
    for (const name of ['5.9.2-oracle-b-4cpu-noiommu', '5.9.2-oracle-c-4cpu-intelir']) {
      assert.deepEqual(unknownFunctions(parseGraph(textOf(join(DATA, 'trees', `${name}.txt.gz`))).value.trees), []);
    }
  });

  it('knows every function that v5.10 names', () => {
    for (const name of ['5.10.0-32-b-4cpu-noiommu', '5.10.0-32-c-4cpu-intelir', '5.10.0-32-e-4cpu-amdir']) {
      assert.deepEqual(readCapture(join(DATA, name)).unread.filter(({ file }) => file === 'graph-tree.txt'), []);
    }
  });
});
