/** Where something stands in a text file; 1-based, the end is exclusive. */
export interface Span {
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

/** What is wrong with a file: what was found there, and what was expected. */
export interface Diagnostic extends Span {
  readonly path: string;
  readonly message: string;
}

/** Reported at most, of one file. */
export const MAX_DIAGNOSTICS = 20;

/** "file:line:column: error: message" */
export function formatDiagnostic(d: Diagnostic): string {
  return `${d.path}:${d.line}:${d.column}: error: ${d.message}`;
}

/** File by file, in the order of each, without repetitions; of a great many, the first ones and how many there are. */
export function inFileOrder(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const sorted = [...diagnostics].sort((a, b) => (a.path === b.path ? a.line - b.line || a.column - b.column : a.path < b.path ? -1 : 1));
  const distinct = sorted.filter((d, i) => i === 0 || formatDiagnostic(d) !== formatDiagnostic(sorted[i - 1]));
  if (distinct.length <= MAX_DIAGNOSTICS) return distinct;
  const last = distinct[MAX_DIAGNOSTICS - 1];
  const rest = distinct.length - MAX_DIAGNOSTICS;
  return [...distinct.slice(0, MAX_DIAGNOSTICS), { ...last, message: `${rest} more errors from here on` }];
}
