import { changeOf, CHANGES, type ChangeId, firstPatches, KERNELS, SERIES } from './changes';

// Which kernel is modelled: a release, or a point in the series, with changes added and taken away.

/** Patches that there are. */
export const SERIES_LENGTH = Object.keys(SERIES).length;

/** Has either `base` or `series`. */
export interface KernelChoice {
  /** a key of KERNELS */
  readonly base?: string;
  /** so many patches on top of v5.9 */
  readonly series?: number;
  /** changes on top of that */
  readonly with?: readonly string[];
  /** changes taken away from it */
  readonly without?: readonly string[];
}

/** Why a choice cannot be had. */
export interface KernelProblem {
  /** keys and indices that lead to what is wrong */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** a word that is not known, and those that are */
  readonly unknown?: { readonly word: string; readonly known: readonly string[] };
}

export type KernelOf = { readonly ok: true; readonly changes: ReadonlySet<ChangeId> } | { readonly ok: false; readonly problems: readonly KernelProblem[] };

const isChange = (id: string): id is ChangeId => Object.hasOwn(CHANGES, id);

/** The changes that a choice stands for, or all that is wrong with it. */
export function kernelOf(choice: KernelChoice): KernelOf {
  const wrong = [...startProblems(choice), ...unknownChanges(choice)];
  if (wrong.length > 0) return { ok: false, problems: wrong };

  const before = baseOf(choice);
  const removed = (choice.without ?? []) as ChangeId[];
  const added = (choice.with ?? []) as ChangeId[];
  const changes = new Set([...before, ...added].filter(id => !removed.includes(id)));
  const problems = [
    ...removed.flatMap((id, i) => problem(['without', i], notRemovable(id, before))),
    ...added.flatMap((id, i) => problem(['with', i], before.includes(id) ? `${id} is in ${nameOf(choice)} already` : undefined)),
    ...missingNeeds(changes, removed, added),
  ];
  return problems.length > 0 ? { ok: false, problems } : { ok: true, changes };
}

const baseOf = ({ base, series }: KernelChoice): readonly ChangeId[] => (series === undefined ? KERNELS[base!] : firstPatches(series));

const nameOf = ({ base, series }: KernelChoice): string => (series === undefined ? base! : `series:${series}`);

const problem = (path: KernelProblem['path'], message: string | undefined): KernelProblem[] => (message === undefined ? [] : [{ path, message }]);

function startProblems({ base, series }: KernelChoice): KernelProblem[] {
  const known = Object.keys(KERNELS);
  if (base === undefined && series === undefined) return problem([], 'which kernel? expected either base or series');
  if (base !== undefined && series !== undefined) return problem(['series'], 'the series starts from v5.9; expected either base or series');
  if (base !== undefined && !known.includes(base)) return [{ path: ['base'], message: `unknown kernel ${base}`, unknown: { word: base, known } }];
  if (series === undefined || (series >= 0 && series <= SERIES_LENGTH)) return [];
  return problem(['series'], `the series has ${SERIES_LENGTH} patches, found ${series}; expected 0 to ${SERIES_LENGTH}`);
}

function unknownChanges({ with: added = [], without: removed = [] }: KernelChoice): KernelProblem[] {
  const known = Object.keys(CHANGES);
  const strange = (key: 'with' | 'without', ids: readonly string[]): KernelProblem[] =>
    ids.flatMap((word, i) => (isChange(word) ? [] : [{ path: [key, i], message: `there is no change ${word}`, unknown: { word, known } }]));
  return [...strange('with', added), ...strange('without', removed)];
}

function notRemovable(id: ChangeId, before: readonly ChangeId[]): string | undefined {
  if (!before.includes(id)) return `${id} is not there to be taken away`;
  if (!changeOf(id).removable) return `${id} cannot be taken away: nothing of it shows in the model (${changeOf(id).effect})`;
  return undefined;
}

/** Each change that is there needs others to be there. */
function missingNeeds(changes: ReadonlySet<ChangeId>, removed: readonly ChangeId[], added: readonly ChangeId[]): KernelProblem[] {
  return [...changes].flatMap(id =>
    ((changeOf(id).needs ?? []) as ChangeId[])
      .filter(need => !changes.has(need))
      .flatMap(need => {
        const taken = removed.indexOf(need);
        if (taken >= 0) return problem(['without', taken], `${id} needs ${need}: take ${id} away too`);
        return problem(['with', added.indexOf(id)], `${id} needs ${need}, which is not there`);
      }),
  );
}

/** `v5.9`, `series:19`, `v5.10-v2-04`, `series:19+dmar-hpet-msi-flags`: a base, then changes to add and to take away. */
export function parseKernel(text: string): KernelChoice {
  const base = Object.keys(KERNELS).filter(name => text === name || (text.startsWith(name) && /^[+-]/.test(text.slice(name.length)))).sort((a, b) => b.length - a.length).at(0);
  const series = /^series:(\d+)(?=$|[+-])/.exec(text);
  if (base === undefined && !series) return { base: text };

  const lists = { with: [] as string[], without: [] as string[] };
  for (let rest = text.slice((base ?? series![0]).length); rest !== ''; ) {
    const id = nextId(rest.slice(1));
    lists[rest.startsWith('+') ? 'with' : 'without'].push(id);
    rest = rest.slice(1 + id.length);
  }
  return { ...(base === undefined ? { series: Number(series![1]) } : { base }), ...lists };
}

/** The longest id that stands here, or all that is left. */
function nextId(text: string): string {
  const ids = Object.keys(CHANGES).filter(id => text === id || (text.startsWith(id) && /^[+-]/.test(text.slice(id.length))));
  return ids.sort((a, b) => b.length - a.length).at(0) ?? text;
}

/** As parseKernel() reads it. */
export const kernelText = (choice: KernelChoice): string =>
  [nameOf(choice), ...(choice.with ?? []).map(id => `+${id}`), ...(choice.without ?? []).map(id => `-${id}`)].join('');

/** The same as a scenario writes it: `{ series: 19, with: [dmar-hpet-msi-flags] }`. */
export function kernelMap({ base, series, with: added = [], without = [] }: KernelChoice): string {
  const entries = [series === undefined ? `base: ${base!}` : `series: ${series}`, ...(added.length > 0 ? [`with: [${added.join(', ')}]`] : []), ...(without.length > 0 ? [`without: [${without.join(', ')}]`] : [])];
  return `{ ${entries.join(', ')} }`;
}
