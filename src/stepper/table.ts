// Collects what a module's table says, in the walk's order.
import type { ModuleTable, ProbeKind, ProbeRow } from './registry';

export class TableBuilder {
  private readonly lineStarts: number[];
  private readonly functions: ModuleTable['functions'][number][] = [];
  private readonly probes: ProbeRow[] = [];
  private readonly names: string[][] = [];
  private readonly nameIndex = new Map<string, number>();
  private readonly entered = new Set<number>();

  constructor(source: string) {
    this.lineStarts = [0, ...[...source.matchAll(/\r\n|[\n\r\u2028\u2029]/g)].map(m => m.index + m[0].length)];
  }

  /** @param start offset in the source. @returns the function's index */
  addFunction(name: string, start: number, end: number, params: string[]): number {
    const [line, column] = this.position(start);
    this.functions.push([name, line, column, this.position(end)[0], params]);
    return this.functions.length - 1;
  }

  /** @returns the probe's index */
  add(fn: number, kind: ProbeKind, start: number, end: number, names: string[]): number {
    const entry = kind === 'probe' && !this.entered.has(fn);
    if (entry) this.entered.add(fn);
    this.probes.push([fn, ...this.position(start), ...this.position(end), this.intern(names), kind, entry ? 1 : 0]);
    return this.probes.length - 1;
  }

  sameNames(probe: number, names: string[]): boolean {
    return this.probes[probe]?.[5] === this.intern(names);
  }

  build(): Pick<ModuleTable, 'functions' | 'probes' | 'names'> {
    return { functions: this.functions, probes: this.probes, names: this.names };
  }

  private intern(names: string[]): number {
    const key = names.join();
    const known = this.nameIndex.get(key);
    if (known !== undefined) return known;
    this.nameIndex.set(key, this.names.length);
    return this.names.push(names) - 1;
  }

  /** Line and column, 1-based, of an offset. */
  private position(offset: number): [line: number, column: number] {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.lineStarts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return [low + 1, offset - this.lineStarts[low] + 1];
  }
}
