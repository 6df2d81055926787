import { kindOf, type Actor } from './actor';

/** How such work is called: it is done by kworkers of the unbound queue. */
const ASYNC = /-events_unbound$/;

const isAsync = ({ name }: Actor): boolean => kindOf(name) === 'kworker' && ASYNC.test(name);

/** Probes that the driver core has queued at once (async_schedule()): in which order they began, and ended, shows later. */
export class SideBySide {
  /**
   * @param pick chooses one of so many; whether that was right may show in a later step only
   * @param note gets what was chosen
   */
  constructor(
    private readonly pick: (count: number, showsLater?: boolean) => number,
    private readonly note: (input: string) => void,
  ) {}

  /** Who begins now. */
  toBegin(actors: readonly Actor[]): Actor | undefined {
    const fresh = actors.filter(actor => !actor.begun && isAsync(actor));
    const taken = fresh.length > 1 ? this.pick(fresh.length) : 0;
    if (taken > 0) this.note(`${fresh[taken].name} began before ${fresh.length - 1} others`);
    return fresh.at(taken);
  }

  /** One that has done its work waits for the others that have not. @returns whether it does */
  waits(actor: Actor, actors: readonly Actor[]): boolean {
    actor.ends = isAsync(actor) && actors.some(other => other !== actor && isAsync(other));
    return actor.ends;
  }

  /** Who ends, when all others have ended or wait. */
  toEnd(actors: readonly Actor[]): Actor | undefined {
    const ending = actors.filter(({ ends }) => ends);
    if (ending.length < 2) return ending.at(0);
    const first = ending[this.pick(ending.length, true)];
    this.note(`${first.captured ?? first.name} ended before ${ending.length - 1} others`);
    return first;
  }
}
