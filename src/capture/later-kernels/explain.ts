import { type ChangeId, changeOf } from '../../kernel/changes';
import type { Capture } from '../capture';
import { dependentsOf, kernelTextOf, type LaterKernel } from './changes';
import { REWORDINGS } from './rewordings';
import { laterCalls } from './functions';
import type { Plan } from '../replay/plan';
import { Replay, type Count } from '../replay/replay';

/** A named change behind the last kernel of the model, and what it explains. */
export interface Explanation {
  readonly id: string;
  /** the first release that has it; undefined: not known */
  readonly release: string | undefined;
  readonly effect: string;
  /** how many more events differ without it */
  readonly events: number;
  /** how many more lines of state differ without it; of a rewording: how many lines it makes */
  readonly state: number;
  /** how many more calls differ without it */
  readonly calls: number;
  /** how many more lines of the log differ without it; of a rewording: how many lines it makes */
  readonly log: number;
  /** calls of functions that the change brought and the model does without: they are not compared */
  readonly uncompared: number;
}

type Measured = Omit<Explanation, 'uncompared'>;

/** What each change of a later kernel explains: a change of the model by a replay without it in which the tasks run in the same order. */
export function explanationsOf(capture: Capture, plan: Plan, replay: Replay): Explanation[] {
  const { later } = capture;
  if (!later) return [];
  const uncompared = laterCalls(capture.trees);
  const explanations = [...later.changes.map(id => byReplay(capture, plan, replay, later, id)), ...later.rewordings.map(id => byUse(replay, id))];
  return explanations.map(explanation => ({ ...explanation, uncompared: uncompared.get(explanation.id) ?? 0 }));
}

/** A change that others need is left out with them: then they are missing on both sides. */
function byReplay(capture: Capture, plan: Plan, replay: Replay, later: LaterKernel, id: LaterKernel['changes'][number]): Measured {
  const choices = replay.choices.map(({ taken }) => taken);
  const without = (but: readonly ChangeId[]): Replay => {
    const other = new Replay(capture, plan, choices, Infinity, kernelTextOf(later, but));
    for (const item of plan.items) other.perform(item);
    other.compareLog();
    return other;
  };
  const dependents = dependentsOf(later, id);
  const whole = dependents.length > 0 ? without(dependents) : replay;
  const part = without([...dependents, id]);
  const { release, effect } = changeOf(id);
  return {
    id,
    release: release ?? undefined,
    effect,
    events: differing(part.matchedEvents) - differing(whole.matchedEvents),
    state: differing(part.state) - differing(whole.state),
    calls: differing(part.calls) - differing(whole.calls),
    log: differing(part.log) - differing(whole.log),
  };
}

const differing = ({ matched, total }: Count): number => total - matched;

function byUse({ words }: Replay, id: LaterKernel['rewordings'][number]): Measured {
  const { effect, ...rest } = REWORDINGS[id];
  return { id, release: 'release' in rest ? rest.release : undefined, effect, events: 0, state: words.state.get(id) ?? 0, calls: 0, log: words.log.get(id) ?? 0 };
}

/** `msi-activate-each (v5.17): 24 events, 11 lines of state: each MSI is ...` */
export function explanationText({ id, release, effect, ...counts }: Explanation): string {
  const parts = [
    [counts.events, 'event', 'events'],
    [counts.state, 'line of state', 'lines of state'],
    [counts.calls, 'call', 'calls'],
    [counts.log, 'line of the log', 'lines of the log'],
    [counts.uncompared, 'call of a function that is only there', 'calls of functions that are only there'],
  ] as const;
  const made = parts.filter(([count]) => count !== 0).map(([count, one, many]) => `${count} ${count === 1 ? one : many}`);
  return `${id} (${release ?? 'release not known'}): ${made.join(', ') || 'nothing'}: ${effect}`;
}
