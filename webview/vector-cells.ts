import type { Matrix, MatrixCpu, VectorList } from '../debug-adapter/panel-protocol';

/** What one vector of one CPU is. `reserved`: set aside for a managed interrupt that does not use it now. */
export type CellKind = 'outside' | 'free' | 'system' | 'reserved' | 'managed' | 'allocated' | 'moving';

export const KIND_TEXT: Record<CellKind, string> = {
  outside: 'not allocatable',
  free: 'free',
  system: 'system vector',
  reserved: 'set aside for a managed interrupt',
  managed: 'managed, in use',
  allocated: 'allocated',
  moving: 'left behind by a move, waits for the cleanup',
};

/** "33-34,48" -> the numbers, in order. */
export function* vectorsOf(list: VectorList): Generator<number> {
  for (const run of list.split(',')) {
    if (!run) continue;
    const [first, last] = run.split('-').map(Number) as [number, number | undefined];
    for (let vector = first; vector <= (last ?? first); vector++) yield vector;
  }
}

/** The kind of each vector of a CPU, later rules over earlier ones. */
export function cellsOf(matrix: Matrix, cpu: MatrixCpu): CellKind[] {
  const cells = Array.from({ length: matrix.matrixBits }, (_, vector): CellKind => (vector >= matrix.allocStart && vector < matrix.allocEnd ? 'free' : 'outside'));
  const mark = (list: VectorList, kind: (before: CellKind) => CellKind): void => {
    for (const vector of vectorsOf(list)) cells[vector] = kind(cells[vector]);
  };
  mark(matrix.system, () => 'system');
  mark(cpu.managedMap, () => 'reserved');
  mark(cpu.allocMap, (before) => (before === 'reserved' ? 'managed' : 'allocated'));
  mark(cpu.moving, () => 'moving');
  return cells;
}
