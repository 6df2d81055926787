import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

/** Runs the program as a user does. */
function series(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['dist/cli.js', 'series', ...args], { encoding: 'utf8' });
}

describe('irqstep series', function () {
  this.timeout(30_000);

  it('lists the 46 patches in their order, each in its group of the cover letter', () => {
    const { status, stdout } = series();
    assert.equal(status, 0);
    const numbers = [...stdout.matchAll(/^ {2,3}(\d+) {2}\S/gm)].map(([, number]) => Number(number));
    assert.deepEqual(numbers, Array.from({ length: 46 }, (_, i) => i + 1));
    const section = stdout.split('\n\n').find(text => text.startsWith('5. '))!;
    assert.deepEqual([section.includes('iommm/vt-d: Store irq domain in struct device'), section.includes('DEV_MSI')], [true, false]);
  });

  it('says of the last eight, and of what was posted in their place, that they were not merged', () => {
    const unmerged = series().stdout.split('\n').filter(line => line.endsWith('not merged)'));
    const numbers = unmerged.flatMap(line => /^ +(\d+) /.exec(line)?.slice(1).map(Number) ?? []);
    assert.deepEqual(numbers, [39, 40, 41, 42, 43, 44, 45, 46]);
    assert.deepEqual(unmerged.flatMap(line => /\((repost-[\w-]+)/.exec(line)?.slice(1) ?? []), ['repost-mask-bit', 'repost-ims', 'repost-vtd-dev-msi', 'repost-auxdata', 'repost-no-guests']);
  });

  it('tells all about one, by number or id', () => {
    const { stdout } = series('19');
    assert.match(stdout, /^x86\/msi: Use generic MSI domain ops\n {2}id +v2-19\n/);
    assert.match(stdout, /needs +v2-13, v2-15, v2-18\n/);
    assert.match(stdout, /example +examples\/series\/19-generic-ops.irq.yaml\n/);
    assert.match(stdout, /compare examples\/series\/19-generic-ops.irq.yaml --kernels series:18,series:19\n/);
    assert.equal(series('v2-19').stdout, stdout);
    assert.match(series('dmar-hpet-msi-flags').stdout, /commit +d27e623ace6a\n/);
  });

  it('--json has what a change needs, and who needs it', () => {
    const { id, patch, neededBy, kernels } = JSON.parse(series('v2-22', '--json').stdout) as { id: string; patch: number; neededBy: string[]; kernels: string[] };
    assert.deepEqual([id, patch], ['v2-22', 22]);
    assert.ok(neededBy.includes('v2-33'));
    assert.ok(!kernels.includes('v5.9') && kernels.includes('v5.10'));
  });

  it('says which patches there are, with exit status 2', () => {
    for (const [word, message] of [['47', /there is no patch 47; expected 1 to 46/], ['v2-4x', /there is no change v2-4x; did you mean/]] as const) {
      const { status, stderr } = series(word);
      assert.equal(status, 2);
      assert.match(stderr, message);
    }
  });
});
