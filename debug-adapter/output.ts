// The kernel's log as it grows, with the statement that printed, and the limits that bind.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { limit_text } from '../src/kernel/lib/limit';
import type { LogLevel } from '../src/kernel/lib/printk';
import type { ProbeHit, ProbeInfo } from '../src/stepper/stepper';
import type { Run } from './run';

/** Statements that may print, or find that something has run out. */
const PRINTS = /\b(?:pr_\w+|(?:apic_)?printk\w*|dev_\w+|WARN_ON\w*|BUG_ON|\w+_bound)\s*\(/;
/** Lines of a long run wait so long for each other, in ms. */
const BATCH = 30;

/** Levels of lines that warn of nothing. */
const TALK: ReadonlySet<LogLevel> = new Set(['notice', 'info', 'debug']);

/** Lines of one kind and place make one event. */
interface Batch {
  readonly category: 'console' | 'stdout' | 'stderr';
  readonly probe: number | undefined;
  text: string;
}

export class KernelLog {
  /** Lines of the log that the client has; going back takes none from it. */
  private shown = 0;
  private limitsShown = 0;
  /** The last statement that might print, and how long the log was before it. */
  private last: { readonly probe: number; readonly length: number; readonly limits: number } | undefined;
  private held: Batch[] = [];
  private timer: NodeJS.Timeout | undefined;
  private printing: Set<number> | undefined;

  constructor(private readonly send: (body: DebugProtocol.OutputEvent['body']) => void) {}

  /** A new run prints from the start. */
  reset(): void {
    this.shown = 0;
    this.limitsShown = 0;
    this.last = undefined;
    this.held = [];
    this.disarm();
  }

  /** The probes of statements that may print. */
  probes(run: Run): Iterable<number> {
    this.printing ??= new Set(run.sources.modules.flatMap(module => printing(module.source, run.stepper.probesBetween(module.path, 1, Infinity))));
    return this.printing;
  }

  passing(hit: ProbeHit, run: Run): void {
    this.collect(run);
    if (this.printing?.has(hit.probe)) this.last = { probe: hit.probe, length: run.world.kernel.log.length, limits: run.world.kernel.limits.length };
  }

  /** A line from elsewhere, in its place among the kernel's. */
  print(category: Batch['category'], text: string, probe: number, run: Run): void {
    this.collect(run);
    this.hold(category, text, probe, run);
  }

  /** Sends what was printed up to now. */
  flush(run: Run): void {
    this.disarm();
    if (run.state === 'terminated') return;
    this.collect(run);
    for (const { category, text, probe } of this.held.splice(0)) {
      this.send({ category, output: text, ...(probe === undefined ? {} : placeOf(run.stepper.probe(probe), run)) });
    }
  }

  private disarm(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private collect(run: Run): void {
    const { log, limits } = run.world.kernel;
    for (; this.shown < log.length; this.shown++) {
      const { level, text, open } = log[this.shown];
      // The kernel goes on with its last line.
      if (open !== undefined && this.shown === log.length - 1) break;
      const probe = this.last && this.shown >= this.last.length ? this.last.probe : undefined;
      this.hold(TALK.has(level) ? 'stdout' : 'stderr', text, probe, run);
    }
    for (; this.limitsShown < limits.length; this.limitsShown++) {
      const probe = this.last && this.limitsShown >= this.last.limits ? this.last.probe : undefined;
      this.hold('console', limit_text(limits[this.limitsShown]), probe, run);
    }
  }

  private hold(category: Batch['category'], line: string, probe: number | undefined, run: Run): void {
    const batch = this.held.at(-1);
    if (batch?.category === category && batch.probe === probe) batch.text += `${line}\n`;
    else this.held.push({ category, probe, text: `${line}\n` });
    this.timer ??= setTimeout(() => this.flush(run), BATCH);
  }
}

/** A statement's place, as an output event gives it. */
function placeOf(probe: ProbeInfo, run: Run): Pick<DebugProtocol.OutputEvent['body'], 'source' | 'line' | 'column'> {
  return { source: run.sources.source(probe.path), line: run.client.line(probe.line), column: run.client.column(probe.column) };
}

function printing(source: string, probes: readonly ProbeInfo[]): number[] {
  const lines = source.split(/\r\n|[\n\r\u2028\u2029]/);
  return probes.filter(({ line, endLine, column }) => PRINTS.test([lines[line - 1].slice(column - 1), ...lines.slice(line, endLine)].join('\n'))).map(probe => probe.id);
}
