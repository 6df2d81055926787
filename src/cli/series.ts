import { type ChangeId, CHANGES, changeOf, GROUPS, KERNELS, SERIES } from '../kernel/changes';
import { choice, list } from '../scenario/nearest';
import { type Arguments, UsageError } from './arguments';
import type { Command, ExitStatus, Output } from './command';
import { operands } from './load';
import { exampleOf, pathOf } from './series-examples';

export const seriesCommand: Command = {
  name: 'series',
  summary: 'list the patches and commits that kernels differ by',
  options: { json: { type: 'flag' } },
  help: `usage: irqstep series [PATCH] [--json]

Lists the patches of the series by the groups of its cover letter: number, subject, and what each changes; then the
other commits that the kernels differ by. With PATCH, a number or an id: all about one.

  --json          print one JSON value instead: for each change { id, patch?, subject, group?, commit?, release?, effect,
                  needs, neededBy, removable, kernels, example? }

exit status: 0; 2 when there is no such patch

examples:
  irqstep series
  irqstep series 19
  irqstep series vector-search-order
`,
  run: series,
};

const PATCHES = Object.keys(SERIES) as ChangeId[];
const ALL = Object.keys(CHANGES) as ChangeId[];
const OTHERS = ALL.filter(id => !PATCHES.includes(id));

// eslint-disable-next-line @typescript-eslint/require-await -- a command is asynchronous; this one has nothing to wait for
async function series(args: Arguments, { out }: Output): Promise<ExitStatus> {
  const [wanted] = operands(args, [], ['PATCH']) as readonly (string | undefined)[];
  const ids = wanted === undefined ? ALL : [idOf(wanted)];
  if (args.flags.has('json')) out(`${JSON.stringify(wanted === undefined ? ids.map(facts) : facts(ids[0]), null, 1)}\n`);
  else out(wanted === undefined ? listText() : detailText(ids[0]));
  return 0;
}

/** @throws UsageError for what is neither a patch's number nor an id */
function idOf(word: string): ChangeId {
  const number = /^\d+$/.test(word) ? Number(word) : undefined;
  if (number !== undefined && (number < 1 || number > PATCHES.length)) throw new UsageError(`there is no patch ${word}; expected 1 to ${PATCHES.length}`);
  const id = number === undefined ? ALL.find(one => one === word) : PATCHES[number - 1];
  if (!id) throw new UsageError(`there is no change ${word}${choice(word, ALL)}`);
  return id;
}

const needsOf = (id: ChangeId): readonly ChangeId[] => (changeOf(id).needs ?? []) as ChangeId[];

const neededBy = (id: ChangeId): readonly ChangeId[] => ALL.filter(other => needsOf(other).includes(id));

const kernelsWith = (id: ChangeId): readonly string[] => Object.keys(KERNELS).filter(name => KERNELS[name].includes(id));

function facts(id: ChangeId): object {
  const example = exampleOf(id);
  const change = changeOf(id);
  const patch = PATCHES.indexOf(id) + 1;
  return { id, ...(patch > 0 ? { patch } : {}), ...change, needs: needsOf(id), neededBy: neededBy(id), removable: change.removable ?? false, kernels: kernelsWith(id), ...(example && { example: pathOf(example) }) };
}

function listText(): string {
  const merged = PATCHES.filter(id => changeOf(id).release !== null).length;
  const groups = Object.entries(GROUPS).map(([number, title]) => {
    const patches = PATCHES.filter(id => String(changeOf(id).group) === number);
    return `\n${number}. ${title}\n${patches.map(id => entry(String(PATCHES.indexOf(id) + 1).padStart(4), id)).join('')}`;
  });
  const others = `\nother commits\n${OTHERS.map(id => entry('    ', id)).join('')}`;
  return `${PATCHES.length} patches on v5.9, of which ${merged} were merged; --kernel series:N stands after the first N\n${groups.join('')}${others}`;
}

/** The subject of a patch in one line, what it changes in the next. */
function entry(number: string, id: ChangeId): string {
  const { subject, effect } = changeOf(id);
  return `${number}  ${subject}${notes(id)}\n      ${effect}\n`;
}

/** (vector-search-order; needs v2-04; not merged) */
function notes(id: ChangeId): string {
  const parts = [...(PATCHES.includes(id) ? [] : [id]), ...(needsOf(id).length > 0 ? [`needs ${list(needsOf(id), 'and')}`] : []), ...releaseNote(id)];
  return parts.length > 0 ? ` (${parts.join('; ')})` : '';
}

/** Of patches of the series the release is the same for all that were merged. */
function releaseNote(id: ChangeId): string[] {
  const { release } = changeOf(id);
  if (release === null) return ['not merged'];
  return release === undefined || PATCHES.includes(id) ? [] : [release];
}

/** A kernel without the change, and one with it. */
function sides(id: ChangeId): string[] {
  const patch = PATCHES.indexOf(id) + 1;
  if (patch > 0) return [`series:${patch - 1}`, `series:${patch}`];
  const kernel = kernelsWith(id).at(0);
  return kernel === undefined ? ['v5.10', `v5.10+${id}`] : [`${kernel}-${id}`, kernel];
}

function detailText(id: ChangeId): string {
  const example = exampleOf(id);
  const { subject, commit, group, release, effect, removable } = changeOf(id);
  const patch = PATCHES.indexOf(id) + 1;
  const rows: [string, string | undefined][] = [
    ['id', id],
    ['patch', patch > 0 ? `${patch} of ${PATCHES.length}` : undefined],
    ['group', group && `${group}. ${GROUPS[group]}`],
    ['commit', commit],
    ['merged', release === null ? 'never' : release],
    ['in', list(kernelsWith(id), 'and')],
    ['effect', effect],
    ['needs', needsOf(id).join(', ')],
    ['needed by', neededBy(id).join(', ')],
    ['example', example && pathOf(example)],
    ['shows in', removable || example ? `irqstep compare ${example ? pathOf(example) : 'FILE'} --kernels ${(example?.kernels ?? sides(id)).join(',')}` : undefined],
    ['model', removable ? 'knows kernels with it and without it' : 'does not differ: nothing of it shows, or what it replaces is not modelled'],
  ];
  return `${subject}\n${rows.flatMap(([name, value]) => (value ? [`  ${name.padEnd(11)}${value}\n`] : [])).join('')}`;
}
