// Turns model code into code that can be stepped: a probe before every statement, a frame's position and variables at every call.
import { createHash } from 'node:crypto';
import type * as t from '@babel/types';
import MagicString from 'magic-string';
import type { ModuleTable } from './registry';
import { lexicalNames, Scope, varNames } from './scope';
import { beginsWithProbe, bindingNames, headEnd, isFunction, isGenerator, isLoop, isProbed, nodesIn, parseModule, passesProbe, SourceError, type FunctionNode, type LoopNode } from './syntax';
import { TableBuilder } from './table';
import { findLast } from './task';

export interface InstrumentOptions {
  /** Keep a stack of frames. */
  readonly frames: boolean;
  /** Where the code imports `$` from; absent: whoever loads it puts `$` and the module's base `$b` into its scope. */
  readonly runtime?: string;
  /** Somebody else wrote it: each call of a plain function has to be paid for, not only the turns of its loops, and what it delegates to has to be an Op. */
  readonly guard?: boolean;
}

export interface Instrumented {
  readonly code: string;
  /** Source map, version 3, JSON. */
  readonly map: string;
  readonly table: ModuleTable;
  /** Where a place in the code stands in the source: both with 1-based lines and columns. No line is another one's. */
  readonly original: (line: number, column: number) => Place;
}

export interface Place {
  readonly line: number;
  readonly column: number;
}

/**
 * Instruments TypeScript or JavaScript source; types stay as they are.
 * @param path under which the debugger lists the source
 * @throws SourceError where the source cannot be parsed or uses a reserved name
 */
export function instrument(source: string, path: string, options: InstrumentOptions): Instrumented {
  const work = new Instrumenter(source, path, options);
  work.module(parseModule(source, path));
  return work.result();
}

/** Names that the inserted code uses. */
const RESERVED = new Set(['$', '$b', '$d', '$s']);
const PLAIN = -1;

/** Where the walk is: in which generator (or PLAIN), scope and statement, and what an anonymous function here would be called. */
interface Where {
  readonly fn: number;
  readonly scope: Scope;
  readonly probe: number;
  readonly name: string;
}

class Instrumenter {
  private readonly text: MagicString;
  private readonly table: TableBuilder;

  constructor(
    private readonly source: string,
    private readonly path: string,
    private readonly options: InstrumentOptions,
  ) {
    this.text = new MagicString(source);
    this.table = new TableBuilder(source);
  }

  module(program: t.Program): void {
    this.list(program.body, { fn: PLAIN, scope: this.scope(undefined, 'module', lexicalNames(program.body)), probe: PLAIN, name: '' });
  }

  result(): Instrumented {
    const hash = createHash('sha256').update(this.source).digest('hex');
    const table = { path: this.path, hash, source: this.source, ...this.table.build() };
    const { runtime } = this.options;
    if (runtime !== undefined) this.text.prepend(`import{$}from${JSON.stringify(runtime)};const $b=$.module(${JSON.stringify(table)});`);
    const map = this.text.generateMap({ source: this.path, hires: 'boundary', includeContent: true }).toString();
    return { code: this.text.toString(), map, table, original: (line, column) => this.original(line, column) };
  }

  private original(line: number, column: number): Place {
    const segments = this.text.generateDecodedMap({ hires: 'boundary' }).mappings.at(line - 1) ?? [];
    const [start, , sourceLine, sourceColumn] = findLast(segments, ([start]) => start < column) ?? [];
    return start === undefined || sourceLine === undefined ? { line, column: 1 } : { line: sourceLine + 1, column: sourceColumn! + column - start };
  }

  private scope(parent: Scope | undefined, owner: 'module' | 'function' | 'block', names: string[]): Scope {
    const bad = names.find(name => RESERVED.has(name));
    if (bad) throw new SourceError(`${this.path}: the name ${bad} is taken: stepping uses ${[...RESERVED].join(', ')}`);
    return new Scope(parent, owner, names);
  }

  // ---- statements

