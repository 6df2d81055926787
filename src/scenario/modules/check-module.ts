import type * as t from '@babel/types';
import { bindingNames, isFunction, isGenerator, isNode, nodesIn } from '../../stepper/syntax';
import type { Diagnostic } from '../diagnostic';
import { suggestion } from '../nearest';
import { callbackNames } from './contracts';
import { isOpFunction, modelNames, modelValue } from './model-names';
import { MODEL, type ModuleSource } from './module-source';
import { LANGUAGE, NO_RANDOM, NOT_HERE, notHere } from './surroundings';

/** What is wrong with a module that JavaScript would say too late, or never. */
export function checkModule(module: ModuleSource): Diagnostic[] {
  const checker = new Checker(module);
  checker.imports();
  checker.walk(module.program, []);
  return checker.problems;
}

/** What calling something by its name gives. */
type Kind = 'op' | 'plain' | undefined;

class Checker {
  readonly problems: Diagnostic[] = [];
  private readonly declared: ReadonlySet<string>;
  /** functions by name, wherever they stand; undefined: there are several kinds, or it is no function */
  private readonly kinds = new Map<string, Kind>();
  private readonly methods = new Map<string, Kind>();

  constructor(private readonly module: ModuleSource) {
    this.declared = new Set([...module.imports.map(({ local }) => local), ...declarations(module.program)]);
    this.gather(module.program);
    for (const { local, name, module: from } of module.imports) if (name !== undefined) this.kinds.set(local, from ? kindIn(from, name) : modelKind(name));
  }

  /** Names that are not there are not found out otherwise: what is only a type is nothing when it runs. */
  imports(): void {
    const used = new Set(identifiers(this.module.program));
    for (const { local, name, module: from, node } of this.module.imports) {
      if (name === undefined || !used.has(local)) continue;
      const known = from ? [...from.exports.keys(), ...from.reexports.keys()] : modelNames;
      if (!known.includes(name)) this.report(node, `${from ? from.path : MODEL} exports no value ${name}${suggestion(name, known)}`);
    }
    for (const [, { module: from, name }] of this.module.reexports) {
      if (!from.exports.has(name) && !from.reexports.has(name)) this.report(this.module.program, `${from.path} exports no value ${name}`);
    }
  }

  walk(node: t.Node, above: readonly t.Node[]): void {
    this.look(node, above);
    const inner = [node, ...above];
    for (const child of nodesIn(node)) this.walk(child, inner);
  }

  private look(node: t.Node, above: readonly t.Node[]): void {
    switch (node.type) {
      case 'Identifier':
        if (isReference(node, above[0])) this.name(node);
        return;
      case 'MemberExpression':
        if (node.object.type === 'Identifier' && node.object.name === 'Math' && !node.computed && (node.property as t.Identifier).name === 'random') this.report(node, NO_RANDOM);
        return;
      case 'AssignmentExpression':
        this.changed(node.left);
        return;
      case 'UpdateExpression':
        this.changed(node.argument);
        return;
      case 'UnaryExpression':
        if (node.operator === 'delete') this.changed(node.argument);
        return;
      case 'CallExpression':
        if (changesItsFirst(node.callee) && node.arguments.length > 0) this.changed(node.arguments[0]);
        if (node.callee.type === 'Import') this.report(node, `import() is not here: ${NOT_HERE.get('Promise')!}`);
        else this.call(node, above);
        return;
      case 'AwaitExpression':
        this.report(node, `await is not here: ${NOT_HERE.get('Promise')!}`);
        return;
      case 'MetaProperty':
        if (node.meta.name === 'import') this.report(node, `import.meta is not here: ${NOT_HERE.get('process')!}`);
        return;
      case 'YieldExpression':
        if (!node.delegate) this.report(node, 'found yield; expected yield*: an Op waits by calling what waits, such as mutex_lock() or cpu_relax()');
        return;
      default:
        if (isFunction(node) && node.async === true) this.report(node, `async is not here: ${NOT_HERE.get('Promise')!}`);
    }
  }

