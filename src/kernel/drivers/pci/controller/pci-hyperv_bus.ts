import {
  devfnOf, HV_PCI_DEVICE_FLAG_NUMA_AFFINITY, PCI_BUS_RELATIONS, PCI_BUS_RELATIONS2, pci_bus_relations, pci_child_message, PCI_EJECT, pci_eject_response, PCI_EJECTION_COMPLETE, pci_function_description,
  pci_function_description2, pci_message, pci_q_res_req_response, PCI_QUERY_RESOURCE_REQUIREMENTS, pci_response, VM_PKT_COMP, VM_PKT_DATA_INBAND, wslotOf,
} from '../../../../hardware/hyperv-vpci';
import { rest } from '../../../../hardware/packed';
import type { Op } from '../../../../stepper/op';
import { dev_err, dev_info, dev_warn, dev_warn_once, type hv_device } from '../../../include/hyperv';
import { complete, completion, wait_for_completion_timeout } from '../../../lib/completion';
import { ENODEV, ENOENT, ENOMEM } from '../../../lib/errno';
import { raw_spin_lock_irqsave, raw_spin_unlock_irqrestore } from '../../../lib/locking';
import { WARN_ON } from '../../../lib/printk';
import { kzalloc } from '../../../lib/slab';
import { kernel } from '../../../world';
import { queue_work } from '../../../workqueue';
import { vmbus_recvpacket_raw, vmbus_sendpacket } from '../../hv/channel';
import { pci_stop_and_remove_bus_device } from '../bus';
import { pci_get_domain_bus_and_slot, pci_scan_child_bus } from '../probe';
import {
  type hv_dr_state, hv_pci_compl, hv_pci_dev, type hv_pcibus_device, hv_pcibus_init, hv_pcibus_installed, hv_pcibus_probed, hv_pcibus_removing, hv_pcichild_ejecting,
  type hv_pcidev_description, pci_packet,
} from './pci-hyperv_types';

// The part of drivers/pci/controller/pci-hyperv.c about the functions on a bus: which there are, and what the host says about them.

export const devfn_to_wslot = wslotOf;
export const wslot_to_devfn = devfnOf;

/** Source: drivers/pci/controller/pci-hyperv.c, hv_pci_generic_compl() */
export function* hv_pci_generic_compl(comp_pkt: hv_pci_compl, resp: Uint8Array): Op {
  comp_pkt.completion_status = resp.length >= pci_response.size ? pci_response.decode(resp).status : -1;
  yield* complete(comp_pkt.host_event);
}

/** Source: drivers/pci/controller/pci-hyperv.c, get_pcichild() */
function* get_pcichild(hpdev: hv_pci_dev): Op {
  hpdev.refs++;
}

/** Source: drivers/pci/controller/pci-hyperv.c, put_pcichild() */
export function* put_pcichild(hpdev: hv_pci_dev): Op {
  hpdev.refs--;
}

/** Source: drivers/pci/controller/pci-hyperv.c, get_hvpcibus() */
function* get_hvpcibus(hbus: hv_pcibus_device): Op {
  hbus.remove_lock++;
}

/** Source: drivers/pci/controller/pci-hyperv.c, put_hvpcibus() */
export function* put_hvpcibus(hbus: hv_pcibus_device): Op {
  if (--hbus.remove_lock === 0) yield* complete(hbus.remove_event);
}

/** @returns 0, or -ENODEV for a device that the host takes away meanwhile. Source: drivers/pci/controller/pci-hyperv.c, wait_for_response() */
export function* wait_for_response(hdev: hv_device, comp: completion): Op<number> {
  const { channel } = hdev;
  if (!channel.rescind && (yield* wait_for_completion_timeout(comp, () => channel.rescind))) return 0;
  dev_warn_once(hdev, 'The device is gone.', 'drivers/pci/controller/pci-hyperv.c wait_for_response');
  return -ENODEV;
}

/** From the function's page of configuration space. Source: drivers/pci/controller/pci-hyperv.c, hv_pcifront_get_vendor_id() */
export function* hv_pcifront_get_vendor_id(hpdev: hv_pci_dev): Op<number> {
  const { hbus } = hpdev;
  const flags = yield* raw_spin_lock_irqsave(hbus.config_lock);
  const ret = hbus.hdev.channel.hw.readConfig16(hpdev.desc.win_slot, 0);
  yield* raw_spin_unlock_irqrestore(hbus.config_lock, flags);
  return ret;
}

/** @returns the function with a reference, or null. Source: drivers/pci/controller/pci-hyperv.c, get_pcichild_wslot() */
export function* get_pcichild_wslot(hbus: hv_pcibus_device, wslot: number): Op<hv_pci_dev | null> {
  const flags = yield* raw_spin_lock_irqsave(hbus.device_list_lock);
  const hpdev = hbus.children.find(({ desc }) => desc.win_slot === wslot) ?? null;
  if (hpdev) yield* get_pcichild(hpdev);
  yield* raw_spin_unlock_irqrestore(hbus.device_list_lock, flags);
  return hpdev;
}

