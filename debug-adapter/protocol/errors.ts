import type { DebugProtocol } from '@vscode/debugprotocol';

/** A request that cannot be done: `message` says what was wrong, where, and what was expected. */
export class RequestError extends Error {
  /**
   * @param short the protocol's machine-readable reason: `notStopped`, `cancelled`
   * @param silent a client that is only late is not told by a pop-up
   */
  constructor(
    message: string,
    readonly short?: 'notStopped' | 'cancelled',
    readonly silent = short !== undefined,
  ) {
    super(message);
  }
}

/** A frame or variable of a stop that is over: the client asked while the run went on. */
export const gone = (what: string): RequestError => new RequestError(`there is no ${what}: it ended when the run went on`, undefined, true);

export const notStopped = (): RequestError => new RequestError('the run is not stopped: pause it first', 'notStopped');

/** The body of a failed response. What the user did wrong is shown to them; what is the adapter's fault as well, with where it happened. */
export function errorBody(error: unknown): { message: string; body: { error: DebugProtocol.Message } } {
  if (error instanceof RequestError) {
    return { message: error.short ?? error.message, body: { error: { id: 1, format: braceless(error.message), showUser: !error.silent } } };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { message: `internal error: ${text.split('\n', 1)[0]}`, body: { error: { id: 2, format: braceless(`internal error of the adapter: ${text}`), showUser: true } } };
}

/** A message's format replaces `{name}`: a text has to come through as it is. */
const braceless = (text: string): string => text.replaceAll('{', '(').replaceAll('}', ')');
