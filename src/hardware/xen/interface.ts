import { bits } from '../bits';

// How a guest talks to Xen: numbers, structures and the layout of shared pages, as Xen's public headers have them.

/** Source: xen/include/public/physdev.h */
export const PHYSDEVOP = {
  irq_status_query: 5,
  alloc_irq_vector: 10,
  eoi: 12,
  map_pirq: 13,
  unmap_pirq: 14,
  restore_msi: 19,
  setup_gsi: 21,
  get_free_pirq: 23,
  restore_msi_ext: 27,
  pirq_eoi_gmfn_v2: 28,
  prepare_msix: 30,
  release_msix: 31,
} as const;

/** Source: xen/include/public/event_channel.h */
export const EVTCHNOP = {
  bind_interdomain: 0,
  bind_virq: 1,
  bind_pirq: 2,
  close: 3,
  send: 4,
  alloc_unbound: 6,
  bind_ipi: 7,
  bind_vcpu: 8,
  unmask: 9,
  init_control: 11,
  expand_array: 12,
  set_priority: 13,
} as const;

/** The kind of callback stands in the upper byte; 2: a vector. */
export const HVM_CALLBACK_VECTOR = (vector: number): bigint => (2n << 56n) | BigInt(vector);

/** Bits of the features that a guest asks for. Source: xen/include/public/features.h */
export const XENFEAT = { hvm_callback_vector: 8, hvm_safe_pvclock: 9, hvm_pirqs: 10 } as const;

/** EAX of leaf 4 above Xen's base. Source: xen/include/public/arch-x86/cpuid.h */
export const XEN_HVM_CPUID_APIC_ACCESS_VIRT = 1 << 0;
export const XEN_HVM_CPUID_X2APIC_VIRT = 1 << 1;

export const MAP_PIRQ_TYPE = { MSI: 0, GSI: 1, UNKNOWN: 2, MSI_SEG: 3, MULTI_MSI: 4 } as const;

/** flags of irq_status_query */
export const XENIRQSTAT_needs_eoi = 1 << 0;
export const XENIRQSTAT_shared = 1 << 1;
/** flags of bind_pirq */
export const BIND_PIRQ__WILL_SHARE = 1;

/** The address of a message of an HVM guest's device: a pirq in place of the destination. Its upper bits stand in the upper word, as an x2APIC destination's. */
export const XEN_PIRQ_ADDRESS_LO = bits(32, { pirq_0_7: [12, 19, 'lower bits of the pirq; the others in address_hi'], base_address: [20, 31, '0xfee'] });
/** The vector 0 says so; a delivery mode that there is not. */
export const XEN_PIRQ_DATA = bits(32, { vector: [0, 7, '0: the message is for a pirq'], delivery_mode: [8, 10, '3: none'], active_low: [14, 'level: 1 = assert'], is_level: [15, '0 = edge'] });
export const XEN_PIRQ_DELIVERY_MODE = 3;

export const DOMID_SELF = 0x7ff0;

export const VIRQ = { TIMER: 0, DEBUG: 1 } as const;

/** Errors of hypercalls, returned negative. Source: xen/include/public/errno.h */
export const XEN_ERRNO = { EPERM: 1, ENOENT: 2, ESRCH: 3, EBUSY: 16, EEXIST: 17, ENODEV: 19, EINVAL: 22, ENOSPC: 28, ENOSYS: 38 } as const;

export interface physdev_irq_status_query { irq: number; flags: number }
export interface physdev_irq { irq: number; vector: number }
export interface physdev_eoi { irq: number }
export interface physdev_map_pirq { domid: number; type: number; index: number; pirq: number; bus: number; devfn: number; entry_nr: number; table_base: number }
export interface physdev_unmap_pirq { domid: number; pirq: number }
export interface physdev_setup_gsi { gsi: number; triggering: number; polarity: number }
export interface physdev_get_free_pirq { type: number; pirq: number }
export interface physdev_pirq_eoi_gmfn { gmfn: number }
export interface physdev_restore_msi { bus: number; devfn: number }
export interface physdev_pci_device { seg: number; bus: number; devfn: number }

export interface PhysdevArgs {
  5: physdev_irq_status_query;
  10: physdev_irq;
  12: physdev_eoi;
  13: physdev_map_pirq;
  14: physdev_unmap_pirq;
  19: physdev_restore_msi;
  21: physdev_setup_gsi;
  23: physdev_get_free_pirq;
  27: physdev_pci_device;
  28: physdev_pirq_eoi_gmfn;
  30: physdev_pci_device;
  31: physdev_pci_device;
}

export interface evtchn_bind_interdomain { remote_dom: number; remote_port: number; local_port: number }
export interface evtchn_bind_virq { virq: number; vcpu: number; port: number }
export interface evtchn_bind_pirq { pirq: number; flags: number; port: number }
export interface evtchn_port { port: number }
export interface evtchn_alloc_unbound { dom: number; remote_dom: number; port: number }
export interface evtchn_bind_ipi { vcpu: number; port: number }
export interface evtchn_bind_vcpu { port: number; vcpu: number }
export interface evtchn_init_control { control_gfn: number; offset: number; vcpu: number }
export interface evtchn_expand_array { array_gfn: number }
export interface evtchn_set_priority { port: number; priority: number }

export interface EvtchnArgs {
  0: evtchn_bind_interdomain;
  1: evtchn_bind_virq;
  2: evtchn_bind_pirq;
  3: evtchn_port;
  4: evtchn_port;
  6: evtchn_alloc_unbound;
  7: evtchn_bind_ipi;
  8: evtchn_bind_vcpu;
  9: evtchn_port;
  11: evtchn_init_control;
  12: evtchn_expand_array;
  13: evtchn_set_priority;
}

export interface vcpu_register_vcpu_info { mfn: number; offset: number }

export const PAGE_SIZE = 4096;

/** struct vcpu_info: byte offsets. */
export const VCPU_INFO = { evtchn_upcall_pending: 0, evtchn_upcall_mask: 1, evtchn_pending_sel: 8, size: 64 } as const;
/** struct shared_info of 64 bits: byte offsets; vcpu_info of the first 32 virtual CPUs comes first. */
export const SHARED_INFO = { vcpu_info: 0, evtchn_pending: 2048, evtchn_mask: 2560 } as const;

/** The two-level ABI: a bit for each port, and in each virtual CPU's selector a bit for each word of 64. */
export const EVTCHN_2L_NR_CHANNELS = 4096;
export const BITS_PER_EVTCHN_WORD = 64;

/** The FIFO ABI: a word for each port, which names the next one that is ready; a queue for each priority of each virtual CPU. */
export const EVTCHN_FIFO_NR_CHANNELS = 1 << 17;
export const EVTCHN_FIFO_MAX_QUEUES = 16;
export const EVTCHN_FIFO_PRIORITY_MAX = 0;
export const EVTCHN_FIFO_PRIORITY_DEFAULT = 7;
export const EVTCHN_FIFO = { PENDING: 31, MASKED: 30, LINKED: 29, BUSY: 28, LINK_MASK: (1 << 17) - 1 } as const;
/** struct evtchn_fifo_control_block: byte offsets. */
export const FIFO_CONTROL = { ready: 0, head: 8 } as const;
export const EVENT_WORDS_PER_PAGE = PAGE_SIZE / 4;
