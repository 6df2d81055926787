import type { Change } from './change';

/** What else of the same code is new in v5.10. */
export const V5_10 = {
  'amd-512-entries': {
    commit: '73db2fc595f3',
    subject: 'iommu/amd: Increase interrupt remapping table limit to 512 entries',
    release: 'v5.10',
    effect: "an AMD device's interrupt table has 512 entries, not 256",
    removable: true,
  },
  'amd-512-table-length': {
    commit: '4165bf015ba9',
    subject: 'iommu/amd: Set DTE[IntTabLen] to represent 512 IRTEs',
    release: 'v5.10',
    effect: 'the device table says so too: without it the IOMMU knows 256 entries, and refuses a message for any other',
    needs: ['amd-512-entries'],
    removable: true,
  },
  'vmd-helpers': {
    commit: '42443f036042',
    subject: 'PCI: vmd: Create IRQ Domain configuration helper; Create IRQ allocation helper',
    release: 'v5.10',
    effect: 'what vmd_probe() and vmd_enable_domain() did themselves is in vmd_alloc_irqs(), vmd_create_irq_domain() and vmd_remove_irq_domain()',
    removable: true,
  },
  'vmd-generic-pm': {
    subject: 'PCI: vmd: Update VMD PM to correctly use generic PCI PM',
    release: 'v5.10',
    effect: "a VMD's driver leaves it to the PCI code to save and restore its registers over a sleep",
    removable: true,
  },
  'vector-search-order': {
    commit: '190113b4c653',
    subject: 'x86/apic/vector: Fix ordering in vector assignment',
    release: 'v5.10',
    effect: 'CPUs of the affinity mask are searched before other CPUs of the node',
    removable: true,
  },
  'vmm-communication-vector': {
    commit: '0786138c78e7',
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
    commit: '55567976629e',
    subject: 'genirq/irqdomain: Allow partial trimming of irq_data hierarchy',
    release: 'v5.10',
    effect: 'levels that a domain marks as unused are cut off before the interrupt can be found; no domain of x86 marks any',
    removable: true,
  },
  'log-empty-continuation': {
    commit: 'f5f022e53b87',
    subject: 'printk: reimplement log_cont using record extension',
    release: 'v5.10',
    effect: 'a newline that continues no line is an empty line of the log',
    removable: true,
  },
  'retrigger-hierarchy': {
    commit: 'cd1752d34ef3',
    subject: 'genirq: Walk the irq_data hierarchy when resending an interrupt',
    release: 'v5.10',
    effect: 'an interrupt whose outermost chip cannot raise it again is raised by a chip further in',
    removable: true,
  },
  'xen-evtchn-rwlock': {
    commit: '073d0552ead5',
    subject: 'xen/events: avoid removing an event channel while handling it',
    release: 'v5.10',
    effect: 'events of a Xen guest are handled, and their interrupts freed, under evtchn_rwlock',
    removable: true,
  },
  'xen-debug-2level-only': {
    commit: 'd04b1ae5a9b0',
    subject: 'xen/events: only register debug interrupt for 2-level events',
    release: 'v5.10',
    effect: 'a Xen guest with the FIFO ABI has no row debugN in /proc/interrupts',
    removable: true,
  },
} as const satisfies Record<string, Change>;
