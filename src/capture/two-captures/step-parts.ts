// A capture's steps without what only the rig adds: to compare them with those of somebody else's scenario.
import type { TreeNode } from '../../compare/tree';
import type { Capture } from '../capture';
import { GRAPH_LINES } from '../reading/graph';
import { capturedTrees, isFrame } from './captured-trees';

export interface StepParts {
  readonly name: string;
  readonly place: string;
  /** whether the function graph tracer was on: then there are calls, otherwise events alone */
  readonly traced: boolean;
  readonly nodes: readonly TreeNode[];
}

/** What was called, or which events were made, in each step, whoever did it; interrupts come last. */
export function stepParts(capture: Capture): StepParts[] {
  const [, ...trees] = capturedTrees(capture, 'appearance');
  return capture.script.steps.map(({ name, start }, i) => ({ name, place: trees[i].place!, traced: start.line > GRAPH_LINES, nodes: trees[i].children.flatMap(inner) }));
}

/** A task or a command stands for what it did. */
function inner(node: TreeNode): readonly TreeNode[] {
  if (node.key === '=') return [];
  return isFrame(node) ? node.children.flatMap(inner) : [node];
}