  private list(statements: readonly t.Statement[], place: Where): void {
    // A function declaration can be called before anything in its block has run.
    for (const s of statements) if (s.type === 'FunctionDeclaration') this.walk(s, place);
    for (const s of statements) if (s.type !== 'FunctionDeclaration') this.statement(s, place);
  }

  private statement(node: t.Statement, place: Where): void {
    if (place.fn === PLAIN || !isProbed(node)) {
      this.inside(node, place);
      return;
    }
    const probe = this.addProbe(node.start!, headEnd(node, this.source), place);
    this.open(node.start!, this.probe(probe, place));
    this.inside(node, { ...place, probe });
  }

  private inside(node: t.Statement, place: Where): void {
    switch (node.type) {
      case 'BlockStatement':
        this.list(node.body, { ...place, scope: this.scope(place.scope, 'block', lexicalNames(node.body)) });
        return;
      case 'LabeledStatement':
        this.inside(node.body, place);
        return;
      case 'IfStatement':
        this.walk(node.test, place);
        this.arm(node.consequent, place);
        if (node.alternate) this.arm(node.alternate, place);
        return;
      case 'SwitchStatement':
        this.switch(node, place);
        return;
      case 'TryStatement':
        this.try(node, place);
        return;
      case 'VariableDeclaration':
        this.declaration(node, place);
        return;
      case 'ClassDeclaration':
        this.walk(node, place);
        return;
      case 'ReturnStatement':
        this.return(node, place);
        return;
      default:
        if (isLoop(node)) {
          this.loop(node, place);
          return;
        }
        this.children(node, place);
    }
  }

  /** An arm of an `if`, which may lack braces. */
  private arm(node: t.Statement, place: Where): void {
    if (place.fn === PLAIN || node.type === 'BlockStatement' || node.type === 'EmptyStatement') {
      this.inside(node, place);
      return;
    }
    this.open(node.start!, '{');
    this.statement(node, place);
    this.close(node.end!, '}');
  }

  /** A frame ends: who calls it need not be instrumented. */
  private return(node: t.ReturnStatement, place: Where): void {
    const framed = this.options.frames && place.fn !== PLAIN;
    if (!node.argument) {
      if (framed) this.close(node.start! + 'return'.length, ' $.r($d)');
      return;
    }
    if (framed) this.open(node.argument.start!, '$.r($d,(');
    this.walk(node.argument, place);
    if (framed) this.close(node.argument.end!, '))');
  }

  private switch(node: t.SwitchStatement, place: Where): void {
    this.walk(node.discriminant, place);
    const scope = this.scope(place.scope, 'block', lexicalNames(node.cases.flatMap(c => c.consequent)));
    for (const clause of node.cases) {
      scope.forget();
      if (clause.test) this.walk(clause.test, { ...place, scope });
      this.list(clause.consequent, { ...place, scope });
    }
  }

  private try(node: t.TryStatement, place: Where): void {
    this.inside(node.block, place);
    if (node.handler) {
      const names = node.handler.param ? bindingNames(node.handler.param) : [];
      const scope = this.scope(place.scope, 'block', names);
      if (node.handler.param) this.walk(node.handler.param, { ...place, scope });
      scope.initialise(names);
      this.inside(node.handler.body, { ...place, scope });
    }
    if (node.finalizer) {
      const framed = this.options.frames && place.fn !== PLAIN;
      // The function may be on its way out; calls in here would hide that.
      if (framed) this.close(node.finalizer.start! + 1, 'const $s=$.sp;');
      this.inside(node.finalizer, place);
      if (framed) this.close(node.finalizer.end! - 1, ';$.sp=$s;');
    }
  }

  private declaration(node: t.VariableDeclaration, place: Where): void {
    if (node.declare) return;
    for (const declarator of node.declarations) {
      this.walk(declarator.id, place);
      if (declarator.init) this.walk(declarator.init, { ...place, name: declarator.id.type === 'Identifier' ? declarator.id.name : '' });
      this.declared(node.kind, declarator.id, place.scope);
    }
  }