  private name(node: t.Identifier): void {
    const { name } = node;
    if (this.declared.has(name)) return;
    if (NOT_HERE.has(name)) this.report(node, notHere(name));
    else if (!LANGUAGE.has(name)) this.report(node, modelNames.includes(name) ? `${name} is not imported; expected import { ${name} } from '${MODEL}'` : `unknown name ${name}${suggestion(name, [...this.declared, ...modelNames])}`);
  }

  /** JavaScript's own objects are those of the debugger too. */
  private changed(node: t.Node): void {
    let root = node;
    while (root.type === 'MemberExpression') root = root.object;
    if (root.type !== 'Identifier' || this.declared.has(root.name) || !LANGUAGE.has(root.name) || root.name === 'arguments') return;
    this.report(node, `${this.module.script.slice(node.start!, node.end!)} is JavaScript's own, and stays as it is; expected a function or an object of the module's`);
  }

  /** An Op that is called without yield* does nothing, and nobody says so. */
  private call(node: t.CallExpression, above: readonly t.Node[]): void {
    const kind = this.kindOf(node.callee);
    if (kind === undefined) return;
    const text = this.module.script.slice(node.callee.start!, node.callee.end!);
    const taken = taker(node, above);
    if (kind === 'op' && taken === 'lost') this.report(node, `${text}() is an Op, and nobody runs it; expected yield* ${text}(...)`);
    if (kind === 'plain' && taken === 'run') this.report(node, `${text}() is a plain function, no Op; expected it without yield*, or function* where it is declared`);
  }

  private kindOf(callee: t.Node): Kind {
    switch (callee.type) {
      case 'Identifier':
        return this.kinds.get(callee.name);
      case 'ParenthesizedExpression':
        return this.kindOf(callee.expression);
      case 'MemberExpression': {
        if (callee.computed || callee.property.type !== 'Identifier') return undefined;
        const { name } = callee.property;
        const all = callee.object.type === 'Identifier' ? this.module.imports.find(({ local, name: of }) => local === (callee.object as t.Identifier).name && of === undefined) : undefined;
        if (all) return all.module ? kindIn(all.module, name) : modelKind(name);
        const table = callee.object.type === 'MemberExpression' && !callee.object.computed ? (callee.object.property as t.Identifier).name : '';
        if (callbackNames.has(name) && (name.startsWith('irq_') || table === 'ops' || table === 'chip')) return 'op';
        return this.methods.get(name);
      }
      default:
        return undefined;
    }
  }

  private gather(node: t.Node): void {
    if (node.type === 'FunctionDeclaration' && node.id) note(this.kinds, node.id.name, kindOfFunction(node));
    else if (node.type === 'VariableDeclarator') for (const name of bindingNames(node.id)) note(this.kinds, name, node.id.type === 'Identifier' && node.init ? kindOfValue(node.init) : undefined);
    else if (node.type === 'ClassMethod' || node.type === 'ObjectMethod') note(this.methods, node.key.type === 'Identifier' ? node.key.name : '', kindOfFunction(node));
    else if (node.type === 'ObjectProperty' || node.type === 'ClassProperty') note(this.methods, node.key.type === 'Identifier' ? node.key.name : '', node.value ? kindOfValue(node.value) : undefined);
    if (isFunction(node)) for (const name of node.params.flatMap(bindingNames)) note(this.kinds, name, undefined);
    for (const child of nodesIn(node)) this.gather(child);
  }

  private report(node: t.Node, message: string): void {
    const { start, end } = node.loc!;
    this.problems.push({ path: this.module.path, line: start.line, column: start.column + 1, endLine: end.line, endColumn: end.column + 1, message });
  }
}

/** Of a name that is there twice, in whatever scopes, nothing is said. */
function note(kinds: Map<string, Kind>, name: string, kind: Kind): void {
  kinds.set(name, kinds.has(name) && kinds.get(name) !== kind ? undefined : kind);
}

/** Object.defineProperty() and the like. */
const changesItsFirst = (callee: t.Node): boolean =>
  callee.type === 'MemberExpression' && callee.object.type === 'Identifier' && callee.object.name === 'Object' && /^(assign|defineProperty|defineProperties|setPrototypeOf)$/.test((callee.property as t.Identifier).name);