class q_res_req_compl {
  readonly host_event = new completion('host_event');
  probed_bar: readonly number[] = [];
  constructor(readonly hbus: hv_pcibus_device) {}
}

/** Source: drivers/pci/controller/pci-hyperv.c, q_resource_requirements() */
function* q_resource_requirements(compl: q_res_req_compl, resp: Uint8Array): Op {
  const { status } = pci_response.decode(resp);
  if (status < 0) dev_err(compl.hbus.hdev, `query resource requirements failed: ${(status >>> 0).toString(16)}`);
  else compl.probed_bar = pci_q_res_req_response.decode(resp).probed_bar;
  yield* complete(compl.host_event);
}

/** A function that was not there before. @returns it, or null. Source: drivers/pci/controller/pci-hyperv.c, new_pcichild_device() */
function* new_pcichild_device(hbus: hv_pcibus_device, desc: hv_pcidev_description): Op<hv_pci_dev | null> {
  const comp_pkt = new q_res_req_compl(hbus);
  if (!kzalloc('new_pcichild_device: struct hv_pci_dev', () => true)) return null;

  const res_req = pci_child_message.encode({ type: PCI_QUERY_RESOURCE_REQUIREMENTS, wslot: desc.win_slot });
  const ret = yield* vmbus_sendpacket(hbus.hdev.channel, res_req, new pci_packet(q_resource_requirements, comp_pkt));
  if (ret) return null;
  if (yield* wait_for_response(hbus.hdev, comp_pkt.host_event)) return null;

  const hpdev = new hv_pci_dev(desc, hbus, comp_pkt.probed_bar);
  const flags = yield* raw_spin_lock_irqsave(hbus.device_list_lock);
  hbus.children.push(hpdev);
  yield* raw_spin_unlock_irqrestore(hbus.device_list_lock, flags);
  return hpdev;
}

const same = (a: hv_pcidev_description, b: hv_pcidev_description): boolean => a.win_slot === b.win_slot && a.v_id === b.v_id && a.d_id === b.d_id && a.ser === b.ser;

/** The host's last list is the truth: what is new comes, what is missing goes. Source: drivers/pci/controller/pci-hyperv.c, pci_devices_present_work() */
function* pci_devices_present_work(hbus: hv_pcibus_device): Op {
  const dr = hbus.dr_list.splice(0).at(-1);
  if (!dr) {
    yield* put_hvpcibus(hbus);
    return;
  }

  for (const hpdev of hbus.children) hpdev.reported_missing = true;
  for (const new_desc of dr.func) {
    const found = hbus.children.find(({ desc }) => same(desc, new_desc));
    if (found) found.reported_missing = false;
    else if (!(yield* new_pcichild_device(hbus, new_desc))) dev_err(hbus.hdev, "couldn't record a child device.");
  }

  const flags = yield* raw_spin_lock_irqsave(hbus.device_list_lock);
  const removed = hbus.children.filter(({ reported_missing }) => reported_missing);
  hbus.children = hbus.children.filter(({ reported_missing }) => !reported_missing);
  yield* raw_spin_unlock_irqrestore(hbus.device_list_lock, flags);
  for (const hpdev of removed) {
    yield* put_pcichild(hpdev);
    yield* put_pcichild(hpdev);
  }

  if (hbus.state === hv_pcibus_installed) {
    yield* pci_scan_child_bus(hbus.pci_bus!);
    yield* hv_pci_assign_numa_node(hbus);
  } else if (hbus.state === hv_pcibus_init || hbus.state === hv_pcibus_probed) {
    yield* survey_child_resources(hbus);
  }
  yield* put_hvpcibus(hbus);
}

/** Who waits for the list goes on. How much address space the functions need is not modelled. Source: drivers/pci/controller/pci-hyperv.c, survey_child_resources() */
function* survey_child_resources(hbus: hv_pcibus_device): Op {
  const event = hbus.survey_event;
  hbus.survey_event = null;
  if (event) yield* complete(event);
}

/** What the host says about nodes, from 1.3 on. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_assign_numa_node() */
export function* hv_pci_assign_numa_node(hbus: hv_pcibus_device): Op {
  for (const dev of kernel.pci_devices.filter(({ parent_bus }) => parent_bus === hbus.pci_bus)) {
    const hv_dev = yield* get_pcichild_wslot(hbus, devfn_to_wslot(dev.devfn));
    if (!hv_dev) continue;
    if (hv_dev.desc.flags & HV_PCI_DEVICE_FLAG_NUMA_AFFINITY) dev.numa_node = hv_dev.desc.virtual_numa_node;
    yield* put_pcichild(hv_dev);
  }
}

