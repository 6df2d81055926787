import { ProtocolServer } from '@vscode/debugadapter/lib/protocol';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { RequestError, errorBody } from './errors';

/** Answers a request. @returns the body of the response; throws what becomes a failed one */
export type Answer = (command: string, args: unknown, seq: number) => unknown;

/** Who sends more than so many bytes without a message in them speaks another protocol. */
const MAX_MESSAGE = 1 << 26;

/**
 * One client. Requests are answered one after the other, each with exactly one response; events that a request causes
 * follow its response. Whatever the client sends, the connection lives on.
 */
export class Connection extends ProtocolServer {
  private readonly waiting: DebugProtocol.Request[] = [];
  private answering = false;
  private readonly held: DebugProtocol.Event[] = [];
  /** After the response on its way: what a request leaves to be done, such as closing the connection. */
  private readonly afterwards: (() => void)[] = [];

  /** Bytes that are not a message yet. */
  private unread = 0;

  constructor(private readonly answer: Answer) {
    super();
    // Without a listener the process would end.
    this.on('error', ({ body }: { body?: unknown }) => this.failed(String(body)));
  }

  override start(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): void {
    super.start(input, output);
    input.on('data', (data: Buffer) => {
      this.unread += data.length;
      if (this.unread > MAX_MESSAGE) this.stop();
    });
  }

  override handleMessage(message: DebugProtocol.ProtocolMessage): void {
    this.unread = 0;
    super.handleMessage(message);
  }

  /** Sends an event, behind the response to the request in progress. */
  event(event: string, body?: unknown): void {
    const message: DebugProtocol.Event = { seq: 0, type: 'event', event, ...(body === undefined ? {} : { body }) };
    if (this.answering) this.held.push(message);
    else this.sendEvent(message);
  }

  /** Runs `action` once the response to the request in progress, and the events held back for it, are sent. */
  later(action: () => void): void {
    if (this.answering) this.afterwards.push(action);
    else action();
  }

  /** Refuses a request that has not been begun. @returns whether there is one */
  cancel(seq: number): boolean {
    const index = this.waiting.findIndex(request => request.seq === seq);
    if (index < 0) return false;
    const [request] = this.waiting.splice(index, 1);
    this.fail(request, new RequestError('cancelled', 'cancelled'));
    return true;
  }

  /** A message that cannot be read is the client's fault, and it is told; a broken stream takes no more messages. */
  private failed(problem: string): void {
    if (problem.startsWith('Error handling data')) this.event('output', { category: 'stderr', output: `irqstep: ${problem}\n` });
    else this.emit('close');
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    // Cancelling is about the requests that wait: it does not wait behind them.
    if (request.command === 'cancel') this.waiting.unshift(request);
    else this.waiting.push(request);
    if (!this.answering) void this.answerAll();
  }

  private async answerAll(): Promise<void> {
    for (let request = this.waiting.shift(); request; request = this.waiting.shift()) {
      this.answering = true;
      try {
        if (typeof request.command !== 'string') throw new RequestError('a request needs a command, which is a string');
        const body = await this.answer(request.command, request.arguments, request.seq);
        this.respond(request, { success: true, ...(body === undefined ? {} : { body }) });
      } catch (error) {
        this.fail(request, error);
      }
      this.answering = false;
      for (const event of this.held.splice(0)) this.sendEvent(event);
      for (const action of this.afterwards.splice(0)) action();
    }
  }

  private fail(request: DebugProtocol.Request, error: unknown): void {
    this.respond(request, { success: false, ...errorBody(error) });
  }

  private respond(request: DebugProtocol.Request, result: { success: boolean; message?: string; body?: unknown }): void {
    const seq = Number.isSafeInteger(request.seq) ? request.seq : 0;
    const { command }: { command: unknown } = request;
    this.sendResponse({ seq: 0, type: 'response', request_seq: seq, command: typeof command === 'string' ? command : JSON.stringify(command ?? ''), ...result });
  }
}