const kindOfFunction = (node: Parameters<typeof isGenerator>[0]): Kind => (isGenerator(node) ? 'op' : returnsACall(node) ? undefined : 'plain');

function kindOfValue(node: t.Node): Kind {
  if (node.type === 'ParenthesizedExpression') return kindOfValue(node.expression);
  return isFunction(node) ? kindOfFunction(node) : undefined;
}

/** It may hand on somebody's Op. */
function returnsACall(node: Parameters<typeof isGenerator>[0]): boolean {
  if (node.body.type !== 'BlockStatement') return mayCall(node.body);
  const returns = (below: t.Node): boolean => (below.type === 'ReturnStatement' && below.argument ? mayCall(below.argument) : nodesIn(below).some(child => !isFunction(child) && returns(child)));
  return returns(node.body);
}

const mayCall = (node: t.Node): boolean => node.type === 'CallExpression' || nodesIn(node).some(child => !isFunction(child) && mayCall(child));

function kindIn(module: ModuleSource, name: string): Kind {
  const handed = module.reexports.get(name);
  if (handed) return kindIn(handed.module, handed.name);
  const own = module.exports.get(name);
  const found = module.program.body.flatMap((statement): Kind[] => {
    if (statement.type === 'FunctionDeclaration' && statement.id?.name === own) return [kindOfFunction(statement)];
    if (statement.type !== 'VariableDeclaration') return [];
    return statement.declarations.flatMap(({ id, init }) => (id.type === 'Identifier' && id.name === own && init ? [kindOfValue(init)] : []));
  });
  return found.at(0);
}

function modelKind(name: string): Kind {
  const value = modelValue(name);
  // A class is made, not called.
  return typeof value !== 'function' || /^class\b/.test(Function.prototype.toString.call(value)) ? undefined : isOpFunction(name) ? 'op' : 'plain';
}

/** What becomes of a call's value. */
function taker(node: t.Node, above: readonly t.Node[]): 'run' | 'handed on' | 'lost' {
  const [parent, ...rest] = above;
  switch (parent.type) {
    case 'YieldExpression':
      return parent.delegate ? 'run' : 'lost';
    case 'ParenthesizedExpression':
    case 'LogicalExpression':
      return taker(parent, rest);
    case 'ConditionalExpression':
      return parent.test === node ? 'lost' : taker(parent, rest);
    case 'SequenceExpression':
      return parent.expressions.at(-1) === node ? taker(parent, rest) : 'lost';
    case 'ArrowFunctionExpression':
      return 'handed on';
    case 'ReturnStatement': {
      const fn = rest.find(isFunction);
      return fn && isGenerator(fn) ? 'lost' : 'handed on';
    }
    case 'CallExpression':
    case 'NewExpression':
    case 'ArrayExpression':
    case 'ObjectProperty':
    case 'SpreadElement':
      return 'handed on';
    default:
      return 'lost';
  }
}

/** All names that a module declares, in whatever scopes. */
function declarations(node: t.Node): string[] {
  const own = isFunction(node)
    ? [...node.params.flatMap(bindingNames), ...('id' in node && node.id ? [node.id.name] : [])]
    : node.type === 'VariableDeclarator'
      ? bindingNames(node.id)
      : (node.type === 'ClassDeclaration' || node.type === 'ClassExpression') && node.id
        ? [node.id.name]
        : node.type === 'CatchClause' && node.param
          ? bindingNames(node.param)
          : [];
  return [...own, ...nodesIn(node).flatMap(declarations)];
}

const identifiers = (node: t.Node): string[] => (node.type === 'Identifier' ? [node.name] : nodesIn(node).filter(isNode).flatMap(identifiers));

/** Is it a variable's name, or just a word? */
function isReference(node: t.Identifier, parent: t.Node | undefined): boolean {
  switch (parent?.type) {
    case 'MemberExpression':
    case 'OptionalMemberExpression':
      return parent.object === node || parent.computed;
    case 'ObjectProperty':
    case 'ClassProperty':
      return parent.value === node || parent.computed;
    case 'ObjectMethod':
    case 'ClassMethod':
      return parent.computed && parent.key === node;
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
    case 'PrivateName':
    case 'MetaProperty':
      return false;
    default:
      return true;
  }
}
