import { XEN_FEATURES, type XenConfig, type XenFeature, type XenGuest } from '../hardware/machine-config';
import type { HypervisorSection } from './hypervisor-sections';
import type { MachineSection } from './machine-sections';

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
export type XenSection = Omit<HypervisorSection, 'hyperv'> & { readonly xen: XenGuest };

/** The keys of a Xen that mean nothing elsewhere. */
export const XEN_OPTIONS = ['with', 'without', 'pirqs', 'evtchns', 'deny'] as const satisfies readonly (keyof HypervisorSection)[];

/** In a step `suspend`: the guest itself. */
export const SAVED_GUEST = 'xen';

/** The Xen below, if there is one. */
export function xenOf({ hypervisor }: MachineSection = {}): XenSection | undefined {
  return typeof hypervisor === 'object' && hypervisor.xen !== undefined ? { ...hypervisor, xen: hypervisor.xen } : undefined;
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
