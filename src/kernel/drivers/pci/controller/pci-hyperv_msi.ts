import {
  HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET, HV_HYPERCALL_VARHEAD_OFFSET, HV_INTERRUPT_SOURCE_MSI, HV_PARTITION_ID_SELF, HVCALL_RETARGET_INTERRUPT,
} from '../../../../hardware/hyperv-hypercall';
import {
  PCI_CREATE_INTERRUPT_MESSAGE, PCI_CREATE_INTERRUPT_MESSAGE2, PCI_CREATE_INTERRUPT_MESSAGE3, pci_create_int_response, pci_create_interrupt, pci_create_interrupt2, pci_create_interrupt3,
  PCI_DELETE_INTERRUPT_MESSAGE,
  pci_delete_interrupt, PCI_PROTOCOL_VERSION_1_1, PCI_PROTOCOL_VERSION_1_2, PCI_PROTOCOL_VERSION_1_3, PCI_PROTOCOL_VERSION_1_4,
} from '../../../../hardware/hyperv-vpci';
import type { Op } from '../../../../stepper/op';
import { pci_msi_prepare, pci_msi_set_desc, x86_msi_prepare } from '../../../arch/x86/apic/msi';
import { irqd_cfg } from '../../../arch/x86/apic/vector';
import { cpumask_to_vpset, hv_cpu_number_to_vp_number, hv_do_hypercall } from '../../../arch/x86/hyperv/hv_init';
import type { ChangeId } from '../../../changes';
import type { device } from '../../../include/device';
import { dev_err, dev_err_once, dev_warn } from '../../../include/hyperv';
import { type irq_chip, type irq_data, irq_data_get_effective_affinity_mask, irq_data_get_msi_desc } from '../../../include/irq';
import type { irq_domain } from '../../../include/irqdomain';
import {
  type msi_alloc_info_t, type msi_desc, msi_desc_to_pci_dev, type msi_domain_info, type msi_domain_ops, MSI_FLAG, type msi_msg, X86_IRQ_ALLOC_CONTIGUOUS_VECTORS, X86_IRQ_ALLOC_TYPE,
} from '../../../include/msi';
import { handle_edge_irq, irq_chip_ack_parent } from '../../../irq/chip';
import { irq_domain_get_irq_data } from '../../../irq/irqdomain';
import { complete, try_wait_for_completion } from '../../../lib/completion';
import type { cpumask } from '../../../lib/cpumask';
import { member_of } from '../../../lib/fault';
import { ENODEV } from '../../../lib/errno';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../../lib/locking';
import { kzalloc, should_fail } from '../../../lib/slab';
import { tasklet_disable, tasklet_enable } from '../../../lib/tasklet';
import { has, kernel } from '../../../world';
import { vmbus_sendpacket } from '../../hv/channel';
import { pci_msi_create_irq_domain } from '../msi_irqdomain';
import { pci_msi_mask_irq, pci_msi_unmask_irq } from '../msi_message';
import { devfn_to_wslot, get_pcichild_wslot, hv_pci_onchannelcallback, hv_pcifront_get_vendor_id, put_pcichild } from './pci-hyperv_bus';
import { compose_comp_ctxt, hbus_of, type hv_pci_dev, hv_pcibus_removing, type hv_pcibus_device, hv_pcichild_ejecting, pci_packet, tran_int_desc } from './pci-hyperv_types';

// The part of drivers/pci/controller/pci-hyperv.c about interrupts. The host says what a device must send, and keeps where that goes.

/** The delivery mode that all interrupts have. */
const dest_Fixed = 0;
/** cpu_mask of all virtual processors */
const CPU_AFFINITY_ALL = 0xffffffffffffffffn;
/** Where struct tran_int_desc has its address, in C. */
const OFFSETOF_ADDRESS = 8;
/** The vector that a block of messages is created with: every multiple of its size will do. */
const BLOCK_VECTOR = 32;
/** Vendor id where there is no function. */
const NO_FUNCTION = 0xffff;

