import { kernel, machine } from '../world';

// Whether the kernel is a guest of Xen's, and what kind: include/xen/xen.h, features.h.

export type xen_domain_type = 'XEN_NATIVE' | 'XEN_PV_DOMAIN' | 'XEN_HVM_DOMAIN';

export const xen_enlighten_globals = () => ({
  xen_domain_type: 'XEN_NATIVE' as xen_domain_type,
  xen_pvh: false,
  /** of xen_start_flags: SIF_INITDOMAIN */
  xen_initdomain: false,
  xen_have_vector_callback: false,
  /** physical address of each CPU's vcpu_info */
  xen_vcpu: [] as number[],
  /** locks of PV guests wait for events */
  xen_pvspin: true,
});

export const xen_domain = (): boolean => kernel.xen_domain_type !== 'XEN_NATIVE';
export const xen_pv_domain = (): boolean => kernel.xen_domain_type === 'XEN_PV_DOMAIN';
/** PVH is one too. */
export const xen_hvm_domain = (): boolean => kernel.xen_domain_type === 'XEN_HVM_DOMAIN';
/** dom0, of whatever kind */
export const xen_initial_domain = (): boolean => xen_domain() && kernel.xen_initdomain;

export const xen_feature = (bit: number): boolean => machine.xen!.feature(bit);

/** HVM guests without a vector callback have all events on the first virtual CPU. Source: include/xen/events.h */
export const xen_support_evtchn_rebind = (): boolean => !xen_hvm_domain() || kernel.xen_have_vector_callback;
