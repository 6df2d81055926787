import Ajv, { type ErrorObject } from 'ajv';
import schema from '../../schemas/irq-scenario.schema.json';
import { kernelMap, kernelOf, parseKernel } from '../kernel/kernel_choice';
import type { Diagnostic } from './diagnostic';
import { choice, list, suggestion } from './nearest';
import type { ScenarioFile } from './scenario-file';
import { type Path, short, type YamlSource } from './yaml-source';

const ajv = new Ajv({ allErrors: true, verbose: true, strictTypes: false });
ajv.addKeyword('expected');
/** A part of the schema. */
interface Part {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Part[];
  readonly items?: Part;
  readonly properties?: Readonly<Record<string, Part>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly expected?: string;
}

const definitions: Readonly<Record<string, Part>> = schema.definitions;
const validate = ajv.compile<ScenarioFile>(schema);

/** Checks the file's form. @returns it, or what is wrong with it */
export function readScenarioFile(source: YamlSource): ScenarioFile | Diagnostic[] {
  const value = source.value();
  if (validate(value)) return value;
  return relevant(validate.errors ?? []).map(e => diagnostic(source, e));
}

/** One of a choice fails with the errors of all its branches: those of the branch that was meant say what is wrong. */
function relevant(errors: readonly ErrorObject[]): ErrorObject[] {
  let kept = [...errors];
  for (const choice of errors.filter(e => e.keyword === 'anyOf')) {
    const meant = branches(choice).filter(branch => hasType(branch, choice.data));
    const structured = meant.find(branch => !('const' in branch) && !('enum' in branch));
    kept = kept.filter(e => {
      if (e.instancePath !== choice.instancePath) return true;
      return structured ? e !== choice && e.parentSchema === structured : e === choice;
    });
  }
  return kept;
}

function diagnostic(source: YamlSource, e: ErrorObject): Diagnostic {
  const path = pathOf(e.instancePath);
  const params = e.params as { additionalProperty?: string; missingProperty?: string };
  const parent = (e.parentSchema ?? {}) as Part;
  if (params.additionalProperty !== undefined) {
    const key = params.additionalProperty;
    return source.error([...path, key], `unknown key ${short(key)}${suggestion(key, Object.keys(properties(parent)))}`, 'key');
  }
  if (params.missingProperty !== undefined) {
    const what = path.length === 0 ? 'the scenario' : nameOf(path);
    return source.error(path, `${what} has no ${params.missingProperty}; expected ${describe(properties(parent)[params.missingProperty])} there`, 'key');
  }
  const meant = e.instancePath === '/kernel' && typeof e.data === 'string' ? meantKernel(e.data) : undefined;
  if (meant !== undefined) return source.error(path, `kernel: found ${show(e.data)}, which is how a command line says it; expected ${meant}`);
  const expected = e.keyword === 'anyOf' ? branches(e).map(describe) : [describe(parent)];
  const { data } = e;
  if (typeof data === 'string' && e.keyword === 'anyOf' && branches(e).some(branch => Object.hasOwn(properties(branch), data))) {
    return source.error(path, `${nameOf(path)}: found ${show(data)}; expected a map, { ${data}: ... }`);
  }
  if (typeof e.data === 'string' && e.keyword !== 'type') {
    const choices = (e.keyword === 'anyOf' ? branches(e) : [parent]).flatMap(values).filter(v => typeof v === 'string');
    if (choices.length > 0) return source.error(path, `${nameOf(path)}: found ${show(e.data)}${choice(e.data, choices)}`);
  }
  const found = typeof e.data === 'number' ? source.written(path) : show(e.data);
  return source.error(path, `${nameOf(path)}: found ${found}; expected ${list([...new Set(expected)], 'or')}`);
}

/** A kernel in the one word that command lines take, as a file has it. @returns undefined for what is none */
function meantKernel(text: string): string | undefined {
  const kernel = parseKernel(text);
  return kernelOf(kernel).ok ? kernelMap(kernel) : undefined;
}

/** The branches of a choice, with references followed. */
const branches = (choice: ErrorObject): Part[] => (choice.schema as Part[]).map(deref);

function deref(part: Part): Part {
  const name = part.$ref?.replace('#/definitions/', '');
  return name === undefined ? part : deref(definitions[decodeURIComponent(name)]);
}

const properties = (part: Part): Readonly<Record<string, Part>> => part.properties ?? {};

const values = (part: Part): readonly unknown[] => ('const' in part ? [part.const] : (part.enum ?? []));

function hasType(branch: Part, data: unknown): boolean {
  const type = Array.isArray(data) ? 'array' : data === null ? 'null' : typeof data;
  return branch.type === type || (branch.type === 'integer' && type === 'number');
}

/** What a schema wants, in words. */
function describe(part: Part): string {
  const s = deref(part);
  if (s.expected !== undefined) return s.expected;
  if (values(s).length > 0) return list(values(s).map(String), 'or');
  if (s.anyOf) return list(s.anyOf.map(describe), 'or');
  switch (s.type) {
    case 'object':
      return `a map with ${list(Object.keys(properties(s)), 'and')}`;
    case 'array':
      return `a list, each entry ${describe(s.items ?? {})}`;
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `a whole number${range(s)}`;
    default:
      return 'text';
  }
}

function range({ minimum, maximum }: Part): string {
  if (minimum === undefined) return '';
  return maximum === undefined ? ` from ${minimum} on` : ` from ${minimum} to ${maximum}`;
}

function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (value === null) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(short(value));
  return typeof value === 'boolean' ? String(value) : 'a map';
}

/** "/steps/0/alloc/min": ['steps', 0, 'alloc', 'min'] */
function pathOf(pointer: string): Path {
  return pointer
    .split('/')
    .slice(1)
    .map(part => part.replace(/~1/g, '/').replace(/~0/g, '~'));
}

/** The last key, or "entry n of key" in a list. */
function nameOf(path: Path): string {
  const last = path.at(-1);
  if (last === undefined) return 'the scenario';
  return /^\d+$/.test(String(last)) && path.length > 1 ? `entry ${Number(last) + 1} of ${path.at(-2)!}` : String(last);
}
