import { INTERRUPT_ROOTS, type CalledFunction, type CallTree, type EventInTree } from './graph';
import { taskOf } from './trace';

// The tracer prints by CPU, and a tree when its outermost function returns. Of a task that went to another CPU in mid-function the end stands apart, as a
// tree that begins deep inside; the beginning stands in front of the next tree that the task made on the CPU that it left, or nowhere.

/** Of an outermost function. */
const TOP_INDENT = 2;

/** Has it lost its beginning? Interrupts may begin deep: they hit a function that is not shown. */
export const isTorn = ({ calls }: CallTree): boolean => calls.length > 0 && calls[0].indent > TOP_INDENT && !INTERRUPT_ROOTS.includes(calls[0].name);

type Open = CallTree & { calls: CalledFunction[]; events: EventInTree[] };

/** Puts together what belongs together, where the tree ended. */
export function mended(trees: readonly CallTree[]): CallTree[] {
  const whole: Open[] = [];
  for (const tree of trees) {
    const parts = partsOf(tree);
    const torn = whole.filter(other => taskOf(other) === taskOf(tree) && isTorn(other));
    for (const part of parts.slice(0, -1)) {
      const end = isTorn(part) ? undefined : torn.shift();
      if (end) {
        end.calls.unshift(...part.calls);
        end.events.unshift(...part.events);
      } else whole.push(part);
    }
    const rest = parts.at(-1)!;
    const before = whole.filter(other => taskOf(other) === taskOf(tree) && !INTERRUPT_ROOTS.includes(other.calls.at(0)?.name ?? '')).at(-1);
    if (before && isTorn(before) && isTorn(rest)) {
      before.calls.push(...rest.calls);
      before.events.push(...rest.events);
    } else whole.push(rest);
  }
  return whole;
}

/** A function of the outermost level begins a new one. */
function partsOf(tree: CallTree): Open[] {
  const parts: Open[] = [{ ...tree, calls: [], events: [] }];
  for (const call of tree.calls) {
    if (call.indent <= TOP_INDENT && parts.at(-1)!.calls.length > 0) parts.push({ ...tree, calls: [], events: [] });
    parts.at(-1)!.calls.push(call);
  }
  for (const event of tree.events) parts.filter((part, i) => i === 0 || part.calls[0].line < event.line).at(-1)!.events.push(event);
  return parts;
}
