// What is known of the code that runs: modules, their functions and probes, by ids that are unique in the process.

/** A generator function, or a step of a script. Lines and columns are 1-based. */
export interface FunctionInfo {
  readonly name: string;
  readonly module: ModuleInfo;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly params: readonly string[];
}

/** `probe`: before a statement. `call`: only the position of a call in a loop's head. `loop`: a loop of a plain function. */
export type ProbeKind = 'probe' | 'call' | 'loop';

/** A part of a source. Lines and columns are 1-based, the end is exclusive. */
export interface SourceRange {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

/** A place in the source; a compound statement's range is its head. */
export interface ProbeInfo extends SourceRange {
  readonly id: number;
  readonly kind: ProbeKind;
  /** Absent for a loop of a plain function. */
  readonly fn: FunctionInfo | undefined;
  /** The variables that are visible and initialised here, outermost scope first. */
  readonly names: readonly string[];
  /** The function's first probe: passed exactly once an activation. */
  readonly entry: boolean;
}

export interface ModuleInfo {
  readonly path: string;
  /** sha256 of the source, hexadecimal. */
  readonly hash: string;
  readonly source: string;
}

/** `[function index or -1, line, column, endLine, endColumn, index into names, kind, entry]` */
export type ProbeRow = readonly [fn: number, line: number, column: number, endLine: number, endColumn: number, names: number, kind: ProbeKind, entry: 0 | 1];

/** What an instrumented module says of itself, as compact as it is embedded in its code. */
export interface ModuleTable extends ModuleInfo {
  readonly functions: readonly (readonly [name: string, line: number, column: number, endLine: number, params: readonly string[]])[];
  readonly probes: readonly ProbeRow[];
  readonly names: readonly (readonly string[])[];
}

interface Registered {
  readonly table: ModuleTable;
  readonly base: number;
  readonly functions: readonly FunctionInfo[];
}

const registered: Registered[] = [];
const byPath = new Map<string, Registered>();
let size = 0;

/**
 * Makes a module known; the newest of a path is the one that lookups by path find.
 * @returns the base that its function and probe indices are counted from
 */
export function addModule(table: ModuleTable): number {
  const entry = register(table);
  byPath.set(table.path, entry);
  return entry.base;
}

/** A place in a script: a frame with one probe, neither found by path nor by name here. */
export interface ScriptPlace {
  readonly title: string;
  readonly source: { readonly path: string; readonly line: number; readonly column: number; readonly endLine?: number };
}

const places = new Map<string, ProbeInfo>();

/** @returns its probe, the same for the same place; the function has the probe's id */
export function scriptProbe({ title, source: { path, line, column, endLine = line } }: ScriptPlace): ProbeInfo {
  const key = JSON.stringify([path, line, column, endLine, title]);
  const known = places.get(key);
  if (known) return known;
  const { base } = register({ path, hash: '', source: '', functions: [[title, line, column, endLine, []]], probes: [[0, line, column, endLine, column, 0, 'probe', 1]], names: [[]] });
  const probe = probeOf(base);
  places.set(key, probe);
  return probe;
}

function register(table: ModuleTable): Registered {
  const module: ModuleInfo = { path: table.path, hash: table.hash, source: table.source };
  const functions = table.functions.map(([name, line, column, endLine, params]) => ({ name, module, line, column, endLine, params }));
  const entry = { table, base: size, functions };
  registered.push(entry);
  size += Math.max(table.probes.length, functions.length, 1);
  return entry;
}

/** One more than the greatest id. */
export const registrySize = (): number => size;

/** The modules, in the order of their registration. */
export function modules(): ModuleInfo[] {
  return [...byPath.values()].map(r => ({ path: r.table.path, hash: r.table.hash, source: r.table.source }));
}

export function functionOf(id: number): FunctionInfo {
  const owner = ownerOf(id);
  return owner.functions[id - owner.base];
}

export function probeOf(id: number): ProbeInfo {
  const owner = ownerOf(id);
  return expand(owner, id - owner.base);
}

/** Functions by name: `alloc` also finds `msi_ops.alloc`. */
export function functionsNamed(name: string): FunctionInfo[] {
  const matches = (f: FunctionInfo): boolean => f.name === name || f.name.endsWith(`.${name}`);
  return [...byPath.values()].flatMap(r => r.functions.filter(matches));
}

/** The probe that every activation of a function passes first. */
export function entryOf(fn: FunctionInfo): ProbeInfo | undefined {
  const owner = byPath.get(fn.module.path);
  const index = owner?.functions.indexOf(fn) ?? -1;
  const row = owner?.table.probes.findIndex(p => p[0] === index && p[7] === 1) ?? -1;
  return owner && index >= 0 && row >= 0 ? expand(owner, row) : undefined;
}

/** Probes where a run can stop, in a file from `line` on up to and including `endLine`, in the source's order. */
export function probesBetween(path: string, line: number, endLine: number): ProbeInfo[] {
  const owner = byPath.get(path);
  if (!owner) return [];
  const found = owner.table.probes.flatMap((p, i) => (p[6] === 'probe' && p[1] >= line && p[1] <= endLine ? [expand(owner, i)] : []));
  return found.sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Where a breakpoint on `line` belongs: the probes that start on the first line at or after it that has one. */
export function probesAt(path: string, line: number): ProbeInfo[] {
  return firstLine(probesBetween(path, line, Infinity));
}

/** Of probes in the source's order, those on the first one's line. */
export const firstLine = (probes: readonly ProbeInfo[]): ProbeInfo[] => probes.filter(p => p.line === probes[0].line);

function expand(owner: Registered, index: number): ProbeInfo {
  const [fn, line, column, endLine, endColumn, names, kind, entry] = owner.table.probes[index];
  return {
    id: owner.base + index,
    kind,
    fn: owner.functions[fn],
    path: owner.table.path,
    line,
    column,
    endLine,
    endColumn,
    names: owner.table.names[names],
    entry: entry === 1,
  };
}

/** The last module whose base is not above the id. */
function ownerOf(id: number): Registered {
  let low = 0;
  let high = registered.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (registered[middle].base <= id) low = middle;
    else high = middle - 1;
  }
  const owner = registered[low];
  if (id < 0 || id >= size) throw new RangeError(`no module has an id ${id}; ids are below ${size}`);
  return owner;
}
