import type { Change } from './change';

/** What else of the same code is new in v5.10. */
export const V5_10 = {
  'vector-search-order': {
    subject: 'x86/apic/vector: Fix ordering in vector assignment',
    release: 'v5.10',
    effect: 'CPUs of the affinity mask are searched before other CPUs of the node',
    removable: true,
  },
  'vmm-communication-vector': {
    subject: 'x86/sev-es: Add a Runtime #VC Exception Handler',
    release: 'v5.10',
    effect: 'vector 29 has a gate',
    removable: true,
  },
  'free-mapped-irqs-only': {
    commit: '4615fbc3788d',
    subject: "genirq/irqdomain: Don't try to free an interrupt that has no mapping",
    release: 'v5.10',
    effect: "a domain's free is called for each interrupt of a block that it has, not once for the block",
    removable: true,
  },
  'trim-hierarchy': {
    subject: 'genirq/irqdomain: Allow partial trimming of irq_data hierarchy',
    release: 'v5.10',
    effect: 'levels that a domain marks as unused are cut off before the interrupt can be found; no domain of x86 marks any',
    removable: true,
  },
  'log-empty-continuation': {
    subject: 'printk: reimplement log_cont using record extension',
    release: 'v5.10',
    effect: 'a newline that continues no line is an empty line of the log',
    removable: true,
  },
  'retrigger-hierarchy': {
    subject: 'genirq: Walk the irq_data hierarchy when resending an interrupt',
    release: 'v5.10',
    effect: 'an interrupt whose outermost chip cannot raise it again is raised by a chip further in',
    removable: true,
  },
} as const satisfies Record<string, Change>;
