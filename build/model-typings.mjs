// irqstep/model for editors: one file that declares the module with all types that its functions name, and nothing else.
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { root, UserError } from './project.mjs';

export const ENTRY = 'src/scenario/modules/model.ts';
const HEAD = '// The functions and types that a module of an irqstep scenario may use. Made by irqstep: do not edit, it is written anew with each new irq domain.\n';

/** @typedef {{ file: string, name: string }} Target a declaration, by its file */
/**
 * @typedef {object} Declarations what a source file declares
 * @property {Map<string, ts.Statement[]>} own by name
 * @property {Map<string, Target>} imports local name -> where it comes from
 * @property {Map<string, Target>} exports name for others -> a name here (file: this one) or elsewhere
 * @property {string[]} stars files whose exports are handed on
 * @property {ts.SourceFile} text
 */

/** @returns {{ text: string, files: string[] }} the declarations of irqstep/model, and what they are made of */
export function modelTypings() {
  const typings = new Typings();
  const names = typings.exportsOf(ENTRY);
  /** @type {string[]} */
  const exported = [];
  for (const name of [...names].sort()) {
    const target = typings.resolve(ENTRY, name);
    exported.push(target.name === name ? name : `${target.name} as ${name}`);
    typings.need(target);
  }
  const text = `${HEAD}declare module 'irqstep/model' {\n${typings.text()}  export {\n    ${exported.join(',\n    ')},\n  };\n}\n`;
  return { text, files: ['build/model-typings.mjs', ...typings.files.keys()] };
}

function options() {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), path => ts.sys.readFile(path));
  return ts.parseJsonConfigFileContent(config.config, ts.sys, root).options;
}

export class Typings {
  /** @type {Map<string, Declarations>} */
  files = new Map();
  /** by name: where it is declared @type {Map<string, string>} */
  owners = new Map();
  /** @type {string[]} */
  printed = [];

  program = ts.createProgram([join(root, ENTRY)], { ...options(), declaration: true, emitDeclarationOnly: true, noEmit: false });

  /** @param {string} file @returns {string} */
  emit(file) {
    let text = '';
    this.program.emit(this.program.getSourceFile(join(root, file)), (_name, written) => (text = written));
    return text;
  }

  /** @param {string} file @returns {Set<string>} */
  exportsOf(file) {
    const { exports, stars } = this.declarations(file);
    return new Set([...exports.keys(), ...stars.flatMap(star => [...this.exportsOf(star)])]);
  }

  /** @param {string} file @param {string} name as it is exported @returns {Target} the file that declares it */
  resolve(file, name) {
    const { exports, stars, own, imports } = this.declarations(file);
    const found = exports.get(name);
    if (found && found.file !== file) return this.resolve(found.file, found.name);
    if (found) {
      const imported = imports.get(found.name);
      return imported ? this.resolve(imported.file, imported.name) : { file, name: found.name };
    }
    const star = stars.find(other => this.exportsOf(other).has(name));
    if (star) return this.resolve(star, name);
    if (own.has(name)) return { file, name };
    throw new UserError(`${file} declares no ${name}`);
  }

  /** @param {Target} target */
  need({ file, name }) {
    const owner = this.owners.get(name);
    if (owner === file) return;
    if (owner !== undefined) throw new UserError(`two things are called ${name} in the typings of irqstep/model: in ${owner} and in ${file}`);
    const declarations = this.declarations(file);
    this.owners.set(name, file);
    const statements = declarations.own.get(name) ?? [];
    this.printed.push(...statements.map(statement => print(statement, declarations.text)));
    for (const used of statements.flatMap(references)) {
      const imported = declarations.imports.get(used);
      if (imported) this.need(this.resolve(imported.file, imported.name));
      else if (declarations.own.has(used)) this.need({ file, name: used });
    }
  }

  text() {
    return this.printed.map(text => `${text.replace(/^(?=.)/gm, '  ')}\n`).join('\n');
  }

  /** @param {string} file @returns {Declarations} */
  declarations(file) {
    const known = this.files.get(file);
    if (known) return known;
    const read = declarationsOf(file, this.emit(file));
    this.files.set(file, read);
    return read;
  }
}

/** @param {string} file @param {string} outputText its declarations @returns {Declarations} */
function declarationsOf(file, outputText) {
  const text = ts.createSourceFile(`${file}.d.ts`, outputText, ts.ScriptTarget.ES2022, true);
  /** @type {Declarations} */
  const found = { own: new Map(), imports: new Map(), exports: new Map(), stars: [], text };
  for (const statement of text.statements) {
    if (ts.isImportDeclaration(statement)) addImports(found, file, statement);
    else if (ts.isExportDeclaration(statement)) addExports(found, file, statement);
    else addOwn(found, file, statement);
  }
  return found;
}

/** @param {Declarations} found @param {string} file @param {ts.ImportDeclaration} statement */
function addImports({ imports }, file, { moduleSpecifier, importClause }) {
  const bindings = importClause?.namedBindings;
  if (!bindings || !ts.isNamedImports(bindings)) return;
  const from = pathOf(file, moduleSpecifier);
  for (const { name, propertyName } of bindings.elements) imports.set(name.text, { file: from, name: (propertyName ?? name).text });
}

/** @param {Declarations} found @param {string} file @param {ts.ExportDeclaration} statement */
function addExports({ exports, stars }, file, { moduleSpecifier, exportClause }) {
  const from = moduleSpecifier ? pathOf(file, moduleSpecifier) : file;
  if (!exportClause) stars.push(from);
  else if (ts.isNamedExports(exportClause)) for (const { name, propertyName } of exportClause.elements) exports.set(name.text, { file: from, name: (propertyName ?? name).text });
}

/** @param {Declarations} found @param {string} file @param {ts.Statement} statement */
function addOwn({ own, exports }, file, statement) {
  for (const name of declaredNames(statement)) {
    own.set(name, [...(own.get(name) ?? []), statement]);
    if (ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) exports.set(name, { file, name });
  }
}

/** @param {ts.Statement} statement @returns {string[]} */
function declaredNames(statement) {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name.getText());
  const { name } = /** @type {{ name?: ts.Identifier }} */ (/** @type {unknown} */ (statement));
  return name ? [name.text] : [];
}

/** Names that a declaration's types use. @param {ts.Node} node @returns {string[]} */
function references(node) {
  const own = ts.isTypeReferenceNode(node) ? node.typeName : ts.isTypeQueryNode(node) ? node.exprName : ts.isExpressionWithTypeArguments(node) ? node.expression : undefined;
  /** @type {string[]} */
  const below = [];
  ts.forEachChild(node, child => void below.push(...references(child)));
  return own ? [firstName(own), ...below] : below;
}

/** @param {ts.Node} node @returns {string} */
export const firstName = node => (ts.isQualifiedName(node) ? firstName(node.left) : node.getText());

/** With its comment; what surrounds it exports. @param {ts.Statement} statement @param {ts.SourceFile} file */
function print(statement, file) {
  const comments = ts.getLeadingCommentRanges(file.text, statement.pos) ?? [];
  const last = comments.at(-1);
  const comment = last && file.text.startsWith('/**', last.pos) ? `${file.text.slice(last.pos, last.end)}\n` : '';
  return comment + statement.getText(file).replace(/^(export )?(declare )?/, '');
}

/** @param {string} file @param {ts.Expression} specifier */
function pathOf(file, specifier) {
  const written = /** @type {ts.StringLiteral} */ (specifier).text;
  return `${relative(root, join(root, dirname(file), written)).replaceAll('\\', '/')}.ts`;
}
