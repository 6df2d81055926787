// A client on a real socket that trusts nobody: every message, both ways, is checked against the protocol's schema, no response
// or event may come that was not waited for, and none too early.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { Load } from '../../debug-adapter/launch';
import { serveTcp } from '../../debug-adapter/protocol/server';
import { load, MODEL_PATH, line } from './fixture/guest';
import { checkMessage, checkRequest } from './protocol-schema';

type Body<E> = E extends { body: infer B } ? B : E extends { body?: infer B } ? B : never;
export type Stopped = Body<DebugProtocol.StoppedEvent>;

export const scenario = (name: string): string => `${process.cwd()}/test/dap/fixture/${name}.irq.yaml`;
/** How VS Code names the fixture's model. */
export const MODEL = { path: `irqstep-model:/${MODEL_PATH}` };

let server: Server;
const open = new Set<TestClient>();

/** Hooks of a suite: a server, and that nothing is left over after a test. */
export function suiteHooks(loader: Load = load): void {
  before(async () => {
    server = await serveTcp(0, { load: loader, listing: 'src/kernel' });
  });
  afterEach(() => {
    for (const client of open) client.close();
    const left = [...open].flatMap(client => client.left());
    open.clear();
    assert.deepEqual(left, [], 'messages that no test waited for');
  });
  after(() => {
    server.close();
  });
}

/** Commands after which the run goes on. */
const RESUMES = new Set(['continue', 'next', 'stepIn', 'stepOut', 'stepBack', 'reverseContinue', 'restart', 'configurationDone']);

export class TestClient extends DebugClient {
  readonly socket: Socket;
  /** What arrived, in order. */
  readonly arrived: DebugProtocol.ProtocolMessage[] = [];
  /** Of the request sent last. */
  lastSeq = 0;
  private readonly faults: string[] = [];
  private readonly events: DebugProtocol.Event[] = [];
  private readonly waiting: ((event: DebugProtocol.Event) => void)[] = [];
  /** Commands that are not answered, by seq. */
  private readonly asked = new Map<number, string>();
  private text = Buffer.alloc(0);

  private constructor() {
    super('node', '', 'irqstep');
    this.socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    this.socket.on('data', (data: Buffer) => this.receive(data));
    this.connect(this.socket, this.socket);
    const write: (text: string | Uint8Array) => boolean = this.socket.write.bind(this.socket);
    this.socket.write = (text: string | Uint8Array) => {
      this.noteRequest(String(text));
      return write(text);
    };
  }

  static async open(): Promise<TestClient> {
    const client = new TestClient();
    await once(client.socket, 'connect');
    open.add(client);
    return client;
  }

  /** A client that has launched a scenario and waits to configure. */
  static async launched(name: string, args: object = {}, more: Partial<DebugProtocol.InitializeRequestArguments> = {}): Promise<TestClient> {
    const client = await TestClient.open();
    await client.initialize(more);
    await client.ask('launch', { program: name.includes('/') ? `${process.cwd()}/${name}` : scenario(name), ...args });
    await client.next('initialized');
    return client;
  }

  /** ... that stands at a line of the model, marked by a comment. */
  static async at(marker: string, name = 'alloc', condition?: string): Promise<TestClient> {
    const client = await TestClient.launched(name);
    await client.breakAt([marker], condition);
    await client.ask('configurationDone');
    await client.stops('breakpoint');
    return client;
  }

  initialize(more: Partial<DebugProtocol.InitializeRequestArguments> = {}): Promise<DebugProtocol.Capabilities> {
    return this.ask('initialize', { adapterID: 'irqstep', clientID: 'vscode', pathFormat: 'path', linesStartAt1: true, columnsStartAt1: true, supportsVariablePaging: true, ...more });
  }

  async breakAt(markers: readonly string[], condition?: string): Promise<DebugProtocol.Breakpoint[]> {
    const breakpoints = markers.map(marker => ({ line: line(marker), ...(condition === undefined ? {} : { condition }) }));
    return (await this.ask<{ breakpoints: DebugProtocol.Breakpoint[] }>('setBreakpoints', { source: MODEL, breakpoints })).breakpoints;
  }

  async breakOn(...names: (string | DebugProtocol.FunctionBreakpoint)[]): Promise<DebugProtocol.Breakpoint[]> {
    const breakpoints = names.map(name => (typeof name === 'string' ? { name } : name));
    return (await this.ask<{ breakpoints: DebugProtocol.Breakpoint[] }>('setFunctionBreakpoints', { breakpoints })).breakpoints;
  }

  /** The body of a response that has to be a success. */
  async ask<T = unknown>(command: string, args?: object): Promise<T> {
    checkRequest(command, args);
    const response = await this.send(command, args);
    return response.body as T;
  }

  /** The error of a response that has to be a failure, though the request is what the protocol says. */
  refused(command: string, args?: object): Promise<string> {
    checkRequest(command, args);
    return this.failure(command, args);
  }

