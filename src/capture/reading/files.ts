import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** A line of a capture that its reader does not understand. `line` is 1-based. */
export interface Unread {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** What a reader makes of a file: hostile input is never an exception, what is not understood is listed. */
export interface Parsed<T> {
  readonly value: T;
  readonly unread: readonly Unread[];
}

/** A capture's folder. A file may be stored compressed, as `name.gz`. */
export class CaptureFiles {
  /** The folder's name, which names the capture. */
  readonly name: string;
  /** What is missing or damaged, one sentence each. */
  readonly problems: string[] = [];

  constructor(readonly folder: string) {
    this.name = basename(resolve(folder));
  }

  /** @param needed what cannot be done without it: if it is absent or empty, that is a problem; undefined = may be absent. */
  read(file: string, needed?: string): string | undefined {
    const path = join(this.folder, file);
    let why = 'is missing';
    try {
      const text = existsSync(path) ? readFileSync(path, 'utf8') : existsSync(`${path}.gz`) ? gunzipSync(readFileSync(`${path}.gz`)).toString('utf8') : undefined;
      // A file that was sent by mail or edited may have the line ends of another system.
      if (text) return text.replaceAll('\r\n', '\n');
      if (text === '') why = 'is empty';
    } catch (error) {
      why = `cannot be read (${error instanceof Error ? error.message : String(error)})`;
    }
    if (needed !== undefined) this.problems.push(`${file} ${why}: ${needed}`);
    return undefined;
  }
}

/** A file's lines; the part behind the last newline is a line too unless it is empty. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

export interface Section {
  readonly label: string;
  /** 1-based number of the first of `lines` in its file */
  readonly firstLine: number;
  readonly lines: readonly string[];
}

/** The parts of a file that begin with `##### SNAPSHOT label`. Lines before the first belong to none. */
export function sectionsOf(text: string): Section[] {
  const mark = '##### SNAPSHOT ';
  const sections: { label: string; firstLine: number; lines: string[] }[] = [];
  linesOf(text).forEach((line, i) => {
    if (line.startsWith(mark)) sections.push({ label: line.slice(mark.length).trim(), firstLine: i + 2, lines: [] });
    else sections.at(-1)?.lines.push(line);
  });
  return sections;
}

/** Numbers of the kernel's list format: "0-3,5" is [0, 1, 2, 3, 5]. @returns undefined for what is no list or reaches beyond `limit` */
export function listOf(text: string, limit = 8192): number[] | undefined {
  if (text === '') return [];
  const numbers: number[] = [];
  for (const range of text.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(range);
    if (!match) return undefined;
    const first = Number(match[1]);
    const last = match.at(2) === undefined ? first : Number(match[2]);
    const rises = first > (numbers.at(-1) ?? -1) && last >= first;
    if (!rises || last >= limit) return undefined;
    for (let n = first; n <= last; n++) numbers.push(n);
  }
  return numbers;
}
