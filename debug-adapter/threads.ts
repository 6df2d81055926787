// CPUs that run something, and tasks that sleep.
import { request } from './protocol/registry';
import { END_THREAD, type Run } from './run';

export const threadRequests = [request('threads', { args: {} }, (_args, { run }) => ({ threads: run && run.state !== 'ready' && run.state !== 'terminated' ? threadsOf(run) : [] }))];

export function threadsOf(run: Run): { id: number; name: string }[] {
  const threads = run.stepper.threads().map(({ id, name, cpu, kind }) => ({ id, name: kind === 'cpu' ? `CPU ${cpu}: ${name}` : `${name} (sleeps)` }));
  // A client asks for the frames of a thread only: the end needs one to be seen.
  const atEnd = run.state !== 'running' && run.thread === END_THREAD;
  return atEnd || threads.length === 0 ? [{ id: END_THREAD, name: run.state === 'running' ? 'running' : 'end of the scenario' }, ...threads] : threads;
}
