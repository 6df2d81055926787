import type { Output } from './command';

/** Says on stderr that something is under way, once, if it takes longer than a second. */
export async function withProgress<T>(what: string, { err }: Output, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => err(`${what} ...\n`), 1000);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}
