import assert from 'node:assert/strict';
import { join } from 'node:path';
import { laterKernelOf } from '../../src/capture/later-changes';
import { unexplained, verify, type Verdict } from '../../src/capture/verify';

const DATA = 'test/captures';

function run(folder: string): { verdict: Verdict; lines: string[] } {
  const lines: string[] = [];
  const verdict = verify(folder, line => lines.push(line));
  return { verdict, lines };
}

describe('captures of kernels behind the last one of the model', () => {
  describe('6.1', () => {
    const name = '6.1.0-56-b-4cpu-noiommu';
    let verdict: Verdict;
    let lines: string[];
    before(function () {
      this.timeout(120_000);
      ({ verdict, lines } = run(join(DATA, name)));
    });
    const explanation = (id: string) => verdict.explanations.find(other => other.id === id)!;

    it('has no event, no line of state, no call and no line of the log that no change explains', () => {
      assert.deepEqual(verdict.differences, [], lines.join('\n'));
      assert.deepEqual([verdict.events.total, verdict.log.total, verdict.resumed, verdict.unread], [1343, 163, 0, 0]);
      assert.equal(unexplained(verdict), 0);
      assert.ok(lines.includes(`${name}: unexplained 0`));
    });

    it('is another kernel than those of the model', () => assert.equal(verdict.ok, false));

    it('activates each MSI right after its allocation: in another order, events come elsewhere', () => {
      assert.ok(explanation('msi-activate-each').events > 0);
    });

    it('cannot bind a driver to a device that something without a driver has set MSI up for', () => {
      const { events, calls } = explanation('msi-device-data');
      assert.deepEqual([events, calls > 0], [0, true]);
    });

    it('has no change in its table that explains nothing', () => {
      const idle = verdict.explanations.filter(({ events, state, calls, log }) => events <= 0 && state <= 0 && calls <= 0 && log <= 0);
      assert.deepEqual(idle.map(({ id }) => id), []);
    });
  });

  it('a kernel without a table is not taken for a later one', () => {
    assert.equal(laterKernelOf(['v5.10.223']), undefined);
    assert.equal(laterKernelOf(['v6.10.1']), undefined);
    assert.notEqual(laterKernelOf(['v6.1.192']), undefined);
  });
});
