// Questions about syntax trees.
import { parse } from '@babel/parser';
import type * as t from '@babel/types';

/** Source that cannot be instrumented: where, and what is wrong. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  /** @param at 1-based; absent: the message says it, or nothing can */
  constructor(
    message: string,
    readonly at?: { readonly line: number; readonly column: number; readonly reason: string },
  ) {
    super(message);
  }
}

/** @throws SourceError where the source is not TypeScript */
export function parseModule(source: string, path: string): t.Program {
  try {
    return parse(source, { sourceType: 'module', plugins: ['typescript', 'explicitResourceManagement'], createParenthesizedExpressions: true }).program;
  } catch (error) {
    const { line, column } = (error as { loc?: { line: number; column: number } }).loc ?? { line: 1, column: 0 };
    const reason = (error as Error).message.replace(/ \(\d+:\d+\)$/, '');
    throw new SourceError(`${path}:${line}:${column + 1}: ${reason}`, { line, column: column + 1, reason });
  }
}

export type FunctionNode = t.FunctionDeclaration | t.FunctionExpression | t.ArrowFunctionExpression | t.ObjectMethod | t.ClassMethod | t.ClassPrivateMethod;
export type LoopNode = t.ForStatement | t.ForInStatement | t.ForOfStatement | t.WhileStatement | t.DoWhileStatement;

const FUNCTIONS: readonly string[] = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression', 'ObjectMethod', 'ClassMethod', 'ClassPrivateMethod'];
const LOOPS: readonly string[] = ['ForStatement', 'ForInStatement', 'ForOfStatement', 'WhileStatement', 'DoWhileStatement'];

export const isNode = (value: unknown): value is t.Node => typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
export const isFunction = (node: t.Node): node is FunctionNode => FUNCTIONS.includes(node.type);
export const isLoop = (node: t.Node): node is LoopNode => LOOPS.includes(node.type);
export const isGenerator = (node: FunctionNode): boolean => node.type !== 'ArrowFunctionExpression' && node.generator === true && !node.async;

const NOT_CODE = new Set(['loc', 'leadingComments', 'trailingComments', 'innerComments', 'extra', 'errors', 'typeAnnotation', 'returnType', 'typeParameters', 'typeArguments', 'superTypeParameters', 'implements', 'predicate']);

/** The nodes right below one, in the source's order, without types. */
export function nodesIn(node: t.Node): t.Node[] {
  const below = Object.entries(node).filter(([key]) => !NOT_CODE.has(key));
  return below.flatMap(([, value]) => (Array.isArray(value) ? (value as unknown[]) : [value as unknown])).filter(isNode);
}

/** The variables that a parameter or the left side of a declaration makes. */
export function bindingNames(pattern: t.Node): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return pattern.name === 'this' ? [] : [pattern.name];
    case 'ObjectPattern':
      return pattern.properties.flatMap(p => bindingNames(p.type === 'RestElement' ? p.argument : p.value));
    case 'ArrayPattern':
      return pattern.elements.flatMap(e => (e ? bindingNames(e) : []));
    case 'AssignmentPattern':
      return bindingNames(pattern.left);
    case 'RestElement':
      return bindingNames(pattern.argument);
    case 'TSParameterProperty':
      return bindingNames(pattern.parameter);
    default:
      return [];
  }
}

/** Statements that do nothing where they stand. */
const NOTHING = new Set(['EmptyStatement', 'FunctionDeclaration', 'TSDeclareFunction', 'TSInterfaceDeclaration', 'TSTypeAliasDeclaration']);
/** Statements that do nothing of their own: a stop at them would only be in the way. */
const SILENT = new Set([...NOTHING, 'BlockStatement', 'TryStatement', 'LabeledStatement']);

/** Does a probe stand before this statement? A label's stands before the label. */
export function isProbed(statement: t.Statement): boolean {
  if (statement.type === 'LabeledStatement') return isProbed(statement.body);
  return !SILENT.has(statement.type) && !('declare' in statement && statement.declare === true);
}

/** Is a probe passed whenever these statements run? */
export function passesProbe(statements: readonly t.Statement[]): boolean {
  return statements.some(s => isProbed(s) || (s.type === 'BlockStatement' && passesProbe(s.body)) || (s.type === 'TryStatement' && passesProbe(s.block.body)) || (s.type === 'LabeledStatement' && passesProbe([s.body])));
}

/** Is a probe passed before anything else when these statements run? */
export function beginsWithProbe(statements: readonly t.Statement[]): boolean {
  const first = statements.find(s => !NOTHING.has(s.type));
  if (!first) return false;
  if (isProbed(first)) return true;
  if (first.type === 'LabeledStatement') return beginsWithProbe([first.body]);
  return (first.type === 'BlockStatement' && beginsWithProbe(first.body)) || (first.type === 'TryStatement' && beginsWithProbe(first.block.body));
}

/** Where the part of a statement ends that a stop at it shows: the head of a compound one. */
export function headEnd(statement: t.Statement, source: string): number {
  switch (statement.type) {
    case 'IfStatement':
      return closingParenthesis(source, statement.test.end!, statement.consequent.start!);
    case 'ForStatement':
    case 'ForInStatement':
    case 'ForOfStatement':
    case 'WhileStatement':
      return closingParenthesis(source, statement.start!, statement.body.start!);
    case 'DoWhileStatement':
      return statement.start! + 'do'.length;
    case 'SwitchStatement':
      return source.indexOf(')', statement.discriminant.end!) + 1;
    case 'LabeledStatement':
      return headEnd(statement.body, source);
    case 'ClassDeclaration':
      return statement.body.start!;
    default:
      return statement.end!;
  }
}

function closingParenthesis(source: string, from: number, to: number): number {
  return from + source.slice(from, to).lastIndexOf(')') + 1;
}
