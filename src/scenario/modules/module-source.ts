import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import type * as t from '@babel/types';
import { parseModule, SourceError } from '../../stepper/syntax';
import type { Diagnostic } from '../diagnostic';
import { readText } from '../read-text';
import { blankTypes } from './blank-types';
import type { Place } from './module-error';

/** What every module may import. */
export const MODEL = 'irqstep/model';

/** A name that a module takes from another one, or from the model (module: undefined). */
export interface Imported {
  readonly local: string;
  /** undefined: all of it, as an object */
  readonly name: string | undefined;
  readonly module: ModuleSource | undefined;
  readonly node: t.Node;
}

export interface ModuleSource {
  readonly path: string;
  readonly text: string;
  readonly hash: string;
  /** the text without types, imports and the word `export`, each place where it was */
  readonly script: string;
  readonly program: t.Program;
  readonly imports: readonly Imported[];
  /** names for others -> own names */
  readonly exports: ReadonlyMap<string, string>;
  /** handed on from other modules */
  readonly reexports: ReadonlyMap<string, { readonly module: ModuleSource; readonly name: string }>;
}

/** Where a module's file may be, besides below the scenario's own folder. */
export interface ModuleRoot {
  readonly scenario: string;
  /** the workspace's, or working, folder */
  readonly root?: string | undefined;
}

/** Reads modules and those that they import, each once. */
export class ModuleReader {
  readonly problems: Diagnostic[] = [];
  /** in the order in which they can be evaluated */
  readonly modules: ModuleSource[] = [];
  private readonly known = new Map<string, ModuleSource | 'being read'>();

  constructor(private readonly place: ModuleRoot) {}

  /** @param wrong reports what is wrong with how the module is named @returns the module; undefined when something was reported */
  read(from: string, written: string, wrong: (message: string) => void): ModuleSource | undefined {
    const path = pathOf(from, written);
    const known = this.known.get(path);
    if (known === 'being read') wrong(`${written} imports this module in turn; expected modules that do not go round in a circle`);
    if (known !== undefined) return known === 'being read' ? undefined : known;
    const stray = this.stray(path);
    const text = stray === undefined ? readText(path) : undefined;
    if (text === undefined || typeof text !== 'string') {
      wrong(`${written}: ${stray ?? (text as Diagnostic).message}`);
      return undefined;
    }
    return this.parse(path, text);
  }

  private parse(path: string, text: string): ModuleSource | undefined {
    this.known.set(path, 'being read');
    const before = this.problems.length;
    const module = this.parsed(path, text);
    this.known.delete(path);
    if (!module || this.problems.length > before) return undefined;
    this.known.set(path, module);
    this.modules.push(module);
    return module;
  }

  private parsed(path: string, text: string): ModuleSource | undefined {
    try {
      const written = parseModule(text, path);
      const script = blankTypes(text, written, path);
      const links = this.links(path, written);
      return { path, text, hash: createHash('sha256').update(text).digest('hex'), script, program: parseModule(script, path), ...links };
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      const { line, column, reason } = error.at!;
      this.problems.push({ path, line, column, endLine: line, endColumn: column, message: reason });
      return undefined;
    }
  }

  private links(path: string, program: t.Program): Pick<ModuleSource, 'imports' | 'exports' | 'reexports'> {
    const imports: Imported[] = [];
    const exports = new Map<string, string>();
    const reexports = new Map<string, { module: ModuleSource; name: string }>();
    for (const node of program.body) {
      if (node.type === 'ImportDeclaration' && node.importKind !== 'type') imports.push(...this.imported(path, node));
      if (node.type !== 'ExportNamedDeclaration' || node.exportKind === 'type') continue;
      for (const name of declaredNames(node.declaration)) exports.set(name, name);
      const module = node.source ? this.linked(path, node.source) : undefined;
      for (const specifier of node.specifiers) {
        if (specifier.type !== 'ExportSpecifier' || specifier.exportKind === 'type') continue;
        const name = nameOf(specifier.exported);
        if (module) reexports.set(name, { module, name: specifier.local.name });
        else if (!node.source) exports.set(name, specifier.local.name);
      }
    }
    return { imports, exports, reexports };
  }

