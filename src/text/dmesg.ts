import type { World } from '../kernel/world';

/** The kernel's log. The model has no clock: every line is stamped with zero. */
export const dmesg = ({ kernel }: World): string => kernel.log.map(line => `[    0.000000] ${line.text}\n`).join('');
