// The client's breakpoints: where they bind, and what happens when one is hit.
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { ProbeHit } from '../../src/stepper/stepper';
import { bindFunction, bindSource, type Binding, type FunctionSpec, type SourceSpec } from './binding';
import { HitCounter } from './conditions';
import { namesOf } from '../expressions/names';
import { request } from '../protocol/registry';
import type { Run } from '../run';
import { SOURCE } from '../sources';

/** One breakpoint of the client. */
interface Breakpoint {
  readonly id: number;
  /** Same text, same breakpoint: it keeps its id and its hits. */
  readonly key: string;
  readonly group: string;
  readonly bind: (run: Run) => Binding;
  binding: Binding;
  hits: HitCounter;
  /** A condition that fails says so once. */
  complained: boolean;
}

const UNBOUND: Binding = { verified: false, message: 'it binds when a scenario is launched', reason: 'pending', probes: [] };

/** Where function breakpoints stand among the files'. */
const FUNCTIONS = 'functions';

export class Breakpoints {
  private readonly groups = new Map<string, Breakpoint[]>();
  private byProbe = new Map<number, Breakpoint[]>();
  private lastId = 0;
  /** The last two stops here: who goes back passes the one where he stands last. */
  private stops: { readonly step: number; readonly ids: number[] }[] = [];

  /** @param report what a log point prints, and what goes wrong with a condition */
  constructor(private readonly report: (category: 'console' | 'stderr', text: string, probe: number, run: Run) => void) {}

  /** Replaces the breakpoints of a file, or those on functions. */
  set(group: string, specs: readonly { readonly key: string; readonly bind: (run: Run) => Binding }[], run: Run | undefined): Breakpoint[] {
    const before = [...(this.groups.get(group) ?? [])];
    const now = specs.map(({ key, bind }): Breakpoint => {
      const same = before.findIndex(b => b.key === key);
      const kept = same < 0 ? undefined : before.splice(same, 1)[0];
      const fresh = kept ?? { id: ++this.lastId, key, group, bind, binding: UNBOUND, hits: new HitCounter(), complained: false };
      if (run) fresh.binding = bind(run);
      return fresh;
    });
    this.groups.set(group, now);
    if (run) this.arm(run);
    return now;
  }

  /** Binds all anew to a run, with no hits. @returns those that are not what they were */
  rebind(run: Run): Breakpoint[] {
    for (const breakpoint of this.all()) {
      breakpoint.hits = new HitCounter();
      breakpoint.complained = false;
    }
    const changed = this.review(run, true);
    this.arm(run);
    return changed;
  }

  /**
   * Looks again at those that wait for something; at the end of the run at all, for then it is known what there is.
   * @returns those that are not what they were
   */
  review(run: Run, all: boolean): Breakpoint[] {
    const changed = this.all().filter(breakpoint => {
      if (!all && breakpoint.binding.reason !== 'pending') return false;
      const before = JSON.stringify(dapOf(breakpoint, run));
      breakpoint.binding = breakpoint.bind(run);
      return JSON.stringify(dapOf(breakpoint, run)) !== before;
    });
    if (changed.length > 0) this.arm(run);
    return changed;
  }

  /** Which breakpoints stopped the run at this step. */
  hitAt(step: number): { ids: number[]; onFunctions: boolean } {
    const ids = this.stops.find(stop => stop.step === step)?.ids ?? [];
    return { ids, onFunctions: ids.length > 0 && this.all().every(b => !ids.includes(b.id) || b.group === FUNCTIONS) };
  }

  /** Does the run stop at this probe? */
  hit(hit: ProbeHit, run: Run): boolean {
    const here = this.byProbe.get(hit.probe);
    if (!here) return false;
    const ids = here.filter(breakpoint => this.isHit(breakpoint, hit, run)).map(b => b.id);
    if (ids.length > 0) this.stops = [...this.stops.slice(-1), { step: hit.step, ids }];
    return ids.length > 0;
  }

  /** The probes to be asked about. */
  get probes(): number[] {
    return [...this.byProbe.keys()];
  }

  private isHit(breakpoint: Breakpoint, hit: ProbeHit, run: Run): boolean {
    const { role, condition, hitCondition, log } = breakpoint.binding;
    const { fn, names: variables } = run.stepper.probe(hit.probe);
    const here = { fn: fn!, names: variables, values: hit.values };
    if (role && !role(here)) return false;
    const names = namesOf(here, run.world);
    try {
      if (condition && !condition(names)) return false;
    } catch (error) {
      if (!breakpoint.complained) this.report('stderr', `condition of breakpoint ${breakpoint.id}: ${(error as Error).message}`, hit.probe, run);
      breakpoint.complained = true;
      return false;
    }
    const count = hitCondition || log ? breakpoint.hits.hit(hit.step) : 0;
    if (hitCondition && !hitCondition(count)) return false;
    if (!log) return true;
    if (!hit.replay) this.report('console', log(names), hit.probe, run);
    return false;
  }

  private all(): Breakpoint[] {
    return [...this.groups.values()].flat();
  }

  private arm(run: Run): void {
    this.byProbe = new Map();
    for (const breakpoint of this.all()) {
      for (const { id } of breakpoint.binding.probes) this.byProbe.set(id, [...(this.byProbe.get(id) ?? []), breakpoint]);
    }
    run.mark();
  }
}

export function dapOf({ id, binding: { verified, message, reason, probes } }: Breakpoint, run: Run | undefined): DebugProtocol.Breakpoint {
  const at = verified ? probes[0] : undefined;
  return {
    id,
    verified,
    ...(message === undefined ? {} : { message }),
    ...(reason === undefined ? {} : { reason }),
    ...(at && run ? { ...run.client.range(at), source: run.sources.source(at.path) } : {}),
  };
}

const WHEN = { 'condition?': 'string', 'hitCondition?': 'string' } as const;

export const breakpointRequests = [
  request(
    'setBreakpoints',
    {
      args: { source: SOURCE, 'breakpoints?': [{ line: 'number', 'column?': 'number', 'logMessage?': 'string', ...WHEN }], 'lines?': ['number'] },
      capability: ['supportsConditionalBreakpoints', 'supportsHitConditionalBreakpoints', 'supportsLogPoints'],
    },
    ({ source, breakpoints, lines }, { run, client, breakpoints: all }) => {
      const wanted = breakpoints ?? (lines ?? []).map(line => ({ line }));
      const specs = wanted.map((b: SourceSpec): SourceSpec => ({ ...b, line: client.fromLine(b.line), ...(b.column === undefined ? {} : { column: client.fromColumn(b.column) }) }));
      const set = all.set(
        `file ${source.path ?? source.sourceReference ?? ''}`,
        specs.map(spec => ({ key: JSON.stringify(spec), bind: r => bindSource(r, source, spec) })),
        run,
      );
      return { breakpoints: set.map(b => dapOf(b, run)) };
    },
  ),

  request('setFunctionBreakpoints', { args: { breakpoints: [{ name: 'string', ...WHEN }] }, capability: 'supportsFunctionBreakpoints' }, ({ breakpoints }, { run, breakpoints: all }) => {
    const set = all.set(
      FUNCTIONS,
      breakpoints.map((spec: FunctionSpec) => ({ key: JSON.stringify(spec), bind: (r: Run) => bindFunction(r, spec) })),
      run,
    );
    return { breakpoints: set.map(b => dapOf(b, run)) };
  }),
];
