// What is shown of a stack.
import { functionOf, probeOf, type FunctionInfo, type SourceRange } from './registry';
import { $ } from './runtime';
import { findLast, type Task } from './task';

/** A frame, where it stands and its variables. The range is that of the statement (or of a compound one's head). */
export interface FrameInfo extends SourceRange {
  readonly fn: FunctionInfo;
  /** Visible and initialised variables, outermost scope first; `this` in a method. */
  readonly names: readonly string[];
  /** Their values, by index; of a caller those at the call. */
  readonly values: readonly unknown[];
  readonly probe: number;
  /** From 1, at the bottom of the stack. */
  readonly depth: number;
  /** The task or the entry that the frame belongs to. */
  readonly context: string;
}

export function frameOf(task: Task, depth: number): FrameInfo {
  const { path, line, column, endLine, endColumn, names, id } = probeOf(task.stack.pos[depth]);
  const fn = functionOf(task.stack.functionAt(depth));
  const context = findLast(task.contexts, c => c.base < depth)?.name ?? task.name;
  return { fn, path, line, column, endLine, endColumn, names, values: task.stack.vals[depth], probe: id, depth, context };
}

/** The functions on the stack that runs now, innermost first, without the script's step; none where the model is not instrumented. */
export const callsNow = (): FunctionInfo[] => Array.from({ length: $.sp }, (_, i) => functionOf($.fn[$.sp - i])).filter(({ module }) => module.source !== '');

/** The frame of what is a part of its caller is its caller's. @param frames top first */
export function mergeParts(frames: readonly FrameInfo[], isPart: (fn: FunctionInfo) => boolean): FrameInfo[] {
  return frames.flatMap((frame, i) => {
    if (i > 0 && isPart(frames[i - 1].fn)) return [];
    const owner = frames.slice(i).find(({ fn }) => !isPart(fn)) ?? frame;
    return [{ ...frame, fn: owner.fn, depth: owner.depth, context: owner.context }];
  });
}

/** The task, and the entries on it: `swapper/1 > vector 33`. */
export function threadName(task: Task): string {
  const names = task.contexts.map(c => c.name);
  return (names[0] === task.name ? names : [task.name, ...names]).join(' > ');
}
