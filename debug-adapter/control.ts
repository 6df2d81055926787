// Going on, going back, stopping for good.
import type { Goal } from '../src/stepper/stepper';
import { RequestError } from './protocol/errors';
import { request } from './protocol/registry';
import type { Session } from './session';
import { threadsOf } from './threads';

const STEP = { threadId: 'number', 'granularity?': 'string', 'singleThread?': 'boolean' } as const;

/** Forwards from the end there is nothing but the end of the session. */
function forward(goal: Goal, session: Session): void {
  const run = session.run!;
  if (run.state === 'over' || run.failed) { session.terminate(run); return; }
  session.resume(goal);
}

const step = (kind: 'next' | 'stepIn' | 'stepOut') =>
  request(kind, { args: STEP, stopped: true }, ({ threadId }, session) => forward({ kind, thread: known(threadId, kind, session) }, session));

/** A step of a thread that is not there would be one of any. */
function known(thread: number, command: string, { run }: Session): number {
  const threads = threadsOf(run!).map(({ id }) => id);
  if (!threads.includes(thread)) throw new RequestError(`${command}: there is no thread ${thread}; there is ${threads.join(', ')}`);
  return thread;
}

export const controlRequests = [
  request('continue', { args: { threadId: 'number', 'singleThread?': 'boolean' }, stopped: true }, (_args, session) => {
    forward({ kind: 'continue' }, session);
    return { allThreadsContinued: true };
  }),
  step('next'),
  step('stepIn'),
  step('stepOut'),

  // A statement is the smallest step forwards; one instruction back is the statement before, in whatever frame.
  request('stepBack', { args: STEP, capability: ['supportsStepBack', 'supportsSteppingGranularity'], stopped: true }, ({ threadId, granularity }, session) =>
    session.resume(granularity === 'instruction' ? { kind: 'backInto' } : { kind: 'back', thread: known(threadId, 'stepBack', session) }),
  ),
  request('reverseContinue', { args: { threadId: 'number' }, stopped: true }, (_args, session) => session.resume({ kind: 'reverseContinue' })),

  // What stops by itself in the meantime needs no pause.
  request('pause', { args: { threadId: 'number' } }, (_args, { run }) => {
    if (!run) throw new RequestError('pause: nothing has been launched');
    run.stepper.pause();
  }),

  request('cancel', { args: { 'requestId?': 'number', 'progressId?': 'string' }, capability: 'supportsCancelRequest' }, ({ requestId }, { connection }) => {
    if (requestId !== undefined) connection.cancel(requestId);
  }),

  request('terminate', { args: {}, capability: 'supportsTerminateRequest' }, (_args, session) => {
    if (session.run) session.terminate(session.run);
  }),

  request('disconnect', { args: {} }, (_args, session) => {
    session.end();
    session.connection.later(() => session.connection.stop());
  }),
];
