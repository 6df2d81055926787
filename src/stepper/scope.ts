// Which variables a statement can name without a ReferenceError.
import type * as t from '@babel/types';
import { bindingNames, isFunction, isNode, nodesIn } from './syntax';

/**
 * The names of one block or function. A name is declared in its whole scope, and so hides outer ones, but has a value only
 * from its declaration on.
 */
export class Scope {
  private readonly declared: Set<string>;
  private ready: string[] = [];

  /** @param owner 'function' also holds the `var`s of inner blocks; a module's own names are not variables of a frame */
  constructor(
    private readonly parent: Scope | undefined,
    private readonly owner: 'module' | 'function' | 'block',
    declared: Iterable<string>,
  ) {
    this.declared = new Set(declared);
  }

  /** These have values from here on. */
  initialise(names: Iterable<string>): void {
    for (const name of names) if (!this.ready.includes(name)) this.ready.push(name);
  }

  /** The same for a `var`, which belongs to the function. */
  initialiseVar(names: Iterable<string>): void {
    if (this.owner === 'block' && this.parent) this.parent.initialiseVar(names);
    else this.initialise(names);
  }

  /** A jump into the block: none of its own names has a value. */
  forget(): void {
    this.ready = [];
  }

  /** The variables that have values, outermost scope first. */
  visible(hidden: ReadonlySet<string> = new Set()): string[] {
    if (this.owner === 'module') return [];
    const outer = this.parent?.visible(new Set([...hidden, ...this.declared])) ?? [];
    return [...outer, ...this.ready.filter(name => !hidden.has(name))];
  }
}

/** What a list of statements declares for its own block: let, const, class, function, enum. */
export function lexicalNames(statements: readonly t.Node[]): string[] {
  return statements.flatMap(s => {
    const node = (s.type === 'ExportNamedDeclaration' || s.type === 'ExportDefaultDeclaration') && s.declaration ? s.declaration : s;
    switch (node.type) {
      case 'VariableDeclaration':
        return node.kind === 'var' ? [] : node.declarations.flatMap(d => bindingNames(d.id));
      case 'FunctionDeclaration':
      case 'ClassDeclaration':
      case 'TSEnumDeclaration':
        return node.id ? [node.id.name] : [];
      case 'ImportDeclaration':
        return node.specifiers.map(i => i.local.name);
      default:
        return [];
    }
  });
}

/** The `var`s of a function's body, from whatever depth. */
export function varNames(node: t.Node): string[] {
  const own = node.type === 'VariableDeclaration' && node.kind === 'var' ? node.declarations.flatMap(d => bindingNames(d.id)) : [];
  const inner = nodesIn(node).flatMap(child => (isNode(child) && !isFunction(child) ? varNames(child) : []));
  return [...own, ...inner];
}
