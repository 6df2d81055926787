// Two sessions side by side: where the other kernel's run stands when this one stands here.
import type { Compared, CompareRequests, FrameMark } from '../compare-protocol';
import { RequestError } from '../protocol/errors';
import { request } from '../protocol/registry';
import type { Session } from '../session';
import { Comparison } from './comparison';

export const compareRequests = [
  request('irqstep/compare', { args: { 'kernel?': 'string' } }, ({ kernel }, session): CompareRequests['irqstep/compare']['body'] => {
    const { run, comparison } = session;
    if (!run || run.state === 'terminated') throw new RequestError('irqstep/compare: nothing has been launched');
    if (kernel !== undefined && comparison?.other.kernel === kernel) return { kernel: run.kernel, state: comparison.isReady ? 'ready' : 'comparing' };
    if (kernel === undefined) {
      session.comparison = undefined;
      session.framesChanged();
      return { kernel: run.kernel, state: 'alone' };
    }
    const next = new Comparison({ kernel: run.kernel, make: run.make }, { kernel, make: session.makeOn(kernel) });
    session.comparison = next;
    session.connection.later(() => void prepare(next, session));
    return { kernel: run.kernel, state: 'comparing' };
  }),

  request('irqstep/counterpart', { args: {}, stopped: true }, (_args, session): CompareRequests['irqstep/counterpart']['body'] => {
    const { comparison } = session;
    const run = session.run!;
    if (!comparison?.isReady) throw new RequestError(`irqstep/counterpart: ${comparison ? `the comparison with ${comparison.other.kernel} is not ready yet` : 'there is none: irqstep/compare names the kernel'}`);
    const frames = run.stepper.frames(run.thread);
    const marks = session.marks(run.thread).flatMap((mark, i): FrameMark[] => {
      if (!mark) return [];
      const { path, line } = frames[i];
      return [{ path: run.sources.source(path).path ?? path, line: run.client.line(line), text: mark.text }];
    });
    return { ...comparison.counterpart(run.state === 'over' ? Infinity : run.stepper.step), marks };
  }),

  request('irqstep/goTo', { args: { step: 'number' }, stopped: true }, ({ step }, session): CompareRequests['irqstep/goTo']['body'] => {
    if (!Number.isSafeInteger(step) || step < 1) throw new RequestError(`irqstep/goTo: found step ${step}; expected a number from 1 on`);
    session.follow(step);
    return {};
  }),
];

async function prepare(comparison: Comparison, session: Session): Promise<void> {
  const body: Compared = { kernel: comparison.other.kernel };
  try {
    if (!(await comparison.prepare())) return;
  } catch (error) {
    body.error = error instanceof Error ? error.message : String(error);
    if (session.comparison === comparison) session.comparison = undefined;
  }
  session.framesChanged();
  session.connection.event('irqstep/compared', body);
}