export const pci_hyperv_globals = (changes: ReadonlySet<ChangeId>) => ({
  hv_msi_irq_chip: {
    name: 'Hyper-V PCIe MSI',
    irq_compose_msi_msg: hv_compose_msi_msg,
    irq_set_affinity: hv_set_affinity,
    irq_ack: irq_chip_ack_parent,
    irq_mask: hv_irq_mask,
    irq_unmask: hv_irq_unmask,
    flags: 0,
  } as irq_chip,
  hv_msi_ops: {
    ...(!changes.has('v2-19') && { get_hwirq: hv_msi_domain_ops_get_hwirq, set_desc: pci_msi_set_desc }),
    msi_prepare: changes.has('hv-multi-msi') ? hv_msi_prepare : changes.has('v2-40') ? x86_msi_prepare : pci_msi_prepare,
    msi_free: hv_msi_free,
  } as msi_domain_ops,
  /** PCI domains that are taken; 0 is that of emulated devices */
  hvpci_dom_map: new Set([0]),
});

/** Before v2-19. Source: drivers/pci/controller/pci-hyperv.c (v5.9), hv_msi_domain_ops_get_hwirq() */
function* hv_msi_domain_ops_get_hwirq(info: msi_domain_info, arg: msi_alloc_info_t): Op<number> {
  return has('v2-18') ? arg.hwirq : arg.msi_hwirq;
}

/** The hypervisor's own remapping does not want the vectors of one MSI in a row. @returns as pci_msi_prepare(). Source: drivers/pci/controller/pci-hyperv.c (v5.18), hv_msi_prepare() */
function* hv_msi_prepare(domain: irq_domain, dev: device, nvec: number, info: msi_alloc_info_t): Op<number> {
  const ret = yield* pci_msi_prepare(domain, dev, nvec, info);
  if (info.type === X86_IRQ_ALLOC_TYPE.PCI_MSI) info.flags &= ~X86_IRQ_ALLOC_CONTIGUOUS_VECTORS;
  return ret;
}

/** The message is no longer needed. Nobody waits for an answer. Source: drivers/pci/controller/pci-hyperv.c, hv_int_desc_free() */
function* hv_int_desc_free(hpdev: hv_pci_dev, int_desc: tran_int_desc): Op {
  const { reserved, vector_count, data, address } = int_desc;
  // One of a block that the first one stands for.
  if (has('hv-multi-msi-block') && vector_count === 0) return;

  const int_pkt = { type: PCI_DELETE_INTERRUPT_MESSAGE, wslot: hpdev.desc.win_slot, int_desc: { reserved, vector_count, data, address } };
  yield* vmbus_sendpacket(hpdev.hbus.hdev.channel, pci_delete_interrupt.encode(int_pkt), null);
}

/** The host forgets the message, unless the device is gone. Source: drivers/pci/controller/pci-hyperv.c, hv_msi_free() */
function* hv_msi_free(domain: irq_domain, info: msi_domain_info, irq: number): Op {
  const irq_data = (yield* irq_domain_get_irq_data(domain, irq))!;
  const pdev = msi_desc_to_pci_dev(irq_data_get_msi_desc(irq_data));
  const hbus = info.data as hv_pcibus_device;
  const int_desc = irq_data.chip_data as tran_int_desc | null;
  if (!int_desc) return;

  irq_data.chip_data = null;
  const hpdev = yield* get_pcichild_wslot(hbus, devfn_to_wslot(pdev.devfn));
  if (!hpdev) return;

  yield* hv_int_desc_free(hpdev, int_desc);
  yield* put_pcichild(hpdev);
}

/** Nothing is written to the device: hv_irq_unmask() will tell the host. @returns as the parent. Source: drivers/pci/controller/pci-hyperv.c, hv_set_affinity() */
function* hv_set_affinity(data: irq_data, dest: cpumask, force: boolean): Op<number> {
  const parent = data.parent_data!;
  return yield* parent.chip.irq_set_affinity!(parent, dest, force);
}

/** Source: drivers/pci/controller/pci-hyperv.c, hv_irq_mask() */
function* hv_irq_mask(data: irq_data): Op {
  yield* pci_msi_mask_irq(data);
}

/** How the hypervisor calls a function: parts of the bus's instance. A C int: where its top bit is set the word is all ones above. */
function device_id(hbus: hv_pcibus_device, devfn: number): bigint {
  const b = hbus.hdev.dev_instance;
  return BigInt.asUintN(64, BigInt((b[5] << 24) | (b[4] << 16) | (b[7] << 8) | (b[6] & 0xf8) | (devfn & 7)));
}

