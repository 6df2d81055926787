// References to what a client may open. They live until the run goes on.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { gone } from '../protocol/errors';
import type { Container, Item } from './children';
import { describe } from './describe';

export interface Page {
  readonly filter?: string | undefined;
  readonly start?: number | undefined;
  readonly count?: number | undefined;
  readonly hex?: boolean;
}

interface Stored {
  readonly container: Container;
  /** What the container is called in an expression; undefined where it has no name there. */
  readonly expression: string | undefined;
}

/** Elements that are listed at once to a client that does not fetch by the page. */
const CHUNK = 100;

export class VariableStore {
  private readonly stored = new Map<number, Stored>();
  private last = 0;

  /** @param paging whether the client fetches elements by the page */
  constructor(private readonly paging: () => boolean) {}

  /** Ids are not used again: an old one is an error, not another value. */
  clear(): void {
    this.stored.clear();
  }

  add(container: Container, expression: string | undefined): number {
    this.stored.set(++this.last, { container: this.paging() ? container : chunked(container), expression });
    return this.last;
  }

  variables(reference: number, page: Page): DebugProtocol.Variable[] {
    const stored = this.stored.get(reference);
    if (!stored) throw gone(`variablesReference ${reference}`);
    return itemsOf(stored.container, page).map(item => this.variable(item, stored.expression, page));
  }

  /** A value with what it reads as, and a reference to what it consists of. */
  present(item: Item, expression: string | undefined, hex = false): Omit<DebugProtocol.Variable, 'name' | 'evaluateName'> {
    const { text, type, children } = describe(item.value, { name: item.name, hex, ...(item.owner === undefined ? {} : { owner: item.owner }) });
    const container = item.children ?? children;
    return {
      value: item.text ?? text,
      ...(type === undefined ? {} : { type }),
      variablesReference: container ? this.add(container, expression) : 0,
      ...(container?.indexed && this.paging() ? { indexedVariables: container.indexed.count } : {}),
    };
  }

  private variable(item: Item, parent: string | undefined, { hex = false }: Page): DebugProtocol.Variable {
    const expression = expressionOf(item, parent);
    return { name: item.name, ...this.present(item, expression, hex), ...(expression === undefined ? {} : { evaluateName: expression }), presentationHint: { attributes: ['readOnly'] } };
  }
}

function expressionOf({ path }: Item, parent: string | undefined): string | undefined {
  if (path === undefined || !/^(->|\[|$)/.test(path)) return path;
  return parent === undefined ? undefined : parent + path;
}

function itemsOf({ named, indexed }: Container, { filter, start = 0, count = 0 }: Page): readonly Item[] {
  const length = count > 0 ? count : Infinity;
  const names = filter === 'indexed' ? [] : filter === 'named' ? named().slice(start, start + length) : named();
  if (!indexed || filter === 'named') return names;
  // Without a filter, a range is one of elements.
  return [...names, ...indexed.page(start, Math.min(length, indexed.count))];
}

function chunked(container: Container): Container {
  const { indexed } = container;
  if (!indexed || indexed.count <= CHUNK) return container;
  const chunks = Array.from({ length: Math.ceil(indexed.count / CHUNK) }, (_, i): Item => {
    const start = i * CHUNK;
    const count = Math.min(CHUNK, indexed.count - start);
    const page = (from: number, n: number): readonly Item[] => indexed.page(start + from, Math.min(n, count - from));
    return { name: `[${start}..${start + count - 1}]`, value: null, text: '', path: '', children: { named: () => [], indexed: { count, page } } };
  });
  return { named: () => [...container.named(), ...chunks] };
}
