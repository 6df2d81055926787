import { isMap, isPair, isScalar, isSeq, parseDocument, visit, type Document, type Node, type Pair } from 'yaml';
import { CHANGES } from '../kernel/changes';
import schema from '../../schemas/irq-scenario.schema.json';

/** Something that may stand at the cursor. */
export interface Offer {
  label: string;
  kind: 'key' | 'value';
  doc?: string;
}

type Part = Readonly<Record<string, unknown>>;
type Path = readonly (string | number)[];

const MARK = 'cursorMark';

/** What the schema allows at `offset` of a scenario's text, which may be unfinished. */
export function offersAt(text: string, offset: number): Offer[] {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const lineEnd = text.indexOf('\n', offset) < 0 ? text.length : text.indexOf('\n', offset);
  const before = text.slice(lineStart, offset);
  const isValue = /[\w"']\s*:\s+\S*$/.test(before);
  const word = /[\w.-]*$/.exec(before)![0];
  const rest = text.slice(offset, lineEnd).replace(/^[\w.-]+/, '');
  const mark = isValue || rest.trimStart().startsWith(':') ? MARK : `${MARK}:`;
  const marked = text.slice(0, offset - word.length) + mark + rest + text.slice(lineEnd);
  const document = parseDocument(marked, { strict: false, logLevel: 'silent' });
  const path = markedPath(document);
  if (!path) return [];
  const parts = path.reduce<Part[]>((at, step) => at.flatMap((part) => inside(part, step)), [schema as Part].flatMap(unfold));
  return isValue ? values(parts, document) : keys(parts);
}

/** The path of the map (key position) or of the value (value position) that holds the mark. */
function markedPath(document: Document): Path | undefined {
  let found: Path | undefined;
  visit(document, {
    Scalar(key, node, ancestors) {
      if (typeof node.value !== 'string' || !node.value.includes(MARK)) return undefined;
      found = pathOf(ancestors, node, key);
      return visit.BREAK;
    },
  });
  return found;
}

function pathOf(ancestors: readonly (Node | Pair | Document)[], node: Node, key: unknown): Path {
  const path: (string | number)[] = [];
  ancestors.forEach((ancestor, i) => {
    const child = ancestors[i + 1] ?? node;
    if (isSeq(ancestor)) path.push(ancestor.items.indexOf(child));
    else if (isPair(ancestor) && key === 'value' && child === node) path.push(nameOf(ancestor));
    else if (isPair(ancestor) && child !== node) path.push(nameOf(ancestor));
  });
  return path;
}

const nameOf = (pair: Pair): string => (isScalar(pair.key) ? String(pair.key.value) : '');

/** A part of the schema with its references and choices taken apart. */
function unfold(part: Part): Part[] {
  const name = /^#\/definitions\/(.*)$/.exec(typeof part['$ref'] === 'string' ? part['$ref'] : '')?.[1];
  if (name !== undefined) {
    const target = (schema.definitions as Partial<Record<string, Part>>)[decodeURIComponent(name)];
    return target ? unfold(target).map((inner) => ({ definition: name, ...inner })) : [];
  }
  const choices = (part['anyOf'] ?? part['allOf']) as Part[] | undefined;
  return choices ? choices.flatMap(unfold) : [part];
}

function inside(part: Part, step: string | number): Part[] {
  const next = typeof step === 'number' ? part['items'] : ((part['properties'] as Record<string, Part> | undefined)?.[step] ?? part['additionalProperties']);
  return next && typeof next === 'object' ? unfold(next as Part) : [];
}

function keys(parts: Part[]): Offer[] {
  const properties = parts.flatMap((part) => Object.entries((part['properties'] ?? {}) as Record<string, Part>));
  return unique(properties.map(([label, part]) => offer(label, 'key', part['description'])));
}

function values(parts: Part[], document: Document): Offer[] {
  return unique(
    parts.flatMap((part) => {
      if (part['definition'] === 'DeviceName') return deviceNames(document);
      if (part['definition'] === 'ChangeName') return Object.entries(CHANGES).map(([id, { subject }]) => offer(id, 'value', subject));
      const listed = 'const' in part ? [part['const']] : ((part['enum'] ?? (part['type'] === 'boolean' ? [true, false] : [])) as unknown[]);
      return listed.map((value) => offer(String(value), 'value', part['description']));
    }),
  );
}

function deviceNames(document: Document): Offer[] {
  const devices: unknown = document.getIn(['machine', 'devices']);
  if (!isSeq(devices)) return [];
  return devices.items.flatMap((device) => {
    const name: unknown = isMap(device) ? device.get('name') : undefined;
    const parts: unknown = isMap(device) ? device.getIn(['ims', 'subdevices']) : undefined;
    const named = (names: readonly unknown[], doc: string): Offer[] => names.flatMap(n => (typeof n === 'string' && !n.includes(MARK) ? [offer(n, 'value', doc)] : []));
    return [...named([name], 'a device of this machine'), ...named(isSeq(parts) ? parts.items.map(item => (isScalar(item) ? item.value : item)) : [], 'a part of a device')];
  });
}

const offer = (label: string, kind: Offer['kind'], doc: unknown): Offer => ({ label, kind, ...(typeof doc === 'string' && { doc }) });

const unique = (offers: Offer[]): Offer[] => [...new Map(offers.map((o) => [o.label, o])).values()];
