// The frames of a thread, and the scopes of a frame.
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { FrameInfo } from '../src/stepper/stepper';
import type { Mark } from './compare/comparison';
import { gone } from './protocol/errors';
import { request } from './protocol/registry';
import { END_THREAD, type Run } from './run';
import { scopesOf } from './variables/scopes';

export const stackRequests = [
  request(
    'stackTrace',
    { args: { threadId: 'number', 'startFrame?': 'number', 'levels?': 'number' }, capability: 'supportsDelayedStackTraceLoading', stopped: true },
    ({ threadId, startFrame = 0, levels = 0 }, session) => {
      const { run } = session;
      const marks = session.marks(threadId);
      const frames = run!.stepper.frames(threadId);
      if (frames.length === 0) return endOf(run!, threadId);
      const page = frames.slice(startFrame, levels > 0 ? startFrame + levels : undefined);
      return { stackFrames: page.map((frame, i) => frameOf(run!, threadId, startFrame + i, frame, marks.at(startFrame + i))), totalFrames: frames.length };
    },
  ),

  request('scopes', { args: { frameId: 'number' }, stopped: true }, ({ frameId }, { run }) => {
    const frames = run!.framesFrom(frameId);
    if (!frames) throw gone(`frame ${frameId}`);
    const scopes = scopesOf(frames, run!.world);
    return {
      scopes: scopes.map(({ name, hint, expensive, container }) => ({
        name,
        ...(hint === undefined ? {} : { presentationHint: hint }),
        variablesReference: run!.variables.add(container, undefined),
        expensive,
      })),
    };
  }),

  request(
    'variables',
    { args: { variablesReference: 'number', 'filter?': 'string', 'start?': 'number', 'count?': 'number', 'format?': { 'hex?': 'boolean' } }, stopped: true },
    ({ variablesReference, filter, start, count, format }, { run }) => ({ variables: run!.variables.variables(variablesReference, { filter, start, count, hex: format?.hex ?? false }) }),
  ),
];

function frameOf(run: Run, thread: number, index: number, frame: FrameInfo, mark: Mark | undefined): DebugProtocol.StackFrame {
  const name = mark ? `${frame.fn.name} ${mark.sign}` : frame.fn.name;
  // Without an end: an editor would select the statement.
  return { id: run.frameId(thread, index), name, source: run.sources.source(frame.path), line: run.client.line(frame.line), column: run.client.column(frame.column) };
}

/** Nothing runs any more: what stands there is the scenario, behind its last step. */
function endOf(run: Run, threadId: number): { stackFrames: DebugProtocol.StackFrame[]; totalFrames: number } {
  const last = run.stepper.guest.steps?.().at(-1);
  if (threadId !== END_THREAD || !last) return { stackFrames: [], totalFrames: 0 };
  const line = run.client.line(last.source.endLine ?? last.source.line);
  return { stackFrames: [{ id: run.frameId(threadId, 0), name: 'end of the scenario', source: run.sources.source(last.source.path), line, column: run.client.column(1) }], totalFrames: 1 };
}