  private declared(kind: t.VariableDeclaration['kind'], pattern: t.Node, scope: Scope): void {
    if (kind === 'var') scope.initialiseVar(bindingNames(pattern));
    else scope.initialise(bindingNames(pattern));
  }

  private loop(node: LoopNode, place: Where): void {
    const head = node.type === 'ForStatement' ? node.init : node.type === 'ForInStatement' || node.type === 'ForOfStatement' ? node.left : undefined;
    const scope = this.scope(place.scope, 'block', head?.type === 'VariableDeclaration' ? lexicalNames([head]) : []);
    const inner = { ...place, scope };
    switch (node.type) {
      case 'ForStatement':
        if (node.init) this.walk(node.init, inner);
        if (node.test) this.walk(node.test, inner);
        if (node.update) this.walk(node.update, inner);
        break;
      case 'ForInStatement':
      case 'ForOfStatement':
        this.walk(node.right, inner);
        this.walk(node.left, inner);
        break;
      default:
        this.walk(node.test, inner);
    }
    this.loopBody(node, inner);
  }

  /** Every turn of a loop passes a probe, or the budget's check where there are none. */
  private loopBody(loop: LoopNode, place: Where): void {
    const body = loop.body;
    const block = body.type === 'BlockStatement';
    const statements = block ? body.body : [body];
    const plain = place.fn === PLAIN;
    const needed = plain || !passesProbe(statements);
    if (needed) {
      const probe = this.table.add(place.fn, plain ? 'loop' : 'probe', body.start!, body.end!, place.scope.visible());
      const check = plain ? `$.${this.options.guard ? 'guard' : 'spin'}($b+${probe});` : this.probe(probe, place);
      if (block) this.close(body.start! + 1, check);
      else this.open(body.start!, `{${check}`);
    } else if (!block) this.open(body.start!, '{');
    if (block) this.inside(body, place);
    else this.statement(body, place);
    if (!block) this.close(body.end!, '}');
  }

  // ---- expressions and functions

  private walk(node: t.Node, place: Where): void {
    if (isFunction(node)) {
      this.function(node, place);
      return;
    }
    switch (node.type) {
      case 'YieldExpression':
        this.yield(node, place);
        return;
      case 'VariableDeclaration':
        this.declaration(node, place);
        return;
      case 'ObjectProperty':
      case 'ClassProperty':
        if (node.computed) this.walk(node.key, place);
        if (node.value) this.walk(node.value, { ...place, name: this.memberName(node.key, place) });
        return;
      case 'ClassDeclaration':
      case 'ClassExpression':
        this.children(node, { ...place, name: node.id?.name ?? place.name });
        return;
      case 'ClassBody':
      case 'ObjectExpression':
      case 'ParenthesizedExpression':
      case 'TSAsExpression':
      case 'TSSatisfiesExpression':
        this.children(node, place);
        return;
      case 'StaticBlock':
        this.list(node.body, { fn: PLAIN, scope: this.scope(place.scope, 'function', [...lexicalNames(node.body), ...varNames(node)]), probe: PLAIN, name: '' });
        return;
      default:
        // `Object.freeze({ ... })` still has the variable's name.
        this.children(node, node.type === 'CallExpression' ? place : { ...place, name: '' });
    }
  }

  private children(node: t.Node, place: Where): void {
    for (const child of nodesIn(node)) this.walk(child, place);
  }

  private memberName(key: t.Node, place: Where): string {
    const own = key.type === 'Identifier' ? key.name : key.type === 'StringLiteral' ? key.value : key.type === 'PrivateName' ? `#${key.id.name}` : this.source.slice(key.start!, key.end!);
    return place.name ? `${place.name}.${own}` : own;
  }

  private yield(node: t.YieldExpression, place: Where): void {
    const framed = this.options.frames;
    if (framed) {
      const site = this.site(node, place);
      this.open(node.start!, `($.c($d,$b+${site},${values(place.scope.visible())}),`);
    }
    const guarded = this.options.guard && node.delegate ? node.argument : null;
    if (guarded) this.open(guarded.start!, '$.op(');
    if (node.argument) this.walk(node.argument, { ...place, name: '' });
    if (guarded) this.close(guarded.end!, ')');
    if (framed) this.close(node.end!, ')');
  }

