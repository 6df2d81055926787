import type { Guest } from '../stepper/guest';
import type { Op } from '../stepper/op';
import { $ } from '../stepper/runtime';

/** Runs an Op to its end without a stop, outside of any stepper's run; interrupts enter where it lets them. */
export function drain(guest: Guest, cpu: number, run: () => Op): void {
  const { n, lim, t, at, sp, fn, pos, vals } = $;
  Object.assign($, { n: 0, lim: Infinity, t: new Uint8Array(0), sp: 0, fn: [], pos: [], vals: [] });
  try {
    guest.enter(cpu);
    finish(guest, cpu, run());
  } finally {
    Object.assign($, { n, lim, t, at, sp, fn, pos, vals });
  }
}

function finish(guest: Guest, cpu: number, op: Op): void {
  for (;;) {
    guest.enter(cpu);
    $.refuel();
    const { done, value } = op.next();
    if (done) return;
    takeEntries(guest);
    if (typeof value === 'number' || value.wait === 'window') continue;
    guest.enter(cpu);
    if (!value.ready()) throw new Error(`nothing can run while the machine boots: CPU ${cpu} waits for ${value.on}`);
  }
}

/** Lowest CPU first, until no CPU has one; on top of the stack that they interrupt. */
function takeEntries(guest: Guest): void {
  const depth = $.sp;
  for (let cpu = 0; cpu < guest.cpus; cpu++) {
    const entry = guest.pending(cpu);
    if (!entry) continue;
    guest.enter(cpu);
    finish(guest, cpu, entry.run());
    $.sp = depth;
    cpu = -1;
  }
}
