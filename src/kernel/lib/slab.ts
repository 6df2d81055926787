import { kernel } from '../world';

// Memory that may be refused, as CONFIG_FAILSLAB and CONFIG_FAULT_INJECTION have it. What is given is never taken back: objects are the host's.

export const slab_globals = () => ({
  /** what /proc/<pid>/fail-nth asks for, here of all tasks */
  fail_nth: {
    /** which allocation fails, counted from 1; 0 = none */
    nth: 0,
    /** allocations since that was written */
    count: 0,
    /** the one that failed: function and structure; null = none did */
    failed: null as string | null,
    /** what the kernel's own unwinding has forgotten to give back */
    lost: [] as string[],
  },
});

/** Make the n-th allocation from here on fail; 0 = none. Source: fs/proc/base.c, proc_fail_nth_write() */
export function write_fail_nth(nth: number): void {
  Object.assign(kernel.fail_nth, { nth, count: 0, failed: null, lost: [] });
}

/** @param where the kernel's function and what it allocates @returns whether it shall not get it. Source: lib/fault-inject.c, should_fail() */
export function should_fail(where: string): boolean {
  const { fail_nth } = kernel;
  if (++fail_nth.count !== fail_nth.nth) return false;
  fail_nth.failed = where;
  return true;
}

/** @param make the object as C has it zeroed and initialized @returns it, or null */
export const kzalloc = <T>(where: string, make: () => T): T | null => (should_fail(where) ? null : make());

/** Where the kernel has no kfree() and should have one. */
export function lose(where: string): void {
  kernel.fail_nth.lost.push(where);
}
