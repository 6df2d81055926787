import type { EvtchnArgs, PhysdevArgs, vcpu_register_vcpu_info } from '../../../../hardware/xen/interface';
import { machine } from '../../../world';

// Calls into Xen; each returns 0 or an errno, and fills in `arg`: arch/x86/include/asm/xen/hypercall.h.

export const HYPERVISOR_physdev_op = <C extends keyof PhysdevArgs>(cmd: C, arg: PhysdevArgs[C]): number => machine.xen!.physdevOp(cmd, arg);

export const HYPERVISOR_event_channel_op = <C extends keyof EvtchnArgs>(cmd: C, arg: EvtchnArgs[C]): number => machine.xen!.eventChannelOp(cmd, arg);

/** VCPUOP_register_vcpu_info, the only one that is modelled. */
export const HYPERVISOR_vcpu_op = (vcpu: number, arg: vcpu_register_vcpu_info): number => machine.xen!.registerVcpuInfo(vcpu, arg);

/** SCHEDOP_shutdown with the reason suspend: it returns when the guest has been built anew. @returns 1 where it goes on as it was */
export const HYPERVISOR_suspend = (): number => machine.xen!.suspend();

/** HVMOP_set_param of HVM_PARAM_CALLBACK_IRQ, the only one that is modelled. */
export const HYPERVISOR_hvm_op = (value: bigint): number => machine.xen!.setCallback(value);
