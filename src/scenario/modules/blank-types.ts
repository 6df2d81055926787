// TypeScript without its types: blanks stand in their place, so that nothing else moves.
import type * as t from '@babel/types';
import { isNode, SourceError } from '../../stepper/syntax';

/** Statements that only the type checker reads. */
const TYPES_ONLY = new Set(['TSInterfaceDeclaration', 'TSTypeAliasDeclaration', 'TSDeclareFunction', 'TSDeclareMethod', 'TSIndexSignature', 'ImportDeclaration']);
/** Parts of others. */
const TYPES = new Set(['TSTypeAnnotation', 'TSTypeParameterDeclaration', 'TSTypeParameterInstantiation']);
/** TypeScript that makes code, and what to write instead. */
const NO_TYPES = new Map([
  ['TSEnumDeclaration', 'an enum; expected a constant object: const MODE = { EDGE: 1 } as const'],
  ['TSModuleDeclaration', 'a namespace; expected a module of its own'],
  ['TSParameterProperty', 'a parameter that is a property; expected a property, and an assignment in the constructor'],
  ['TSImportEqualsDeclaration', 'import =; expected import { ... } from'],
  ['TSExportAssignment', 'export =; expected export before each declaration'],
  ['TSTypeAssertion', 'a type in angle brackets; expected: value as Type'],
  ['Decorator', 'a decorator; expected none'],
]);
/** Where a line may end without a semicolon. */
const ENDS_BY_LINE = new Set(['ExpressionStatement', 'VariableDeclaration', 'ReturnStatement', 'ThrowStatement', 'ClassProperty', 'ClassPrivateProperty']);
const MODIFIERS = /\b(?:public|private|protected|readonly|override|abstract|declare)\b/g;

/**
 * JavaScript of the same length, each line and column where it was. Imports and the word `export` are blanks too: a module's surroundings are its loader's.
 * @throws SourceError for TypeScript that is more than types
 */
export function blankTypes(source: string, program: t.Program, path: string): string {
  const blanker = new Blanker(source, path);
  for (const statement of program.body) blanker.visit(statement);
  return blanker.text;
}

class Blanker {
  private readonly blank: Uint8Array;
  /** what stands at a place instead */
  private readonly put = new Map<number, string>();

  constructor(
    private readonly source: string,
    private readonly path: string,
  ) {
    this.blank = new Uint8Array(source.length);
  }

  get text(): string {
    return Array.from(this.blank, (blank, i) => this.put.get(i) ?? (blank && !/[\n\r\u2028\u2029]/.test(this.source[i]) ? ' ' : this.source[i])).join('');
  }

  visit(node: t.Node): void {
    const refused = NO_TYPES.get(node.type);
    const declared = 'declare' in node && node.declare === true;
    if (TYPES_ONLY.has(node.type) || declared || ('abstract' in node && node.abstract === true && node.type !== 'ClassDeclaration')) this.statement(node);
    else if (refused !== undefined) throw this.refuse(node, `found ${refused}`);
    else if (TYPES.has(node.type)) this.erase(node.start!, node.end!);
    else this.inside(node);
  }

  private inside(node: t.Node): void {
    switch (node.type) {
      case 'ExportNamedDeclaration':
        if (!node.declaration || node.exportKind === 'type') this.statement(node);
        else {
          this.erase(node.start!, node.declaration.start!);
          this.visit(node.declaration);
        }
        return;
      case 'ExportDefaultDeclaration':
        throw this.refuse(node, 'found export default; expected a name: export function* init(), export const');
      case 'ExportAllDeclaration':
        throw this.refuse(node, 'found export *; expected the names: export { a, b } from');
      case 'TSAsExpression':
      case 'TSSatisfiesExpression':
      case 'TSNonNullExpression':
        this.erase(node.expression.end!, node.end!);
        this.visit(node.expression);
        return;
      case 'Identifier':
        this.mark(node, node.start! + node.name.length);
        break;
      case 'VariableDeclarator':
        if (node.definite) this.mark(node, node.id.start! + (node.id as t.Identifier).name.length);
        break;
      case 'ClassDeclaration':
      case 'ClassExpression':
        this.classHead(node);
        break;
      case 'ClassProperty':
      case 'ClassPrivateProperty':
      case 'ClassMethod':
      case 'ClassPrivateMethod':
        this.member(node);
        break;
      default:
        if ('params' in node && Array.isArray(node.params)) this.parameters(node as t.ArrowFunctionExpression);
    }
    this.children(node);
    if (ENDS_BY_LINE.has(node.type)) this.endOf(node);
  }