/** Where the interrupt goes is said to the hypervisor each time that it is unmasked, and then the device may send. Source: drivers/pci/controller/pci-hyperv.c, hv_irq_unmask() */
function* hv_irq_unmask(data: irq_data): Op {
  const msi_desc = irq_data_get_msi_desc(data)!;
  const cfg = (yield* irqd_cfg(data))!;
  const dest = irq_data_get_effective_affinity_mask(data);
  const pdev = msi_desc_to_pci_dev(msi_desc);
  const hbus = hbus_of(pdev.parent_bus);
  const int_desc = data.chip_data as tran_int_desc | null;
  if (has('hv-eject-keeps-message') && !int_desc) {
    dev_warn(hbus.hdev, `hv_irq_unmask() can not unmask irq ${data.irq}`);
    return;
  }
  const { address, data: msi_data } = has('hv-unmask-int-desc') ? member_of(int_desc, OFFSETOF_ADDRESS) : { address: BigInt(msi_desc.msg.address_lo), data: msi_desc.msg.data };

  const flags = yield* raw_spin_lock_irqsave(hbus.retarget_msi_interrupt_lock);
  hbus.retarget_msi_interrupt_params = {
    partition_id: HV_PARTITION_ID_SELF,
    device_id: device_id(hbus, pdev.devfn),
    source: HV_INTERRUPT_SOURCE_MSI,
    address: Number(address & 0xffffffffn),
    data: msi_data,
    vector: cfg.vector,
    flags: 0,
    vp_mask: 0n,
  };
  const res = yield* hv_retarget(hbus, dest.and(kernel.cpu_online_mask));
  yield* raw_spin_unlock_irqrestore(hbus.retarget_msi_interrupt_lock, flags);

  // While the machine hibernates there is no channel any more, and CPUs go: what is asked for now is set up again when it resumes.
  if (res !== 0n && hbus.state !== hv_pcibus_removing) dev_err(hbus.hdev, `hv_irq_unmask() failed: 0x${res.toString(16)}`);

  yield* pci_msi_unmask_irq(data);
}

/** The second half of hv_irq_unmask()'s parameters: a mask of processors, or from 1.2 on a set. @returns HV_STATUS_*, or 1 where the set cannot be made */
function* hv_retarget(hbus: hv_pcibus_device, cpus: cpumask): Op<bigint> {
  const params = hbus.retarget_msi_interrupt_params!;

  if (hbus.protocol_version < PCI_PROTOCOL_VERSION_1_2) {
    let vp_mask = 0n;
    for (const cpu of cpus) vp_mask |= 1n << BigInt(hv_cpu_number_to_vp_number(cpu));
    hbus.retarget_msi_interrupt_params = { ...params, vp_mask };
    return yield* hv_do_hypercall(HVCALL_RETARGET_INTERRUPT, hbus.retarget_msi_interrupt_params);
  }

  if (should_fail('hv_irq_unmask: cpumask_var_t')) return 1n;
  const bank_contents = yield* cpumask_to_vpset(cpus);
  const valid_bank_mask = (1n << BigInt(bank_contents.length)) - 1n;
  hbus.retarget_msi_interrupt_params = { ...params, flags: params.flags | HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET, vp_set: { valid_bank_mask, bank_contents } };

  // The mask of banks, and the banks, are the part of variable size.
  const var_size = 1 + bank_contents.length;
  return yield* hv_do_hypercall(HVCALL_RETARGET_INTERRUPT | (var_size << HV_HYPERCALL_VARHEAD_OFFSET), hbus.retarget_msi_interrupt_params);
}

/** The host has answered. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_compose_compl() */
function* hv_pci_compose_compl(comp: compose_comp_ctxt, resp: Uint8Array): Op {
  const { status, int_desc } = pci_create_int_response.decode(resp);
  comp.comp_pkt.completion_status = status;
  Object.assign(comp.int_desc, int_desc);
  yield* complete(comp.comp_pkt.host_event);
}

/** The request for a message, 1.1. Any processor will do: the first unmask says which. Source: drivers/pci/controller/pci-hyperv.c, hv_compose_msi_req_v1() */
function* hv_compose_msi_req_v1(affinity: cpumask, slot: number, vector: number, vector_count: number): Op<Uint8Array> {
  const int_desc = { vector, delivery_mode: dest_Fixed, vector_count, reserved: 0, cpu_mask: CPU_AFFINITY_ALL };
  return pci_create_interrupt.encode({ type: PCI_CREATE_INTERRUPT_MESSAGE, wslot: slot, int_desc });
}

