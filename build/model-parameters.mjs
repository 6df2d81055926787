// What the functions of irqstep/model take, for modules whose types nobody has checked: made from the functions' own types.
import { join } from 'node:path';
import ts from 'typescript';
import { ENTRY, firstName, Typings } from './model-typings.mjs';
import { root } from './project.mjs';

export const PARAMETERS_FILE = join(root, 'src', 'scenario', 'modules', 'parameters.json');

/** Callbacks of chips and flow handlers: a module hands them on, the kernel calls them. */
const OF_THE_KERNEL = new Set(['irq_data', 'irq_desc']);

/** @returns {string} the text of src/scenario/modules/parameters.json: of each function its parameters, as "name: type" with "| null" and a "?" behind the name */
export function modelParameters() {
  const typings = new Typings();
  /** @type {Record<string, string[]>} */
  const found = {};
  for (const name of [...typings.exportsOf(ENTRY)].sort()) {
    const target = typings.resolve(ENTRY, name);
    const parameters = parametersOf(typings, target)?.map(parameter => textOf(typings, target.file, parameter));
    if (parameters && !OF_THE_KERNEL.has(parameters[0]?.split(': ')[1] ?? '')) found[name] = parameters;
  }
  return `${JSON.stringify(found, null, 2)}\n`;
}

/** @param {Typings} typings @param {import('./model-typings.mjs').Target} target */
function parametersOf(typings, { file, name }) {
  for (const statement of typings.declarations(file).own.get(name) ?? []) {
    if (ts.isFunctionDeclaration(statement)) return [...statement.parameters];
    if (!ts.isVariableStatement(statement)) continue;
    const type = statement.declarationList.declarations.find(declared => declared.name.getText() === name)?.type;
    if (type && ts.isFunctionTypeNode(type)) return [...type.parameters];
  }
  return undefined;
}

/** @param {Typings} typings @param {string} file @param {ts.ParameterDeclaration} parameter */
function textOf(typings, file, { name, type, questionToken }) {
  const members = type && ts.isUnionTypeNode(type) ? [...type.types] : type ? [type] : [];
  const isNull = (/** @type {ts.TypeNode} */ member) => member.getText() === 'null';
  const kinds = [...new Set(members.filter(member => !isNull(member)).map(member => kindOf(typings, file, member)))];
  const kind = kinds.length === 1 ? kinds[0] : 'unknown';
  const shown = ts.isIdentifier(name) ? name.text : 'argument';
  return `${shown}${questionToken ? '?' : ''}: ${kind}${members.some(isNull) ? ' | null' : ''}`;
}

/** "number", "function", "array", "object", a class by its name; "unknown" for anything. @param {Typings} typings @param {string} file @param {ts.TypeNode} type @returns {string} */
function kindOf(typings, file, type) {
  switch (type.kind) {
    case ts.SyntaxKind.NumberKeyword:
    case ts.SyntaxKind.StringKeyword:
    case ts.SyntaxKind.BooleanKeyword:
      return type.getText();
    case ts.SyntaxKind.FunctionType:
      return 'function';
    case ts.SyntaxKind.ArrayType:
    case ts.SyntaxKind.TypeOperator:
      return 'array';
    case ts.SyntaxKind.TypeReference:
      return named(typings, file, firstName(/** @type {ts.TypeReferenceNode} */ (type).typeName));
    default:
      return 'unknown';
  }
}

/** @param {Typings} typings @param {string} file @param {string} name @returns {string} */
function named(typings, file, name) {
  const { own, imports } = typings.declarations(file);
  const imported = imports.get(name);
  const target = imported ? typings.resolve(imported.file, imported.name) : { file, name };
  const declared = (typings.declarations(target.file).own.get(target.name) ?? own.get(name))?.at(0);
  if (declared && ts.isClassDeclaration(declared)) return target.name;
  if (declared && ts.isInterfaceDeclaration(declared)) return 'object';
  return declared && ts.isTypeAliasDeclaration(declared) ? kindOf(typings, target.file, declared.type) : 'unknown';
}
