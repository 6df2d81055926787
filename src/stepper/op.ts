/**
 * A point where a context lets go of its CPU.
 * `window`: interrupts may enter here and others may run; always runnable again.
 * `until`: sleeps on a named thing (mutex, completion, irq thread); `ready` only looks.
 */
export type Wait =
  | { readonly wait: 'window' }
  | { readonly wait: 'until'; readonly on: string; readonly ready: () => boolean };

/** What a model function returns: called with `yield*`, it yields probe ids where the stepper stops, and waits. */
export type Op<T = void> = Generator<number | Wait, T, void>;
