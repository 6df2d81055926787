import type { Change } from './change';

/** What v5.9 has, and one may want to do without. */
export const V5_9 = {
  'msi-affinity-race': {
    commit: '6f1a4891a592',
    subject: 'x86/apic/msi: Plug non-maskable MSI affinity race',
    release: 'v5.6',
    effect: 'a message that cannot be masked moves in two steps, by way of the new vector on the old CPU: each of its halves is one that somebody expects',
    removable: true,
  },
} as const satisfies Record<string, Change>;
