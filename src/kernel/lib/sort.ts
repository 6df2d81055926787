/**
 * Heap sort in the order of comparisons and swaps of lib/sort.c: it is not stable, and where equal elements end up shows
 * (two NUMA nodes of one size change places). Source: lib/sort.c, sort()
 */
export function sort<T>(base: T[], cmp: (a: T, b: T) => number): void {
  const swap = (i: number, j: number): void => {
    [base[i], base[j]] = [base[j], base[i]];
  };
  let heap = base.length >>> 1;
  let n = base.length;
  if (heap === 0) return;

  for (;;) {
    if (heap > 0) heap--;
    else if (--n > 0) swap(0, n);
    else return;

    let leaf = heap;
    while (2 * leaf + 2 < n) leaf = cmp(base[2 * leaf + 1], base[2 * leaf + 2]) >= 0 ? 2 * leaf + 1 : 2 * leaf + 2;
    if (2 * leaf + 2 === n) leaf = 2 * leaf + 1;
    while (leaf !== heap && cmp(base[heap], base[leaf]) >= 0) leaf = (leaf - 1) >>> 1;

    for (let at = leaf; leaf !== heap; ) {
      leaf = (leaf - 1) >>> 1;
      swap(leaf, at);
    }
  }
}
