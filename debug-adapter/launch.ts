// Starting a scenario, and what the client sends around it.
import { resolve } from 'node:path';
import type { Diagnostic } from '../src/scenario/diagnostic';
import type { Host } from '../src/stepper/stepper';
import { RequestError } from './protocol/errors';
import { request } from './protocol/registry';
import { Run, type KernelGuest, type RunParts } from './run';
import type { Session } from './session';
import { Sources } from './sources';

/** A scenario that can run, or why it cannot. */
export type Loaded =
  | { readonly ok: true; readonly kernel: string; /** paths of its modules */ readonly modules?: readonly string[]; readonly make: (host: Host) => KernelGuest }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Reads a scenario; nothing of it runs yet. */
export type Load = (path: string, options: LoadOptions) => Loaded;

export interface LoadOptions {
  readonly kernel?: string;
  readonly allowModules: boolean;
  /** where modules may be, besides the scenario's own folder */
  readonly root?: string;
}

const LAUNCH = {
  program: 'string',
  'stopOnEntry?': 'boolean',
  'kernel?': 'string',
  'cwd?': 'string',
  'noDebug?': 'boolean',
  /** The scenario's modules may run, in this process. */
  'allowModules?': 'boolean',
  /** The client opens the model's listing by `irqstep-model:` URIs. */
  'modelUris?': 'boolean',
  /** It goes along with another session: its first stop shall not draw the client's look. */
  'beside?': 'boolean',
} as const;

export interface LaunchArguments {
  readonly program: string;
  readonly stopOnEntry?: boolean | undefined;
  readonly kernel?: string | undefined;
  readonly cwd?: string | undefined;
  readonly noDebug?: boolean | undefined;
  readonly allowModules?: boolean | undefined;
  readonly modelUris?: boolean | undefined;
  readonly beside?: boolean | undefined;
}

export const launchRequests = [
  request('launch', { args: LAUNCH }, (args, session) => {
    if (session.run && session.run.state !== 'terminated') throw new RequestError('launch: a scenario is running in this session already');
    session.client.modelUris = args.modelUris ?? session.client.modelUris;
    start(args, session);
    // Breakpoints can be verified now, and not before.
    session.connection.event('initialized');
  }),

  request('configurationDone', { args: {}, capability: 'supportsConfigurationDoneRequest' }, (_args, session) => {
    if (!session.run) throw new RequestError('configurationDone: nothing has been launched');
    if (session.run.state !== 'ready') throw new RequestError('configurationDone: the configuration is done already');
    go(session, session.launched?.beside);
  }),

  request('restart', { args: { 'arguments?': { 'program?': 'string', 'stopOnEntry?': 'boolean', 'kernel?': 'string' } }, capability: 'supportsRestartRequest' }, (args, session) => {
    if (!session.run || !session.launched) throw new RequestError('restart: nothing has been launched');
    const before = session.run;
    const changed = Object.fromEntries(Object.entries(args.arguments ?? {}).filter(([key]) => key in LAUNCH_CHANGES));
    start({ ...session.launched, ...changed }, session);
    before.end();
    go(session);
  }),
];

/** What a restart may say anew. */
const LAUNCH_CHANGES = { program: true, stopOnEntry: true, kernel: true } as const;

/** Builds the run. @throws RequestError when the scenario cannot run; then nothing is changed */
function start(args: LaunchArguments, session: Session): void {
  const { path, loaded } = loadFor(args, session);
  const run = powerOn({
    make: loaded.make,
    kernel: loaded.kernel,
    sources: new Sources(session.client, session.listing, path, loaded.modules),
    client: session.client,
    breakpoints: session.breakpoints,
    log: session.log,
    exceptions: session.exceptions,
    debugs: args.noDebug !== true,
    stopped: (...stop) => session.stopped(...stop),
  });
  session.run = run;
  session.launched = args;
  session.comparison = undefined;
  session.log.reset();
  session.changes.reset();
  session.rebind(run);
}

/** @throws RequestError when the scenario cannot run */
function loadFor(args: LaunchArguments, session: Session): { readonly path: string; readonly loaded: Extract<Loaded, { ok: true }> } {
  const path = resolve(args.cwd ?? '.', session.client.fromPath(args.program));
  const loaded = session.load(path, { allowModules: args.allowModules ?? false, ...(args.kernel !== undefined && { kernel: args.kernel }), ...(args.cwd !== undefined && { root: args.cwd }) });
  if (!loaded.ok) throw broken(loaded.diagnostics, session);
  return { path, loaded };
}

/** The launched scenario on another kernel. @throws RequestError when it cannot run there */
export function makeOn(kernel: string, session: Session): RunParts['make'] {
  if (!session.launched) throw new RequestError('nothing has been launched');
  return loadFor({ ...session.launched, kernel }, session).loaded.make;
}

/** A machine may fail while it boots, before its first step. */
function powerOn(parts: RunParts): Run {
  try {
    return new Run(parts);
  } catch (error) {
    throw new RequestError(`the machine does not boot: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}

function go(session: Session, beside = false): void {
  const { launched } = session;
  session.resume(launched?.stopOnEntry && !launched.noDebug ? { kind: 'toStep', step: 1 } : { kind: 'continue' }, beside);
}

/** Each problem also goes to the console, where its place can be clicked. */
function broken(diagnostics: readonly Diagnostic[], { connection, client }: Session): RequestError {
  const lines = diagnostics.map(d => `${d.path}:${d.line}:${d.column}: ${d.message}`);
  diagnostics.forEach(({ path, line, column }, i) => {
    const source = { name: path.replace(/^.*[\\/]/, ''), path: client.path(path) };
    connection.event('output', { category: 'stderr', output: `${lines[i]}\n`, source, line: client.line(line), column: client.column(column) });
  });
  return new RequestError(`the scenario cannot run:\n${lines.join('\n')}`);
}
