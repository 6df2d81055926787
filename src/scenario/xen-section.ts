import { XEN_FEATURES, type XenConfig, type XenFeature, type XenGuest } from '../hardware/machine-config';

// The machine as one of Xen's: what `machine.hypervisor` may hold besides a name.

/**
 * How many, lines included.
 * @asType integer
 * @minimum 16
 * @maximum 32768
 */
export type PirqCount = number;

/**
 * @asType integer
 * @minimum 4
 * @maximum 131071
 */
export type EvtchnCount = number;

/**
 * A hypercall by the name that Xen's headers have for its number.
 * @pattern ^(PHYSDEVOP|EVTCHNOP)_[a-z0-9_]+$
 * @expected a hypercall such as PHYSDEVOP_unmap_pirq
 */
export type HypercallName = string;

/** The kernel runs as a guest of Xen's. */
export interface XenSection {
  /**
   * pv-domu: a paravirtualized guest whose devices come through xen-pcifront; pv-dom0: the one that has the machine's devices;
   * hvm: a guest with interrupt controllers that Xen makes up, and with pirqs for messages; pvh-dom0: dom0 with interrupt controllers.
   */
  xen: XenGuest;
  /** What this Xen, or its CPUs, can besides: apic_access_virt, x2apic_virt (messages reach an HVM guest's local APIC without Xen). */
  with?: XenFeature[];
  /** What this Xen cannot: hvm_pirqs, hvm_callback_vector, msi_seg (PCI segments), get_free_pirq, fifo (the FIFO event channel ABI), and others. */
  without?: XenFeature[];
  /** pirqs that the guest may have; default: one for each line and 32 more, in dom0 200 more. */
  pirqs?: PirqCount;
  /** The greatest event channel that the guest may have; default: 1023, in dom0 131071. */
  evtchns?: EvtchnCount;
  /** Hypercalls that Xen's security policy forbids: they return -EPERM. */
  deny?: HypercallName[];
}

const NOT_USUAL: readonly XenFeature[] = ['apic_access_virt', 'x2apic_virt'];
const MESSAGES = { domu: 32, dom0: 200 };
const EVTCHNS = { domu: 1023, dom0: 131071 };

/** @param gsis lines of the machine */
export function xenConfig({ xen, with: added = [], without = [], pirqs, evtchns, deny = [] }: XenSection, gsis: number): XenConfig {
  const kind = xen.endsWith('dom0') ? 'dom0' : 'domu';
  // A PVH guest has no pirqs.
  const never: readonly XenFeature[] = xen === 'pvh-dom0' ? ['hvm_pirqs'] : [];
  const features = XEN_FEATURES.filter(feature => (added.includes(feature) || !NOT_USUAL.includes(feature)) && !without.includes(feature) && !never.includes(feature));
  return { guest: xen, features: xen.startsWith('pv-') ? features.filter(name => !name.startsWith('hvm_')) : features, pirqs: pirqs ?? gsis + MESSAGES[kind], evtchns: evtchns ?? EVTCHNS[kind], deny };
}