/** The same from 1.2 on, with one processor. Source: drivers/pci/controller/pci-hyperv.c, hv_compose_msi_req_v2() */
function* hv_compose_msi_req_v2(affinity: cpumask, slot: number, vector: number, vector_count: number): Op<Uint8Array> {
  const cpu = affinity.and(kernel.cpu_online_mask).first;
  const int_desc = { vector, delivery_mode: dest_Fixed, vector_count, processor_count: 1, processor_array: [hv_cpu_number_to_vp_number(cpu)] };
  return pci_create_interrupt2.encode({ type: PCI_CREATE_INTERRUPT_MESSAGE2, wslot: slot, int_desc });
}

/** The same from 1.4 on. Source: drivers/pci/controller/pci-hyperv.c (v6.2), hv_compose_msi_req_v3() */
function* hv_compose_msi_req_v3(affinity: cpumask, slot: number, vector: number, vector_count: number): Op<Uint8Array> {
  const cpu = affinity.and(kernel.cpu_online_mask).first;
  const int_desc = { vector, delivery_mode: dest_Fixed, reserved: 0, vector_count, processor_count: 1, processor_array: [hv_cpu_number_to_vp_number(cpu)] };
  return pci_create_interrupt3.encode({ type: PCI_CREATE_INTERRUPT_MESSAGE3, wslot: slot, int_desc });
}

/** As the version of the protocol has it. @returns null for one that is not known here: hv_pci_protocol_negotiation() agrees to no such. */
function* hv_compose_msi_req({ hbus, desc }: hv_pci_dev, affinity: cpumask, vector: number, vector_count: number): Op<Uint8Array | null> {
  switch (hbus.protocol_version) {
    case PCI_PROTOCOL_VERSION_1_1:
      return yield* hv_compose_msi_req_v1(affinity, desc.win_slot, vector, vector_count);
    case PCI_PROTOCOL_VERSION_1_2:
    case PCI_PROTOCOL_VERSION_1_3:
      return yield* hv_compose_msi_req_v2(affinity, desc.win_slot, vector, vector_count);
    case PCI_PROTOCOL_VERSION_1_4:
      return has('hv-create-interrupt-v3') ? yield* hv_compose_msi_req_v3(affinity, desc.win_slot, vector, vector_count) : null;
    default:
      return null;
  }
}

/** The message that the host gives for the interrupt; all zero where it gives none, and nobody is told. Source: drivers/pci/controller/pci-hyperv.c, hv_compose_msi_msg() */
export function* hv_compose_msi_msg(data: irq_data, msg: msi_msg): Op {
  const msi_desc = irq_data_get_msi_desc(data)!;
  const composed = data.chip_data as tran_int_desc | null;
  if (has('hv-reuse-message') && composed) {
    set_message(msg, composed);
    return;
  }

  const pdev = msi_desc_to_pci_dev(msi_desc);
  const hbus = hbus_of(pdev.parent_bus);
  msg.address_hi = msg.address_lo = msg.data = 0;

  const hpdev = yield* get_pcichild_wslot(hbus, devfn_to_wslot(pdev.devfn));
  if (!hpdev) return;

  // What was asked for before, with another vector, is not needed any more.
  if (composed) {
    data.chip_data = null;
    yield* hv_int_desc_free(hpdev, composed);
  }

  const int_desc = kzalloc('hv_compose_msi_msg: struct tran_int_desc', () => new tran_int_desc());
  if (int_desc && (in_block_of_another(msi_desc, data, int_desc) || (yield* hv_ask_for_message(hpdev, data, int_desc)))) {
    data.chip_data = int_desc;
    set_message(msg, int_desc);
  }
  yield* put_pcichild(hpdev);
}

function set_message(msg: msi_msg, { address, data }: tran_int_desc): void {
  msg.address_hi = Number(address >> 32n);
  msg.address_lo = Number(address & 0xffffffffn);
  msg.data = data;
}

const is_multi_msi = ({ msi_attrib, nvec_used }: msi_desc): boolean => !msi_attrib.is_msix && nvec_used > 1;

/** The messages of a block follow from that of its first vector. @returns whether int_desc is filled so */
function in_block_of_another(msi_desc: msi_desc, { irq }: irq_data, int_desc: tran_int_desc): boolean {
  if (!has('hv-multi-msi-block') || !is_multi_msi(msi_desc) || msi_desc.irq === irq) return false;
  const { address_hi, address_lo, data } = msi_desc.msg;
  int_desc.address = (BigInt(address_hi) << 32n) | BigInt(address_lo);
  int_desc.data = data + (irq - msi_desc.irq);
  return true;
}