  private children(node: t.Node): void {
    for (const [key, value] of Object.entries(node)) {
      if (key === 'loc' || key === 'extra' || key.endsWith('Comments') || key === 'implements') continue;
      const head = (node.type === 'ForStatement' && key === 'init') || ((node.type === 'ForOfStatement' || node.type === 'ForInStatement') && key === 'left');
      for (const child of (Array.isArray(value) ? value : [value]) as unknown[]) {
        if (!isNode(child)) continue;
        if (head && child.type === 'VariableDeclaration') child.declarations.forEach(declarator => this.visit(declarator));
        else this.visit(child);
      }
    }
  }

  /** `?` or `!` behind a name. */
  private mark(node: t.Node, from: number): void {
    const found = /^\s*[?!]/.exec(this.source.slice(from, node.end!));
    if (found) this.erase(from, from + found[0].length);
  }

  private classHead(node: t.Class): void {
    const keyword = this.source.indexOf('class', node.start!);
    if ('abstract' in node && node.abstract) this.erase(node.start!, keyword);
    const first = node.implements?.[0];
    if (first) this.erase(this.source.lastIndexOf('implements', first.start!), node.body.start!);
  }

  private member(node: t.ClassProperty | t.ClassPrivateProperty | t.ClassMethod | t.ClassPrivateMethod): void {
    for (const { index, 0: word } of this.source.slice(node.start!, node.key.start!).matchAll(MODIFIERS)) this.erase(node.start! + index, node.start! + index + word.length);
    const computed = 'computed' in node && node.computed;
    const behind = computed ? this.source.indexOf(']', node.key.end!) + 1 : node.key.end!;
    if (('optional' in node && node.optional) || ('definite' in node && node.definite)) this.mark(node, behind);
    if ('params' in node) this.parameters(node);
  }

  /** `this` is no parameter; between the parameters of an arrow function and its arrow no line may end. */
  private parameters(node: t.ArrowFunctionExpression | t.ClassMethod | t.ClassPrivateMethod): void {
    const [first, second] = node.params;
    if ((first as t.Node | undefined)?.type === 'Identifier' && (first as t.Identifier).name === 'this') this.erase(first.start!, (second as t.Node | undefined)?.start ?? first.end!);
    const type = node.type === 'ArrowFunctionExpression' ? node.returnType : undefined;
    if (!type || !this.source.slice(type.start!, type.end!).includes('\n')) return;
    this.put.set(this.source.lastIndexOf(')', type.start! - 1), ' ');
    this.put.set(type.end! - 1, ')');
  }

  /** What ended with its type and the line still ends there. */
  private endOf(node: t.Node): void {
    const last = node.end! - 1;
    if (this.blank[last] && this.source[last] !== ';') this.put.set(last, ';');
  }

  private statement(node: t.Node): void {
    this.erase(node.start!, node.end!);
    this.put.set(node.start!, ';');
  }

  private erase(start: number, end: number): void {
    this.blank.fill(1, start, end);
  }

  private refuse(node: t.Node, reason: string): SourceError {
    const { line, column } = node.loc!.start;
    return new SourceError(`${this.path}:${line}:${column + 1}: ${reason}`, { line, column: column + 1, reason });
  }
}