  private imported(path: string, node: t.ImportDeclaration): Imported[] {
    const module = node.source.value === MODEL ? undefined : this.linked(path, node.source);
    if (!module && node.source.value !== MODEL) return [];
    return node.specifiers.flatMap((specifier): Imported[] => {
      if (specifier.type === 'ImportSpecifier') return specifier.importKind === 'type' ? [] : [{ local: specifier.local.name, name: nameOf(specifier.imported), module, node: specifier }];
      if (specifier.type === 'ImportNamespaceSpecifier') return [{ local: specifier.local.name, name: undefined, module, node: specifier }];
      this.report(path, specifier, 'a module has no default; expected the names: import { a, b } from');
      return [];
    });
  }

  private linked(path: string, source: t.StringLiteral): ModuleSource | undefined {
    if (/^\.\.?\//.test(source.value)) return this.read(path, source.value, message => this.report(path, source, message));
    this.report(path, source, `found ${JSON.stringify(source.value)}; expected ${JSON.stringify(MODEL)}, or a module of yours by its path: "./name"`);
    return undefined;
  }

  report(path: string, node: t.Node, message: string): void {
    const { start, end } = node.loc!;
    this.problems.push({ path, line: start.line, column: start.column + 1, endLine: end.line, endColumn: end.column + 1, message });
  }

  /** Why a file is not to be looked at. Links are followed: what counts is where the text is. */
  private stray(path: string): string | undefined {
    const folders = [dirname(this.place.scenario), ...(this.place.root === undefined ? [] : [this.place.root])];
    const real = realPath(path);
    if (real === undefined || folders.some(folder => isBelow(real, realPath(folder) ?? folder))) return undefined;
    return `the file is not in the scenario's folder${this.place.root === undefined ? '' : ` or in ${this.place.root}`}; expected one that is`;
  }
}

/** As the scenario is named, so is the module: relative, or from the root on. No path of the model begins like this. */
function pathOf(from: string, written: string): string {
  const path = join(dirname(from), /\.(js|ts)$/.test(written) ? written.replace(/\.js$/, '.ts') : `${written}.ts`);
  return isAbsolute(path) || path.startsWith('.') ? path : `.${sep}${path}`;
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

const isBelow = (path: string, folder: string): boolean => {
  const way = relative(folder, path);
  return !isAbsolute(way) && way.split(sep)[0] !== '..';
};

/** Where a module's name for others is declared, in it or in the one that it comes from. */
export function placeIn(module: ModuleSource, name: string): Place {
  const from = module.reexports.get(name);
  if (from) return placeIn(from.module, from.name);
  const own = module.exports.get(name);
  const found = module.program.body.flatMap(declarators).find(({ id }) => id?.type === 'Identifier' && id.name === own);
  const { line, column } = found?.loc?.start ?? { line: 1, column: 0 };
  return { path: module.path, line, column: column + 1 };
}

const declarators = (node: t.Statement): (t.VariableDeclarator | t.FunctionDeclaration | t.ClassDeclaration)[] =>
  node.type === 'VariableDeclaration' ? node.declarations : node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration' ? [node] : [];

const nameOf = (node: t.Identifier | t.StringLiteral): string => (node.type === 'Identifier' ? node.name : node.value);

function declaredNames(node: t.Declaration | null | undefined): string[] {
  if (!node || ('declare' in node && node.declare)) return [];
  if (node.type === 'VariableDeclaration') return node.declarations.flatMap(({ id }) => (id.type === 'Identifier' ? [id.name] : []));
  return (node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') && node.id ? [node.id.name] : [];
}

