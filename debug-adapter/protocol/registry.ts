import type { DebugProtocol } from '@vscode/debugprotocol';
import { RequestError, notStopped } from './errors';
import { shaped, type Of, type Shape } from './shape';
import type { Run } from '../run';
import type { Session } from '../session';

type BooleanCapability = { [K in keyof DebugProtocol.Capabilities]-?: NonNullable<DebugProtocol.Capabilities[K]> extends boolean ? K : never }[keyof DebugProtocol.Capabilities];

export interface RequestOptions<S extends Shape> {
  readonly args: S;
  /** What `initialize` announces because this request is registered. */
  readonly capability?: BooleanCapability | readonly BooleanCapability[];
  /** Refused while the run is running, or where there is none. */
  readonly stopped?: true;
}

export interface Registration {
  readonly command: string;
  readonly capabilities: readonly BooleanCapability[];
  /** @returns the body of the response */
  answer(args: unknown, session: Session): unknown;
}

/** Declares a request: its arguments, its capability and its handler, all in one place. */
export function request<const S extends Shape>(command: string, options: RequestOptions<S>, handler: (args: Of<S>, session: Session) => unknown): Registration {
  const { capability = [], stopped, args: shape } = options;
  return {
    command,
    capabilities: typeof capability === 'string' ? [capability] : capability,
    answer(args, session) {
      if (stopped) stoppedRun(command, session.run).enter();
      return handler(shaped(args ?? {}, shape, `${command}: arguments`), session);
    },
  };
}

function stoppedRun(command: string, run: Run | undefined): Run {
  if (!run) throw new RequestError(`${command}: nothing has been launched`);
  if (run.state === 'ready') throw new RequestError(`${command}: the run has not begun: configurationDone starts it`);
  if (run.state === 'running') throw notStopped();
  if (run.state === 'terminated') throw new RequestError(`${command}: the run has ended`);
  return run;
}

/** The requests by command. */
export class Registry {
  private readonly byCommand = new Map<string, Registration>();

  constructor(registrations: readonly Registration[]) {
    for (const one of registrations) {
      if (this.byCommand.has(one.command)) throw new Error(`two handlers for ${one.command}`);
      this.byCommand.set(one.command, one);
    }
  }

  answer(command: string, args: unknown, session: Session): unknown {
    const registration = this.byCommand.get(command);
    if (!registration) throw new RequestError(`unknown command ${JSON.stringify(command)}`);
    return registration.answer(args, session);
  }

  capabilities(): DebugProtocol.Capabilities {
    return Object.fromEntries([...this.byCommand.values()].flatMap(r => r.capabilities).map(name => [name, true]));
  }
}
