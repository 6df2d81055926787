/** The candidate that a typing error would turn into `word`, or undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** "; did you mean x?", or what there is to choose from. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates);
  if (near !== undefined) return `; did you mean ${near}?`;
  return candidates.length === 0 ? '; there are none' : `; expected ${list(candidates, 'or')}`;
}

/** Of a few, all there is to choose from: a kernel's version, say, is seldom a typing error. */
export const choice = (word: string, candidates: readonly string[]): string =>
  candidates.length <= 5 ? `; expected ${list(candidates, 'or')}` : suggestion(word, candidates);

/** "a, b or c"; of many, the first ones. */
export function list(words: readonly string[], conjunction: 'and' | 'or'): string {
  if (words.length > 32) return `${words.slice(0, 31).join(', ')} ... (${words.length})`;
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)!}`;
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2] + 1 : Infinity;
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, replaced, swapped);
    }
    before = row;
    row = next;
  }
  return row[b.length];
}
