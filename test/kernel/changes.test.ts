import assert from 'node:assert/strict';
import { changeOf, CHANGES, type ChangeId, firstPatches, GROUPS, KERNELS, SERIES } from '../../src/kernel/changes';
import { type KernelChoice, kernelOf, kernelText, parseKernel } from '../../src/kernel/kernel_choice';

const ids = Object.keys(CHANGES) as ChangeId[];
const changesOf = (choice: KernelChoice): ReadonlySet<ChangeId> => {
  const found = kernelOf(choice);
  assert.ok(found.ok, found.ok ? '' : JSON.stringify(found.problems));
  return found.changes;
};
const problemsOf = (choice: KernelChoice): string[] => {
  const found = kernelOf(choice);
  return found.ok ? [] : found.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

describe('the changes of the kernel', () => {
  it('are the 46 patches of the series, in their order, and others', () => {
    const numbers = Array.from({ length: 46 }, (_, i) => `v2-${String(i + 1).padStart(2, '0')}`);
    assert.deepEqual(Object.keys(SERIES), numbers);
    assert.deepEqual(Object.keys(SERIES).map(id => changeOf(id as ChangeId).release === 'v5.10'), numbers.map((_, i) => i < 38));
    const groups = Object.keys(SERIES).map(id => changeOf(id as ChangeId).group!);
    assert.deepEqual(groups, [...groups].sort((a, b) => a - b));
    assert.deepEqual([...new Set(groups)].map(String), Object.keys(GROUPS));
  });

  it('need only changes that are there, and of the series only earlier ones', () => {
    for (const id of ids) {
      for (const need of changeOf(id).needs ?? []) {
        assert.ok(ids.includes(need as ChangeId), `${id} needs ${need}`);
        if (id in SERIES) assert.ok(need in SERIES && need < id, `${id} needs ${need}`);
      }
    }
  });

  it('have commits of twelve digits, each once', () => {
    const commits = ids.flatMap(id => changeOf(id).commit ?? []);
    assert.deepEqual(commits.filter(commit => !/^[0-9a-f]{12}$/.test(commit)), []);
    assert.equal(new Set(commits).size, commits.length);
  });
});

describe('a choice of kernel', () => {
  it('can be any number of patches, and none is v5.9', () => {
    for (let series = 0; series <= 46; series++) assert.deepEqual([...changesOf({ series })], [...firstPatches(series)]);
    assert.deepEqual(changesOf({ series: 0 }), changesOf({ base: 'v5.9' }));
    for (const base of Object.keys(KERNELS)) assert.deepEqual([...changesOf({ base })], [...KERNELS[base]]);
  });

  it('takes one change away, or adds one', () => {
    assert.equal(changesOf({ base: 'v5.10', without: ['v2-04'] }).size, KERNELS['v5.10'].length - 1);
    assert.deepEqual(changesOf({ series: 19, with: ['dmar-hpet-msi-flags'] }), new Set([...firstPatches(19), 'dmar-hpet-msi-flags']));
  });

  it('says which change needs which', () => {
    assert.deepEqual(problemsOf({ base: 'v5.10', without: ['v2-18'] }), ['without.0: v2-19 needs v2-18: take v2-19 away too']);
    assert.deepEqual(problemsOf({ base: 'v5.10', without: ['v2-19', 'v2-18'] }), []);
    assert.deepEqual(problemsOf({ base: 'v5.9', with: ['v2-19'] }).at(-1), 'with.0: v2-19 needs v2-18, which is not there');
  });

  it('says what it does not know, and what cannot be', () => {
    assert.deepEqual(problemsOf({ base: 'v5.8' }), ['base: unknown kernel v5.8']);
    assert.deepEqual(problemsOf({ series: 47 }), ['series: the series has 46 patches, found 47; expected 0 to 46']);
    assert.deepEqual(problemsOf({ base: 'v5.10', series: 3 }), ['series: the series starts from v5.9; expected either base or series']);
    assert.deepEqual(problemsOf({ base: 'v5.10', without: ['v2-99', 'v2-39'] }), ['without.0: there is no change v2-99']);
    assert.deepEqual(problemsOf({ base: 'v5.10', without: ['v2-39'] }), ['without.0: v2-39 is not there to be taken away']);
    assert.match(problemsOf({ base: 'v5.10', without: ['v2-02'] })[0], /^without.0: v2-02 cannot be taken away/);
  });

  it('is written in one word, which names nothing twice', () => {
    const choices: KernelChoice[] = [
      { base: 'v5.10+device-msi', with: [], without: [] },
      { base: 'v5.10', with: ['multi-msi-early-activation'], without: ['v2-04', 'v2-05'] },
      { series: 19, with: ['dmar-hpet-msi-flags'], without: [] },
    ];
    for (const choice of choices) assert.deepEqual(parseKernel(kernelText(choice)), choice);
    assert.equal(kernelText(choices[1]), 'v5.10+multi-msi-early-activation-v2-04-v2-05');
    assert.deepEqual(problemsOf(parseKernel('v5.10-v3')), ['without.0: there is no change v3']);
    assert.deepEqual(problemsOf(parseKernel('v6.1')), ['base: unknown kernel v6.1']);
  });
});