  /** A call in a statement stands where the statement stands, unless other variables are visible there (a loop's head). */
  private site(node: t.Node, place: Where): number {
    const names = place.scope.visible();
    return this.table.sameNames(place.probe, names) ? place.probe : this.table.add(place.fn, 'call', node.start!, node.end!, names);
  }

  private function(node: FunctionNode, place: Where): void {
    const params = node.params.flatMap(bindingNames);
    const block = node.body.type === 'BlockStatement' ? node.body : undefined;
    // A function expression's own name hides a variable of that name, and is none itself.
    const own = node.type === 'FunctionExpression' && node.id ? [node.id.name] : [];
    const scope = this.scope(place.scope, 'function', [...own, ...params, ...(block ? [...lexicalNames(block.body), ...varNames(block)] : [])]);
    const generator = isGenerator(node);
    const fn = generator ? this.table.addFunction(this.functionName(node, place), node.start!, node.end!, params) : PLAIN;

    if ('computed' in node && node.computed) this.walk(node.key, place);
    for (const param of node.params) this.walk(param, { fn: PLAIN, scope, probe: PLAIN, name: '' });
    if (generator && (node.type === 'ObjectMethod' || node.type === 'ClassMethod' || node.type === 'ClassPrivateMethod')) scope.initialise(['this']);
    scope.initialise(params);

    const inner = { fn, scope, probe: PLAIN, name: '' };
    const guard = generator || !this.options.guard ? '' : `$.guard($b+${this.table.add(PLAIN, 'loop', node.start!, node.body.start!, [])})`;
    if (!block) {
      if (guard) this.open(node.body.start!, `(${guard},`);
      this.walk(node.body, inner);
      if (guard) this.close(node.body.end!, ')');
      return;
    }
    if (generator) this.begin(block, inner);
    else if (guard) this.beginBlock(block, `${guard};`);
    this.list(block.body, inner);
    if (generator && this.options.frames && block.body.at(-1)?.type !== 'ReturnStatement') this.close(block.end! - 1, ';$.r($d);');
  }

  /** A frame begins; a body that need not pass a statement first, such as an empty one, still has a place to stop at. */
  private begin(block: t.BlockStatement, place: Where): void {
    const enter = this.options.frames ? `const $d=$.enter($b+${place.fn});` : '';
    const probe = beginsWithProbe(block.body) ? '' : this.probe(this.addProbe(block.start!, block.end!, place), place);
    this.beginBlock(block, enter + probe);
  }

  private beginBlock(block: t.BlockStatement, text: string): void {
    const last = block.directives.at(-1);
    this.close(last ? last.end! : block.start! + 1, (last ? ';' : '') + text);
  }

  private functionName(node: FunctionNode, place: Where): string {
    if (node.type === 'ObjectMethod' || node.type === 'ClassMethod' || node.type === 'ClassPrivateMethod') return this.memberName(node.key, place);
    return ('id' in node && node.id?.name) || place.name || 'anonymous';
  }

  // ---- the inserted text

  private addProbe(start: number, end: number, place: Where): number {
    return this.table.add(place.fn, 'probe', start, end, place.scope.visible());
  }

  private probe(probe: number, place: Where): string {
    const id = `$b+${probe}`;
    const frame = this.options.frames ? `$d,${values(place.scope.visible())}` : '0,[]';
    return `if(($.n++>=$.lim||$.t[${id}])&&$.at(${id},${frame}))yield ${id};`;
  }

  /** What begins at a place stands after what ends there; the outer one first. */
  private open(at: number, text: string): void {
    this.text.appendRight(at, text);
  }

  /** The inner one first. */
  private close(at: number, text: string): void {
    this.text.appendLeft(at, text);
  }
}

const values = (names: readonly string[]): string => `[${names.join(',')}]`;
