import { type Alias, Composer, type CST, Document, isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, type Pair, Parser, type YAMLMap } from 'yaml';
import type { Diagnostic, Span } from './diagnostic';

/** A scenario has a few KiB; whatever is larger than this is something else. */
export const MAX_BYTES = 1 << 18;
/** Lists and maps inside of each other; the language itself needs 6. */
const MAX_DEPTH = 64;
/** Values of a file after its aliases are followed. */
const MAX_VALUES = 100_000;

/** Keys and list indices that lead to a value. */
export type Path = readonly (string | number)[];

/** A YAML text whose values know where they stand. */
export class YamlSource {
  private readonly lines = new LineCounter();
  private readonly document: Document;
  private readonly pairs = new Map<YAMLMap, Map<string, Pair>>();
  readonly errors: readonly Diagnostic[];

  constructor(
    readonly path: string,
    text: string,
  ) {
    // The parser itself misses the lines that it skips after an error.
    for (let start = 0; start >= 0; start = text.indexOf('\n', start) + 1 || -1) this.lines.addNewLine(start);
    const bytes = Buffer.byteLength(text);
    // eslint-disable-next-line irqstep/yield-star -- a parser's generator
    const tokens = bytes > MAX_BYTES ? [] : [...new Parser().parse(text)];
    const deep = tooDeep(tokens);
    // uniqueKeys compares each key with each other: duplicates are looked for below.
    // eslint-disable-next-line irqstep/yield-star -- a parser's generator
    const documents = deep ? [] : [...new Composer({ uniqueKeys: false }).compose(tokens, true, text.length)];
    this.document = documents[0] ?? new Document();
    if (bytes > MAX_BYTES) this.errors = [tooLarge(path)];
    else if (deep) this.errors = [this.diagnostic(`more than ${MAX_DEPTH} lists and maps stand inside of each other here; a scenario has fewer`, this.spanOf([deep.offset]))];
    else this.errors = this.syntaxErrors(documents) ?? this.structureErrors();
  }

  /** The plain value, when there are no errors. */
  value(): unknown {
    return this.document.toJS({ maxAliasCount: -1 });
  }

  /** Where a value stands, or the nearest one around it that is written; of a map entry, with `part` key: its key. */
  span(path: Path, part: 'key' | 'value' = 'value'): Span {
    const last = path.at(-1);
    if (last === undefined) return this.spanOf(this.nodeAt(path)?.range);
    const parent = this.nodeAt(path.slice(0, -1));
    const key = part === 'key' && isMap(parent) ? this.pairOf(parent, last)?.key : undefined;
    const node = isNode(key) ? key : this.nodeAt(path);
    return node ? this.spanOf(node.range) : this.span(path.slice(0, -1), part);
  }

  error(path: Path, message: string, part?: 'key' | 'value'): Diagnostic {
    return this.diagnostic(message, this.span(path, part));
  }

  /** A plain value as the file has it: 5.10, and not the number 5.1. */
  written(path: Path): string {
    const node = this.nodeAt(path);
    return isScalar(node) ? short(node.source ?? String(node.value)) : '';
  }

  private nodeAt(path: Path): Node | undefined {
    let node: unknown = this.document.contents;
    for (const step of path) {
      node = this.follow(node);
      if (isMap(node)) node = this.pairOf(node, step)?.value;
      else if (isSeq(node)) node = node.items[Number(step)];
      else return undefined;
    }
    const found = this.follow(node);
    return isNode(found) ? found : undefined;
  }

  private pairOf(map: YAMLMap, key: string | number): Pair | undefined {
    const known = this.pairs.get(map);
    const pairs = known ?? new Map(map.items.map(pair => [isScalar(pair.key) ? String(pair.key.value) : '', pair]));
    if (!known) this.pairs.set(map, pairs);
    return pairs.get(String(key));
  }