  /** The same for a request that the protocol does not have, or not like this. */
  malformed(command: string, args?: object): Promise<string> {
    assert.throws(() => checkRequest(command, args), `${command} is what the protocol says`);
    return this.failure(command, args);
  }

  private async failure(command: string, args?: object): Promise<string> {
    try {
      await this.send(command, args);
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error(`${command} was not refused`);
  }

  /** The next event, which has to be this one. */
  async next<T = Record<string, never>>(name: string): Promise<T> {
    const event = await this.any();
    assert.equal(event.event, name, JSON.stringify(event));
    return event.body as T;
  }

  any(): Promise<DebugProtocol.Event> {
    const event = this.events.shift();
    return event ? Promise.resolve(event) : new Promise(resolve => this.waiting.push(resolve));
  }

  /** What the model's log says first, and then where it stops. */
  async stops(reason: string): Promise<Stopped> {
    while (this.events[0]?.event === 'output' || this.events.length === 0) {
      if (this.events.length > 0) this.events.shift();
      else await new Promise(resolve => setImmediate(resolve));
    }
    const stopped = await this.next<Stopped>('stopped');
    assert.equal(stopped.reason, reason, JSON.stringify(stopped));
    return stopped;
  }

  async go(command: string, reason: string, threadId = 1): Promise<Stopped> {
    await this.ask(command, { threadId });
    return this.stops(reason);
  }

  /** "function:line" of the frames, top first. */
  async stack(threadId = 1): Promise<string[]> {
    const { stackFrames } = await this.ask<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', { threadId });
    return stackFrames.map(frame => `${frame.name}:${frame.line}`);
  }

  async scope(name: string, frame = 0): Promise<DebugProtocol.Variable[]> {
    const { stackFrames } = await this.ask<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', { threadId: 1 });
    const { scopes } = await this.ask<{ scopes: DebugProtocol.Scope[] }>('scopes', { frameId: stackFrames[frame].id });
    return this.children(scopes.find(scope => scope.name === name)!);
  }

  async children({ variablesReference }: { variablesReference: number }, page: object = {}): Promise<DebugProtocol.Variable[]> {
    return (await this.ask<{ variables: DebugProtocol.Variable[] }>('variables', { variablesReference, ...page })).variables;
  }

  async evaluate(expression: string, more: object = {}): Promise<string> {
    return (await this.ask<{ result: string }>('evaluate', { expression, context: 'watch', ...more })).result;
  }

  close(): void {
    this.socket.destroy();
  }

  /** What is wrong with what came, and what came that nobody waited for. */
  left(): string[] {
    return [...this.faults, ...this.events.map(event => `${event.event}: ${JSON.stringify(event.body)}`)];
  }

  /** Faults that a test makes on purpose. */
  forgive(fault: RegExp): void {
    const left = this.faults.splice(0).filter(text => !fault.test(text));
    this.faults.push(...left);
  }

  /** Events that may or may not have come. */
  forget(name: string): void {
    const left = this.events.splice(0).filter(event => event.event !== name);
    this.events.push(...left);
  }

  private noteRequest(text: string): void {
    const json = /^Content-Length: \d+\r\n\r\n(\{.*\})$/s.exec(text)?.[1];
    if (json === undefined) return;
    try {
      const request = JSON.parse(json) as DebugProtocol.Request;
      this.asked.set(request.seq, request.command);
      this.lastSeq = request.seq;
    } catch {
      // A test of bad messages.
    }
  }

  private receive(data: Buffer): void {
    this.text = Buffer.concat([this.text, data]);
    for (;;) {
      const header = /^Content-Length: (\d+)\r\n\r\n/.exec(this.text.toString('latin1', 0, 40));
      const length = Number(header?.[1]);
      if (!header || this.text.length < header[0].length + length) return;
      const json = this.text.toString('utf8', header[0].length, header[0].length + length);
      this.text = this.text.subarray(header[0].length + length);
      this.note(JSON.parse(json) as DebugProtocol.ProtocolMessage);
    }
  }

  private note(message: DebugProtocol.ProtocolMessage): void {
    this.arrived.push(message);
    try {
      checkMessage(message);
      assert.equal(message.seq, this.arrived.length, 'seq counts the messages');
      if (message.type === 'event') this.noteEvent(message as DebugProtocol.Event);
      else this.noteResponse(message as DebugProtocol.Response);
    } catch (error) {
      this.faults.push((error as Error).message);
    }
  }

  private noteEvent(event: DebugProtocol.Event): void {
    const waiter = this.waiting.shift();
    if (waiter) waiter(event);
    else this.events.push(event);
    const early = [...this.asked.values()].filter(command => RESUMES.has(command));
    if (event.event === 'stopped') assert.deepEqual(early, [], 'the stop comes after the response to what led there');
  }

  private noteResponse({ request_seq, command }: DebugProtocol.Response): void {
    assert.ok(this.asked.delete(request_seq), `a response to request ${request_seq} (${command}), which waits for none`);
  }
}
