// A run of the model as a tracer of functions and events shows a kernel.
import type { Capture } from '../capture/capture';
import { compiledOf } from '../capture/model-and-capture/compiled';
import { hasFunction } from '../capture/model-and-capture/lacking';
import { ROOTS } from '../capture/model-and-capture/call-recorder';
import { isCompared } from '../capture/model-and-capture/counted-functions';
import { eventNode } from '../capture/two-captures/captured-trees';
import { gsisOf, renames } from '../capture/two-captures/irq-keys';
import { EventIdentity } from '../capture/two-captures/totals';
import { INTERRUPT_ROOTS } from '../capture/reading/graph';
import type { TreeNode } from '../compare/tree';
import type { Call, Recording } from '../recording/call-tree';
import { itemText } from '../recording/tree-text';

/** A step: the calls below those functions from which a capture's tracer starts, and the events alone, as its trace has them. */
export interface RunStep {
  readonly name: string;
  readonly place: string;
  readonly calls: readonly TreeNode[];
  readonly events: readonly TreeNode[];
}

/** @param capture whose build tells which calls show at all */
export function runSteps({ steps }: Recording, capture: Capture): RunStep[] {
  const compiled = compiledOf(capture.uname, capture.trees);
  const shows = (name: string, caller: string): boolean => isCompared(name) && (hasFunction(capture.kernel, name) !== true || compiled.shows(name, { name: caller, file: '' }));
  const identity = (): EventIdentity => new EventIdentity(renames(gsisOf(capture)));
  return steps.map(({ call }) => ({ name: call.name, place: `${call.path}:${call.line}`, calls: new TracedCalls(identity(), shows).of(call, false), events: eventsOf(call, identity()) }));
}

class TracedCalls {
  constructor(
    private readonly identity: EventIdentity,
    private readonly shows: (name: string, caller: string) => boolean,
  ) {}

  /** What is below a call. @param traced whether it is below a function from which the tracer starts, or one itself */
  of({ name, items, cpu }: Call, traced: boolean): TreeNode[] {
    return items.flatMap((item): TreeNode[] => {
      if ('trace' in item) return traced ? [eventNode(item.trace, this.identity, false)] : [];
      if (!('call' in item)) return [];
      const { call } = item;
      const isTraced = traced || ROOTS.has(call.name);
      const children = this.of(call, isTraced);
      if (!isTraced || !this.shows(call.name, name)) return children;
      // Interrupts that only acknowledge come with any clock.
      if (INTERRUPT_ROOTS.includes(call.name) && children.length === 0) return [];
      return [{ key: call.name, text: itemText(item, cpu), identity: call.name, place: `${call.path}:${call.line}`, children }];
    });
  }
}

function eventsOf(step: Call, identity: EventIdentity): TreeNode[] {
  const walk = ({ items }: Call): TreeNode[] =>
    items.flatMap(item => {
      if ('call' in item) return walk(item.call);
      return 'trace' in item ? [eventNode(item.trace, identity, false)] : [];
    });
  return walk(step);
}
