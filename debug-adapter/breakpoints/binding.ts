// From what the client asks for to probes: snapping, names, patterns; and why it cannot be.
import { suggestion } from '../../src/scenario/nearest';
import type { ProbeInfo } from '../../src/stepper/stepper';
import { ConditionError, parseCondition, parseHitCondition, parseLogMessage, type Knows } from './conditions';
import type { Names } from '../expressions/expression';
import { globalNamed } from '../expressions/names';
import { candidates, glob, hasFunction, ownersNow, parseRole, plays, type Activation, type Role } from './roles';
import type { Run } from '../run';

export interface When {
  readonly condition?: string | undefined;
  readonly hitCondition?: string | undefined;
  readonly logMessage?: string | undefined;
}

export interface SourceSpec extends When {
  readonly line: number;
  readonly column?: number | undefined;
}

export interface FunctionSpec extends When {
  readonly name: string;
}

/** What a breakpoint has become in a run. */
export interface Binding {
  readonly verified: boolean;
  /** Why it is not verified, or what to know of it. */
  readonly message?: string;
  readonly reason?: 'pending' | 'failed';
  readonly probes: readonly ProbeInfo[];
  /** Which of the functions that its probes begin are meant. */
  readonly role?: (entered: Activation) => boolean;
  readonly condition?: (names: Names) => boolean;
  readonly hitCondition?: (hits: number) => boolean;
  readonly log?: (names: Names) => string;
}

const failed = (message: string): Binding => ({ verified: false, reason: 'failed', message, probes: [] });

export function bindSource(run: Run, source: Parameters<Run['sources']['pathOf']>[0], spec: SourceSpec): Binding {
  const found = run.sources.pathOf(source);
  if ('why' in found) return failed(found.why);
  const line = run.stepper.probesAt(found.path, spec.line);
  const probe = line.find(p => p.line > spec.line || p.column >= (spec.column ?? 1)) ?? line.at(-1);
  if (!probe) return failed(`no statement is at or after line ${spec.line}`);
  return withConditions({ verified: true, probes: [probe] }, spec, run);
}

export function bindFunction(run: Run, spec: FunctionSpec): Binding {
  const name = spec.name.trim();
  return name.includes(':') ? bindRole(run, name, spec) : bindName(run, name, spec);
}

/** `x86_vector_alloc_irqs`, `irq_domain_*` */
function bindName(run: Run, name: string, spec: FunctionSpec): Binding {
  const matches = glob(name);
  const probes = run.entries.filter(({ fn }) => fn !== undefined && (matches(fn.name) || matches(fn.name.slice(fn.name.lastIndexOf('.') + 1))));
  if (probes.length > 0) return withConditions({ verified: true, probes, ...severalOf(probes) }, spec, run);
  const names = run.entries.flatMap(({ fn }) => fn?.name ?? []);
  return failed(`the kernel model has no function ${name}${nearNames(name, names)}`);
}

function bindRole(run: Run, text: string, spec: FunctionSpec): Binding {
  const role = parseRole(text);
  if (typeof role === 'string') return failed(role);
  const owners = ownersNow(role, run.world);
  const probes = candidates(role, owners, run);
  // Before the first owner has come, nothing can be said.
  const now = owners.length > 0 ? playersNow(role, owners, probes) : severalOf(probes);
  return withConditions({ verified: true, probes, role: entered => plays(role, entered), ...now }, spec, run);
}

/** What can be said from the tables that there are now. It stays armed anyway: a domain may come later. */
function playersNow(role: Role, owners: ReturnType<typeof ownersNow>, probes: readonly ProbeInfo[]): Partial<Binding> {
  const pending = (message: string): Partial<Binding> => ({ verified: false, reason: 'pending', message });
  const matching = owners.filter(owner => role.matches(owner.name));
  if (matching.length === 0) return pending(`no ${role.of} matches ${role.owner} yet${suggestion(role.owner, [...new Set(owners.map(o => o.name))])}`);
  const players = probes.filter(({ fn }) => fn !== undefined && matching.some(owner => hasFunction(owner.table, role.op, fn.name)));
  if (players.length === 0) return pending(`${role.owner} has no ${role.op}`);
  return { probes: [...players, ...probes.filter(probe => !players.includes(probe))], ...severalOf(players) };
}

/** A breakpoint has one place only, and that would be misleading. */
const severalOf = (probes: readonly ProbeInfo[]): { message?: string } => {
  if (probes.length < 2) return {};
  const names = probes.slice(0, 8).map(probe => probe.fn?.name);
  return { message: probes.length > 8 ? `${probes.length} functions: ${names.join(', ')}, ...` : names.join(', ') };
};

/** Names that contain what was asked for are near too. */
function nearNames(name: string, names: readonly string[]): string {
  const part = name.replaceAll('*', '');
  const within = names.filter(other => part.length > 3 && other.includes(part)).sort((a, b) => a.length - b.length);
  if (within.length > 0) return `; did you mean ${within.slice(0, 3).join(', ')}?`;
  const near = suggestion(name, names);
  return near.startsWith('; did') ? near : `; function breakpoints take a function's name, DOMAIN:op or CHIP:callback`;
}

function withConditions(binding: Binding, { condition, hitCondition, logMessage }: When, run: Run): Binding {
  const knows = knowsAt(binding.probes, run);
  try {
    return {
      ...binding,
      ...(condition?.trim() ? { condition: parseCondition(condition, knows) } : {}),
      ...(hitCondition?.trim() ? { hitCondition: parseHitCondition(hitCondition) } : {}),
      ...(logMessage ? { log: parseLogMessage(logMessage, knows) } : {}),
    };
  } catch (error) {
    if (error instanceof ConditionError) return failed(error.message);
    throw error;
  }
}

/** A name that none of the places has is a slip of the pen. */
function knowsAt(probes: readonly ProbeInfo[], { world }: Run): Knows {
  const names = new Set(probes.flatMap(probe => probe.names));
  return name => names.has(name) || globalNamed(name, world) !== undefined;
}
