import type { Patch, Series, Snapshot } from '../../debug-adapter/panel-protocol';

/** A stop inside the activation of an NVMe queue under Intel remapping, in the figures of a 4-CPU machine. */
export const stopInActivation: Snapshot = {
  step: 1204,
  kernel: 'v5.10',
  irq: 26,
  domains: [
    { id: 0, name: 'VECTOR', parent: null, busToken: 'ANY', flags: 'HIERARCHY | NAME_ALLOCATED', mapped: 23, changed: true, devices: [], others: [] },
    { id: 1, name: 'INTEL-IR-0', parent: 0, busToken: 'ANY', flags: 'HIERARCHY | NAME_ALLOCATED', mapped: 21, devices: [], others: [] },
    { id: 2, name: 'INTEL-IR-MSI-0-3', parent: 1, busToken: 'PCI_MSI', flags: 'HIERARCHY | NAME_ALLOCATED | MSI', mapped: 5, devices: [{ name: '0000:00:04.0', driver: 'nvme', kind: 'MSI-X', irqs: [{ irq: 25, actions: 'nvme0q0' }, { irq: 26, actions: 'nvme0q1' }, { irq: 27, actions: '' }] }], others: [] },
  ],
  outside: { devices: [{ name: '0000:00:1f.2', driver: null, kind: null, pointsNowhere: true, irqs: [] }], others: [{ irq: 2, actions: 'cascade' }] },
  chain: {
    irq: 26,
    actions: 'nvme0q1',
    state: { name: 'state_use_accessors', value: 'ACTIVATED | MOVE_PCNTXT | SINGLE_TARGET', changed: true, was: 'MOVE_PCNTXT | SINGLE_TARGET' },
    affinity: { name: 'affinity', value: '0' },
    effectiveAffinity: { name: 'effective_affinity', value: '0' },
    levels: [
      { domain: 'INTEL-IR-MSI-0-3', chip: 'IR-PCI-MSI', hwirq: { name: 'hwirq', value: '0x10001' }, chipData: null },
      { domain: 'INTEL-IR-0', chip: 'INTEL-IR', hwirq: { name: 'hwirq', value: '0x100000' }, chipData: { type: 'intel_ir_data', fields: [{ name: 'irte_index', value: '16' }] } },
      { domain: 'VECTOR', chip: 'APIC', hwirq: { name: 'hwirq', value: '0x1a' }, chipData: { type: 'apic_chip_data', fields: [{ name: 'vector', value: '0x22', changed: true, was: '0x0' }, { name: 'hw_irq_cfg', value: 'irq_cfg', type: 'irq_cfg', fields: [{ name: 'vector', value: '0x22' }] }] } },
    ],
  },
  current: {
    allocInfo: { type: 'irq_alloc_info', fields: [{ name: 'type', value: 'X86_IRQ_ALLOC_TYPE_PCI_MSIX' }, { name: 'hwirq', value: '0x10001' }] },
    msiDesc: { type: 'msi_desc', fields: [{ name: 'irq', value: '26', changed: true }] },
    message: { address_hi: 0, address_lo: 0xfee00218, data: 0, format: 'Intel remappable format', fields: [{ word: 'address_lo', bits: [19, 5], name: 'index', value: '16', doc: 'entry of the remapping table' }] },
  },
  matrix: {
    matrixBits: 256,
    allocStart: 32,
    allocEnd: 236,
    globalAvailable: 796,
    globalReserved: 13,
    totalAllocated: 9,
    onlineMaps: 4,
    system: '0-19,29,32,50,128,236,240-242,244,246-255',
    cpus: [0, 1, 2, 3].map((cpu) => ({ cpu, online: true, available: 199, allocated: 2, managed: 1, managedAllocated: 1, allocMap: '33-34', managedMap: '34', moving: '', ...(cpu === 0 && { changed: true as const }) })),
  },
};

/** The same stop on the kernel before the series: other members, another message, a domain more. */
export const stopBefore: Snapshot = {
  ...stopInActivation,
  step: 1187,
  kernel: 'v5.9',
  domains: [...stopInActivation.domains!.map((domain) => (domain.name === 'VECTOR' ? { ...domain, mapped: 22 } : domain)), { id: 3, name: 'PCI-MSI-2', parent: 0, busToken: 'PCI_MSI', flags: 'HIERARCHY | MSI', mapped: 0, devices: [], others: [] }],
  current: {
    ...stopInActivation.current!,
    allocInfo: { type: 'irq_alloc_info', fields: [{ name: 'type', value: 'X86_IRQ_ALLOC_TYPE_MSIX' }, { name: 'hwirq', value: '0x10001' }, { name: 'msi_hwirq', value: '0x10001' }] },
    message: { ...stopInActivation.current!.message!, address_lo: 0xfee00238 },
  },
  matrix: { ...stopInActivation.matrix!, system: '0-19,32,50,128,236,240-242,244,246-255' },
};

const patch = (number: number, present: boolean): Patch => ({ number, id: `v2-0${number}`, subject: `Subject of patch ${number}`, effect: 'something that one sees', needs: number === 3 ? ['v2-02'] : [], merged: number < 4, present });

/** A series of four patches, of which this kernel has two. */
export const twoGroups: Series = {
  kernels: ['v5.9', 'v5.10'],
  patches: 2,
  groups: [
    { title: 'first things', patches: [patch(1, true), patch(2, true)] },
    { title: 'later things', patches: [patch(3, false), patch(4, false)] },
  ],
};
