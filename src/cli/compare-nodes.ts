import type { TreeNode } from '../compare/tree';
import { errnoName } from '../kernel/lib/errno';
import type { Call, Item, Recording } from './call-tree';
import { withoutFigures } from './repeated';
import { itemText } from './tree-text';

/** The steps of a run as trees to compare, the error that ended it in the last one. */
export function nodesOf({ steps, stop, failedAt }: Recording): TreeNode[] {
  const nodes = steps.map(({ call, result }) => ({
    key: call.name,
    text: call.name,
    place: `${call.path}:${call.line}`,
    children: [...itemNodes(call), ...(result === undefined ? [] : [leaf('=', `= ${errnoName(result) ?? result}`)])],
  }));
  if (!stop.error) return nodes;
  const where = failedAt.length > 0 ? `, in ${failedAt[0].fn.name}()` : '';
  return [...nodes, leaf('failed', `the run failed: ${stop.error.message}${where}`)];
}

const itemNodes = ({ items, cpu }: Call): TreeNode[] => items.map(item => itemNode(item, cpu));

function itemNode(item: Item, cpu: number): TreeNode {
  const text = itemText(item, cpu);
  if ('call' in item) return { key: item.call.name, text, place: `${item.call.path}:${item.call.line}`, children: itemNodes(item.call) };
  if ('trace' in item) return leaf(`* ${item.trace.event}`, text);
  if ('hardware' in item) return leaf(`~ ${item.hardware.kind}`, text);
  if ('limit' in item) return leaf(`# ${withoutFigures(text)}`, text);
  // Of a line of the log the figures are what may differ.
  return leaf(`! ${withoutFigures(item.log.text)}`, text);
}

const leaf = (key: string, text: string): TreeNode => ({ key, text, children: [] });
