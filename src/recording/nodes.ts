import { withoutFigures } from '../compare/figures';
import type { TreeNode } from '../compare/tree';
import { errnoName } from '../kernel/lib/errno';
import type { Call, Item, RecordableGuest, Recording } from './call-tree';
import { itemText } from './tree-text';

/** Gets each call with its node. */
export type Seen = (node: TreeNode, call: Call) => void;

/** The steps of a run as trees to compare, the error that ended it in the last one. */
export function nodesOf({ steps, stop, failedAt }: Pick<Recording<RecordableGuest>, 'steps' | 'stop' | 'failedAt'>, seen: Seen = () => undefined): TreeNode[] {
  const nodes = steps.map(({ call, result }) => callNode(call, call.name, seen, result === undefined ? [] : [leaf('=', `= ${errnoName(result) ?? result}`)]));
  if (!stop.error) return nodes;
  const where = failedAt.length > 0 ? `, in ${failedAt[0].fn.name}()` : '';
  return [...nodes, leaf('failed', `the run failed: ${stop.error.message}${where}`)];
}

function callNode(call: Call, text: string, seen: Seen, more: readonly TreeNode[] = []): TreeNode {
  const { name, path, line, items, cpu } = call;
  const node = { key: name, text, place: `${path}:${line}`, children: [...items.map(item => itemNode(item, cpu, seen)), ...more] };
  seen(node, call);
  return node;
}

function itemNode(item: Item, cpu: number, seen: Seen): TreeNode {
  const text = itemText(item, cpu);
  if ('call' in item) return callNode(item.call, text, seen);
  if ('trace' in item) return leaf(`* ${item.trace.event}`, text);
  if ('hardware' in item) return leaf(`~ ${item.hardware.kind}`, text);
  if ('limit' in item) return leaf(`# ${withoutFigures(text)}`, text);
  // Of a line of the log the figures are what may differ.
  return leaf(`! ${withoutFigures(item.log.text)}`, text);
}

const leaf = (key: string, text: string): TreeNode => ({ key, text, children: [] });
