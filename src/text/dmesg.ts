import type { World } from '../kernel/world';

/** The kernel's log as `dmesg --notime` prints it: the model has no clock. */
export const dmesg = ({ kernel }: World): string => kernel.log.map(line => `${line.text}\n`).join('');