  private follow(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.document) : node;
  }

  private diagnostic(message: string, span: Span): Diagnostic {
    return { path: this.path, ...span, message };
  }

  private spanOf(range: readonly number[] | null | undefined): Span {
    const [start, end] = [range?.[0] ?? 0, range?.[1] ?? 0];
    const from = this.lines.linePos(start);
    const to = this.lines.linePos(Math.max(start, end));
    return { line: Math.max(from.line, 1), column: Math.max(from.col, 1), endLine: Math.max(to.line, 1), endColumn: Math.max(to.col, 1) };
  }

  private syntaxErrors(documents: readonly Document[]): Diagnostic[] | undefined {
    const all = documents.flatMap(d => [...d.errors, ...d.warnings]).map(e => this.diagnostic(e.message, this.spanOf(e.pos)));
    // Behind the first error of a line the parser only guesses.
    const errors = all.filter((e, i) => all.findIndex(({ line }) => line === e.line) === i);
    const second = documents[1]?.range;
    if (second) errors.push(this.diagnostic('a second document begins here; a scenario is one document', this.spanOf(second)));
    return errors.length > 0 ? errors : undefined;
  }

  /** Keys that are there twice, aliases that lead nowhere, into themselves or to too many values. */
  private structureErrors(): Diagnostic[] {
    const errors: Diagnostic[] = [];
    /** anchor: values below it, or undefined while it is being read */
    const sizes = new Map<string, number | undefined>();
    const report = (node: Node, message: string): number => {
      errors.push(this.diagnostic(message, this.spanOf(node.range)));
      return 1;
    };
    const sizeOfAlias = (alias: Alias): number => {
      const name = short(alias.source);
      if (!sizes.has(alias.source)) return report(alias, `the alias *${name} has no anchor &${name} before it`);
      return sizes.get(alias.source) ?? report(alias, `the alias *${name} stands inside of what it names: the value would have no end`);
    };
    const sizeOf = (node: unknown): number => {
      if (isPair(node)) return sizeOf(node.key) + sizeOf(node.value);
      if (isAlias(node)) return sizeOfAlias(node);
      if (!isNode(node)) return 1;
      const anchor = (isMap(node) || isSeq(node) || isScalar(node)) && node.anchor;
      if (anchor) sizes.set(anchor, undefined);
      if (isMap(node)) this.duplicateKeys(node).forEach(([key, message]) => report(key, message));
      const children: readonly unknown[] = isMap(node) || isSeq(node) ? node.items : [];
      let size = 1;
      for (const child of children) {
        size += sizeOf(child);
        if (size <= MAX_VALUES) continue;
        if (errors.length === 0) report(isNode(child) ? child : node, `with its aliases followed, the file has more than ${MAX_VALUES} values; a scenario has fewer`);
        break;
      }
      if (anchor) sizes.set(anchor, size);
      return size;
    };
    sizeOf(this.document.contents);
    return errors;
  }

  private duplicateKeys(map: YAMLMap): [key: Node, message: string][] {
    const seen = new Map<string, Node>();
    const found: [Node, string][] = [];
    for (const { key } of map.items) {
      if (!isScalar(key)) {
        if (isNode(key)) found.push([key, 'found a list or map as a key; expected a word']);
        continue;
      }
      const name = String(key.value);
      const first = seen.get(name);
      if (first) found.push([key, `the key ${short(name)} is there twice, first in line ${this.spanOf(first.range).line}`]);
      else seen.set(name, key);
    }
    return found;
  }
}

/** What is wrong with a file as a whole. */
export const ofFile = (path: string, message: string): Diagnostic => ({ path, line: 1, column: 1, endLine: 1, endColumn: 1, message });

/** A file that is too large is refused by its size alone. */
export const tooLarge = (path: string): Diagnostic => ofFile(path, `the file has more than ${MAX_BYTES} bytes; a scenario has fewer`);

/** A text as a message shows it. */
export const short = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}...` : text);

/** The first token that stands too deep to be composed: composing is recursive. */
function tooDeep(tokens: readonly CST.Token[]): CST.Token | undefined {
  let level: CST.Token[] = [...tokens];
  for (let depth = 0; depth <= MAX_DEPTH + 1 && level.length > 0; depth++) level = level.flatMap(children);
  return level[0];
}

function children(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value ? [token.value] : [];
  if (!('items' in token)) return [];
  return token.items.flatMap(item => [item.key, item.value].filter(t => t !== null && t !== undefined));
}