/** @returns 0, -ENOENT for a bus that goes, or -ENOMEM. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_start_relations_work() */
export function* hv_pci_start_relations_work(hbus: hv_pcibus_device, dr: hv_dr_state): Op<number> {
  if (hbus.state === hv_pcibus_removing) {
    dev_info(hbus.hdev, 'PCI VMBus BUS_RELATIONS: ignored');
    return -ENOENT;
  }
  if (!kzalloc('hv_pci_start_relations_work: struct hv_dr_work', () => true)) return -ENOMEM;

  const flags = yield* raw_spin_lock_irqsave(hbus.device_list_lock);
  const pending_dr = hbus.dr_list.length > 0;
  hbus.dr_list.push(dr);
  yield* raw_spin_unlock_irqrestore(hbus.device_list_lock, flags);

  if (!pending_dr) {
    yield* get_hvpcibus(hbus);
    yield* queue_work(hbus.wq, () => pci_devices_present_work(hbus));
  }
  return 0;
}

/** Source: drivers/pci/controller/pci-hyperv.c, hv_pci_devices_present() */
function* hv_pci_devices_present(hbus: hv_pcibus_device, relations: Uint8Array): Op {
  const func = rest(pci_function_description, relations, pci_bus_relations.size).map(f => ({ ...f, flags: 0, virtual_numa_node: 0 }));
  yield* hv_pci_start_relations_work(hbus, { func });
}

/** Source: drivers/pci/controller/pci-hyperv.c, hv_pci_devices_present2() */
function* hv_pci_devices_present2(hbus: hv_pcibus_device, relations: Uint8Array): Op {
  yield* hv_pci_start_relations_work(hbus, { func: rest(pci_function_description2, relations, pci_bus_relations.size) });
}

/** The device goes, and the host hears of it. Source: drivers/pci/controller/pci-hyperv.c, hv_eject_device_work() */
function* hv_eject_device_work(hpdev: hv_pci_dev): Op {
  const { hbus } = hpdev;
  WARN_ON(hpdev.state !== hv_pcichild_ejecting, 'drivers/pci/controller/pci-hyperv.c hv_eject_device_work');

  const pdev = pci_get_domain_bus_and_slot(hbus.sysdata.domain, 0, wslot_to_devfn(hpdev.desc.win_slot));
  if (pdev) yield* pci_stop_and_remove_bus_device(pdev);

  const flags = yield* raw_spin_lock_irqsave(hbus.device_list_lock);
  hbus.children = hbus.children.filter(child => child !== hpdev);
  yield* raw_spin_unlock_irqrestore(hbus.device_list_lock, flags);

  yield* vmbus_sendpacket(hbus.hdev.channel, pci_eject_response.encode({ type: PCI_EJECTION_COMPLETE, wslot: hpdev.desc.win_slot }), null);

  // That of hv_pci_eject_device(), and the two of new_pcichild_device().
  for (let i = 0; i < 3; i++) yield* put_pcichild(hpdev);
  yield* put_hvpcibus(hbus);
}

/** The host wants a device back. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_eject_device() */
function* hv_pci_eject_device(hpdev: hv_pci_dev): Op {
  const { hbus } = hpdev;
  if (hbus.state === hv_pcibus_removing) {
    dev_info(hbus.hdev, 'PCI VMBus EJECT: ignored');
    return;
  }

  hpdev.state = hv_pcichild_ejecting;
  yield* get_pcichild(hpdev);
  yield* get_hvpcibus(hbus);
  yield* queue_work(hbus.wq, () => hv_eject_device_work(hpdev));
}

/** Reads all packets that there are. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_onchannelcallback() */
export function* hv_pci_onchannelcallback(context: unknown): Op {
  const hbus = context as hv_pcibus_device;

  for (let packet = yield* vmbus_recvpacket_raw(hbus.hdev.channel); packet; packet = yield* vmbus_recvpacket_raw(hbus.hdev.channel)) {
    const { desc, req_id } = packet;
    if (desc.type === VM_PKT_COMP) {
      const comp_packet = req_id as pci_packet;
      yield* comp_packet.completion_func(comp_packet.compl_ctxt as never, desc.bytes);
    } else if (desc.type === VM_PKT_DATA_INBAND) {
      yield* hv_pci_message(hbus, desc.bytes);
    }
  }
}

/** What the host says of its own accord. */
function* hv_pci_message(hbus: hv_pcibus_device, new_message: Uint8Array): Op {
  const { type } = pci_message.decode(new_message);

  switch (type) {
    case PCI_BUS_RELATIONS:
      yield* hv_pci_devices_present(hbus, new_message);
      break;
    case PCI_BUS_RELATIONS2:
      yield* hv_pci_devices_present2(hbus, new_message);
      break;
    case PCI_EJECT: {
      const hpdev = yield* get_pcichild_wslot(hbus, pci_child_message.decode(new_message).wslot);
      if (hpdev) {
        yield* hv_pci_eject_device(hpdev);
        yield* put_pcichild(hpdev);
      }
      break;
    }
    default:
      dev_warn(hbus.hdev, `Unimplemented protocol message ${type.toString(16)}`);
      break;
  }
}
