// Model code without generators, for measuring what they cost.
import type * as t from '@babel/types';
import MagicString from 'magic-string';
import { isFunction, isGenerator, nodesIn, parseModule, SourceError, type FunctionNode } from './syntax';

/**
 * Turns generator functions into plain ones and `yield* f()` into `f()`; a wait waits for nothing.
 * @throws SourceError where the source cannot be parsed
 */
export function erase(source: string, path: string): { readonly code: string; readonly map: string } {
  const text = new MagicString(source);
  walk(parseModule(source, path));
  return { code: text.toString(), map: text.generateMap({ source: path, hires: 'boundary' }).toString() };

  function walk(node: t.Node): void {
    if (isFunction(node) && isGenerator(node)) removeStar(node);
    else if (node.type === 'YieldExpression') removeYield(node);
    for (const child of nodesIn(node)) walk(child);
  }

  function removeStar(node: FunctionNode): void {
    const before = 'key' in node ? node.key.start! : node.body.start!;
    const head = source.slice(node.start!, before);
    const star = 'key' in node ? head.lastIndexOf('*') : head.indexOf('*');
    text.remove(node.start! + star, node.start! + star + 1);
  }

  function removeYield(node: t.YieldExpression): void {
    const keyword = /^yield\s*\*\s*/.exec(source.slice(node.start!, node.end!));
    if (node.delegate && !keyword) throw new SourceError(`${path}:${node.loc!.start.line}: write yield* as one word`);
    if (keyword && node.delegate) text.remove(node.start!, node.start! + keyword[0].length);
    else text.overwrite(node.start!, node.start! + 'yield'.length, node.argument ? 'void' : 'void 0');
  }
}
