import { functionOf, probeOf } from '../../stepper/registry';
import { $ } from '../../stepper/runtime';

/** The model's call stack now, innermost function first: `irq_matrix_alloc (irq/matrix.ts:212)`. Where the model is not instrumented it is empty. */
export function stackNow(): string[] {
  const frames: string[] = [];
  for (let depth = $.sp; depth > 0; depth--) {
    const fn = functionOf($.fn[depth]);
    // The innermost function has not called anything, so that its position is not noted.
    const call = depth < $.sp ? $.pos[depth] : undefined;
    const line = call === undefined ? fn.line : probeOf(call).line;
    frames.push(`${fn.name} (${fn.module.path}:${line})`);
  }
  return frames;
}
