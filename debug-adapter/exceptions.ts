// What stops a run besides breakpoints: a BUG, a call through NULL, a deadlock; a warning; the statement that makes an errno.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { kernel_death } from '../src/kernel/lib/printk';
import { Interruption, type ProbeHit, type ProbeInfo, type StopEvent } from '../src/stepper/stepper';
import { RequestError } from './protocol/errors';
import { request } from './protocol/registry';
import type { Run, Stop } from './run';

const FILTERS = {
  failures: { label: 'Kernel failures', description: 'Stop where the modelled kernel fails: BUG_ON(), a call or access through NULL, a step that did not return what it expects', default: true },
  warnings: { label: 'Kernel warnings', description: 'Stop at each WARN_ON() that holds, before its statement', default: false },
  errnos: { label: 'Errnos', description: 'Stop where the modelled kernel makes an errno: return -ENOSPC', default: false },
} as const;

export type Filter = keyof typeof FILTERS;

export const EXCEPTION_FILTERS: DebugProtocol.ExceptionBreakpointsFilter[] = Object.entries(FILTERS).map(([filter, texts]) => ({ filter, ...texts }));

/** A WARN_ON() holds, and the run is to stop there. */
export class KernelWarning extends Interruption {
  override readonly name = 'kernel WARNING';

  /** @param report what the kernel prints about it, line by line */
  constructor(
    message: string,
    readonly report: readonly string[],
  ) {
    super(message);
  }
}

const MAKES_ERRNO = /^return -(E[A-Z][A-Z0-9]*)\b/;

/** Which of these stop a run, and whether it did at one of them. */
export class ExceptionStops {
  private filters: ReadonlySet<string> = new Set<Filter>(['failures']);
  private errnos: ReadonlyMap<number, string> | undefined;
  private last: { readonly step: number; readonly errno: string } | undefined;

  wants(filter: Filter): boolean {
    return this.filters.has(filter);
  }

  choose(filters: readonly string[]): void {
    this.filters = new Set(filters);
  }

  /** The probes to be asked about: statements that make an errno. */
  probes(run: Run): Iterable<number> {
    if (!this.wants('errnos')) return [];
    this.errnos ??= new Map(run.sources.modules.flatMap(({ path, source }) => {
      const lines = source.split(/\r\n|[\n\r\u2028\u2029]/);
      return run.stepper.probesBetween(path, 1, Infinity).flatMap(probe => errnoOf(probe, lines));
    }));
    return this.errnos.keys();
  }

  hit({ probe, step }: ProbeHit): boolean {
    const errno = this.wants('errnos') ? this.errnos?.get(probe) : undefined;
    if (errno === undefined) return false;
    this.last = { step, errno };
    return true;
  }

  /** What a stop at a statement that makes an errno adds to the stop, where no breakpoint made it. */
  at(stop: StopEvent, { stepper }: Run): Pick<Stop, 'failure' | 'error'> {
    if (stop.reason !== 'breakpoint' || this.last?.step !== stepper.step) return {};
    return { failure: 'errno', error: new Error(`${this.last.errno} is made here`) };
  }
}

function errnoOf(probe: ProbeInfo, lines: readonly string[]): [number, string][] {
  const name = MAKES_ERRNO.exec(lines[probe.line - 1].slice(probe.column - 1))?.[1];
  return name === undefined ? [] : [[probe.id, `-${name}`]];
}

/** What the kernel prints, where clients show a stack. */
const reportOf = (error: Error): Pick<DebugProtocol.ExceptionDetails, 'stackTrace'> => (error instanceof KernelWarning || error instanceof kernel_death ? { stackTrace: error.report.join('\n') } : {});

export const exceptionRequests = [
  request('setExceptionBreakpoints', { args: { filters: ['string'] } }, ({ filters }, session) => {
    const unknown = filters.find(filter => !(filter in FILTERS));
    if (unknown !== undefined) throw new RequestError(`setExceptionBreakpoints: there is no filter ${unknown}; there are ${Object.keys(FILTERS).join(', ')}`);
    session.exceptions.choose(filters);
    session.run?.mark();
    return { breakpoints: filters.map(() => ({ verified: true })) };
  }),

  request('exceptionInfo', { args: { threadId: 'number' }, capability: 'supportsExceptionInfoRequest', stopped: true }, ({ threadId }, { run }) => {
    const { error, failure = 'error', thread } = run!.stop ?? {};
    if (!error || thread !== threadId) throw new RequestError(`exceptionInfo: thread ${threadId} has not stopped at an exception`);
    return { exceptionId: failure, description: error.message, breakMode: failure === 'warning' || failure === 'errno' ? 'always' : 'userUnhandled', details: { message: error.message, typeName: error.name, ...reportOf(error) } };
  }),
];