/** The middle of hv_compose_msi_msg(): the request and its answer. @returns whether int_desc is filled */
function* hv_ask_for_message(hpdev: hv_pci_dev, data: irq_data, int_desc: tran_int_desc): Op<boolean> {
  const { hbus } = hpdev;
  const cfg = (yield* irqd_cfg(data))!;
  const dest = irq_data_get_effective_affinity_mask(data);
  const msi_desc = irq_data_get_msi_desc(data)!;
  const block = has('hv-multi-msi-block') && is_multi_msi(msi_desc);
  const [vector, vector_count] = block ? [BLOCK_VECTOR, msi_desc.nvec_used] : [cfg.vector, 1];
  const comp = new compose_comp_ctxt();
  const pci_pkt = new pci_packet(hv_pci_compose_compl, comp);

  const int_pkts = yield* hv_compose_msi_req(hpdev, dest, vector, vector_count);
  if (!int_pkts) {
    dev_err(hbus.hdev, 'Unexpected vPCI protocol, update driver.');
    return false;
  }

  const ret = yield* vmbus_sendpacket(hbus.hdev.channel, int_pkts, pci_pkt);
  if (ret) {
    dev_err(hbus.hdev, `Sending request for interrupt failed: 0x${comp.comp_pkt.completion_status.toString(16)}`);
    return false;
  }
  if (!(yield* hv_poll_for_message(hpdev, comp))) return false;

  if (comp.comp_pkt.completion_status < 0) {
    dev_err(hbus.hdev, `Request for interrupt failed: 0x${(comp.comp_pkt.completion_status >>> 0).toString(16)}`);
    return false;
  }
  Object.assign(int_desc, comp.int_desc);
  return true;
}

/** The locks of the interrupt are held, so that nobody can sleep here: packets are read in a loop, whatever they are. @returns whether the answer has come */
function* hv_poll_for_message(hpdev: hv_pci_dev, comp: compose_comp_ctxt): Op<boolean> {
  const { hbus } = hpdev;
  const { channel } = hbus.hdev;

  yield* tasklet_disable(channel.callback_event);
  let answered = yield* try_wait_for_completion(comp.comp_pkt.host_event);
  while (!answered) {
    if ((yield* hv_pcifront_get_vendor_id(hpdev)) === NO_FUNCTION) {
      dev_err_once(hbus.hdev, 'the device has gone', 'drivers/pci/controller/pci-hyperv.c hv_compose_msi_msg gone');
      break;
    }

    const flags = yield* raw_spin_lock_irqsave(channel.sched_lock);
    const open = channel.onchannel_callback !== null;
    if (open) yield* hv_pci_onchannelcallback(hbus);
    yield* raw_spin_unlock_irqrestore(channel.sched_lock, flags);
    if (!open) break;

    if (!has('hv-eject-keeps-message') && hpdev.state === hv_pcichild_ejecting) {
      dev_err_once(hbus.hdev, 'the device is being ejected', 'drivers/pci/controller/pci-hyperv.c hv_compose_msi_msg ejected');
      break;
    }
    answered = yield* try_wait_for_completion(comp.comp_pkt.host_event);
  }
  yield* tasklet_enable(channel.callback_event);
  return answered;
}

/** A domain for the messages of the functions on a bus. @returns 0 or -ENODEV. Source: drivers/pci/controller/pci-hyperv.c, hv_pcie_init_irq_domain() */
export function* hv_pcie_init_irq_domain(hbus: hv_pcibus_device): Op<number> {
  hbus.msi_info = {
    chip: kernel.hv_msi_irq_chip,
    ops: kernel.hv_msi_ops,
    flags: MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS | MSI_FLAG.MULTI_PCI_MSI | MSI_FLAG.PCI_MSIX,
    handler: handle_edge_irq,
    handler_name: 'edge',
    data: hbus,
  };
  hbus.irq_domain = should_fail('__irq_domain_add: struct irq_domain') ? null : yield* pci_msi_create_irq_domain(hbus.sysdata.fwnode!, hbus.msi_info, kernel.x86_vector_domain);
  if (!hbus.irq_domain) {
    dev_err(hbus.hdev, 'Failed to build an MSI IRQ domain');
    return -ENODEV;
  }
  return 0;
}
