// The series as the panel shows it.
import { changeOf, type ChangeId, GROUPS, KERNELS, SERIES } from '../../src/kernel/changes';
import type { Patch, Series } from '../panel-protocol';

const PATCHES = Object.keys(SERIES) as ChangeId[];

/** The patches by group, and which of them a kernel has. */
export function seriesOf(changes: ReadonlySet<ChangeId>): Series {
  const first = PATCHES.findIndex(id => !changes.has(id));
  const patches = first < 0 ? PATCHES.length : first;
  return {
    kernels: Object.keys(KERNELS),
    patches: PATCHES.slice(patches).some(id => changes.has(id)) ? null : patches,
    groups: Object.entries(GROUPS).map(([group, title]) => ({ title, patches: PATCHES.filter(id => String(changeOf(id).group) === group).map(id => patchOf(id, changes)) })),
  };
}

function patchOf(id: ChangeId, changes: ReadonlySet<ChangeId>): Patch {
  const { subject, effect, needs = [], release } = changeOf(id);
  return { number: PATCHES.indexOf(id) + 1, id, subject, effect, needs: [...needs], merged: release !== null, present: changes.has(id) };
}
