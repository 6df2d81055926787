import {
  PCI_BUS_D0ENTRY, pci_bus_d0_entry, PCI_BUS_D0EXIT, pci_child_message, pci_message, PCI_PROTOCOL_VERSION_1_1, PCI_PROTOCOL_VERSION_1_2, PCI_PROTOCOL_VERSION_1_3, PCI_PROTOCOL_VERSION_1_4,
  PCI_QUERY_BUS_RELATIONS, PCI_QUERY_PROTOCOL_VERSION, PCI_RESOURCES_ASSIGNED, pci_resources_assigned, PCI_RESOURCES_ASSIGNED2, pci_resources_assigned2,
  PCI_RESOURCES_RELEASED, pci_version_request, STATUS_REVISION_MISMATCH,
} from '../../../../hardware/hyperv-vpci';
import type { Op } from '../../../../stepper/op';
import { dev_err, dev_info, type hv_device, type hv_driver } from '../../../include/hyperv';
import { pci_domain_nr, type PciDev } from '../../../include/pci';
import { irq_get_irq_data } from '../../../irq/irqdesc';
import { irq_domain_alloc_named_fwnode, irq_domain_remove } from '../../../irq/irqdomain';
import { completion, wait_for_completion, wait_for_completion_timeout } from '../../../lib/completion';
import { EINVAL, ENODEV, ENOMEM, ENOTEMPTY, EPROTO, ETIMEDOUT } from '../../../lib/errno';
import { WARN_ON_ONCE } from '../../../lib/printk';
import { kzalloc, should_fail } from '../../../lib/slab';
import { tasklet_disable, tasklet_enable } from '../../../lib/tasklet';
import { has, kernel } from '../../../world';
import { flush_workqueue } from '../../../workqueue';
import { vmbus_close, vmbus_open, vmbus_sendpacket } from '../../hv/channel';
import { pci_bus_add_devices, pci_remove_root_bus, pci_stop_root_bus } from '../bus';
import { pci_create_root_bus, pci_scan_child_bus } from '../probe';
import { get_pcichild_wslot, hv_pci_assign_numa_node, hv_pci_generic_compl, hv_pci_onchannelcallback, hv_pci_start_relations_work, put_hvpcibus, put_pcichild, wait_for_response } from './pci-hyperv_bus';
import { hv_compose_msi_msg, hv_pcie_init_irq_domain } from './pci-hyperv_msi';
import { hv_pci_compl, hv_pcibus_device, hv_pcibus_init, hv_pcibus_installed, hv_pcibus_probed, hv_pcibus_removed, hv_pcibus_removing, pci_packet } from './pci-hyperv_types';

// Hyper-V's virtual PCI buses, for functions that the host passes through: drivers/pci/controller/pci-hyperv.c. Windows of addresses are not modelled.

/** The highest first. */
const pci_protocol_versions = (): readonly number[] => [
  ...(has('hv-create-interrupt-v3') ? [PCI_PROTOCOL_VERSION_1_4] : []), PCI_PROTOCOL_VERSION_1_3, PCI_PROTOCOL_VERSION_1_2, PCI_PROTOCOL_VERSION_1_1,
];
const HVPCI_DOM_INVALID = 0;
const HVPCI_DOM_MAP_SIZE = 64 * 1024;
const WSLOTS = 256;

const hbus_of_device = (hdev: hv_device): hv_pcibus_device => hdev.drvdata as hv_pcibus_device;

/** Sends a request and waits. @returns 0 or an errno; the host's status is in `comp_pkt` */
function* hv_request(hdev: hv_device, bytes: Uint8Array, comp_pkt: hv_pci_compl): Op<number> {
  const ret = yield* vmbus_sendpacket(hdev.channel, bytes, new pci_packet(hv_pci_generic_compl, comp_pkt));
  return ret || (yield* wait_for_response(hdev, comp_pkt.host_event));
}

/** The highest version that the host speaks, too. @returns 0; -EPROTO for none; -ENODEV, -ENOMEM. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_protocol_negotiation() */
function* hv_pci_protocol_negotiation(hdev: hv_device, version: readonly number[]): Op<number> {
  const hbus = hbus_of_device(hdev);
  const comp_pkt = kzalloc('hv_pci_protocol_negotiation: struct pci_packet', () => new hv_pci_compl());
  if (!comp_pkt) return -ENOMEM;

  for (const protocol_version of version) {
    const ret = yield* hv_request(hdev, pci_version_request.encode({ type: PCI_QUERY_PROTOCOL_VERSION, protocol_version }), comp_pkt);
    if (ret) {
      dev_err(hdev, `PCI Pass-through VSP failed to request version: ${ret}`);
      return ret;
    }
    if (comp_pkt.completion_status >= 0) {
      hbus.protocol_version = protocol_version;
      dev_info(hdev, `PCI VMBus probing: Using version 0x${protocol_version.toString(16)}`);
      return 0;
    }
    if (comp_pkt.completion_status >>> 0 !== STATUS_REVISION_MISMATCH) {
      dev_err(hdev, `PCI Pass-through VSP failed version request: 0x${(comp_pkt.completion_status >>> 0).toString(16)}`);
      return -EPROTO;
    }
  }

  dev_err(hdev, 'PCI pass-through VSP failed to find supported version');
  return -EPROTO;
}

/** Which functions are there? @returns 0, -ENOTEMPTY while somebody asks, or -ENODEV. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_query_relations() */
function* hv_pci_query_relations(hdev: hv_device): Op<number> {
  const hbus = hbus_of_device(hdev);
  const comp = new completion('survey_event');
  if (hbus.survey_event) return -ENOTEMPTY;
  hbus.survey_event = comp;

  const ret = yield* vmbus_sendpacket(hdev.channel, pci_message.encode({ type: PCI_QUERY_BUS_RELATIONS }), null);
  return ret || (yield* wait_for_response(hdev, comp));
}

/** @returns 0, -EPROTO, -ENODEV or -ENOMEM. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_enter_d0() */
function* hv_pci_enter_d0(hdev: hv_device): Op<number> {
  const comp_pkt = kzalloc('hv_pci_enter_d0: struct pci_packet', () => new hv_pci_compl());
  if (!comp_pkt) return -ENOMEM;

  const ret = yield* hv_request(hdev, pci_bus_d0_entry.encode({ type: PCI_BUS_D0ENTRY }), comp_pkt);
  if (ret) return ret;
  if (comp_pkt.completion_status >= 0) return 0;

  dev_err(hdev, `PCI Pass-through VSP failed D0 Entry with status ${(comp_pkt.completion_status >>> 0).toString(16)}`);
  return -EPROTO;
}

/** @returns 0, -EPROTO, -ENODEV or -ENOMEM. Source: drivers/pci/controller/pci-hyperv.c, hv_send_resources_allocated() */
function* hv_send_resources_allocated(hdev: hv_device): Op<number> {
  const hbus = hbus_of_device(hdev);
  if (should_fail('hv_send_resources_allocated: struct pci_packet')) return -ENOMEM;

  for (let wslot = 0; wslot < WSLOTS; wslot++) {
    const hpdev = yield* get_pcichild_wslot(hbus, wslot);
    if (!hpdev) continue;

    const first = hbus.protocol_version < PCI_PROTOCOL_VERSION_1_2;
    const bytes = first ? pci_resources_assigned.encode({ type: PCI_RESOURCES_ASSIGNED, wslot }) : pci_resources_assigned2.encode({ type: PCI_RESOURCES_ASSIGNED2, wslot });
    yield* put_pcichild(hpdev);

    const comp_pkt = new hv_pci_compl();
    const ret = yield* hv_request(hdev, bytes, comp_pkt);
    if (ret) return ret;
    if (comp_pkt.completion_status < 0) {
      dev_err(hdev, `resource allocated returned 0x${(comp_pkt.completion_status >>> 0).toString(16)}`);
      return -EPROTO;
    }
    hbus.wslot_res_allocated = wslot;
  }
  return 0;
}

/** @returns 0 or -ENODEV. Source: drivers/pci/controller/pci-hyperv.c, hv_send_resources_released() */
function* hv_send_resources_released(hdev: hv_device): Op<number> {
  const hbus = hbus_of_device(hdev);
  for (let wslot = hbus.wslot_res_allocated; wslot >= 0; wslot--) {
    const hpdev = yield* get_pcichild_wslot(hbus, wslot);
    if (!hpdev) continue;
    yield* put_pcichild(hpdev);

    const ret = yield* vmbus_sendpacket(hdev.channel, pci_child_message.encode({ type: PCI_RESOURCES_RELEASED, wslot }), null);
    if (ret) return ret;
    hbus.wslot_res_allocated = wslot - 1;
  }
  hbus.wslot_res_allocated = -1;
  return 0;
}

/** @returns the number asked for, another one if that is taken, or HVPCI_DOM_INVALID. Source: drivers/pci/controller/pci-hyperv.c, hv_get_dom_num() */
function* hv_get_dom_num(dom: number): Op<number> {
  const { hvpci_dom_map: map } = kernel;
  let found = dom;
  if (map.has(dom)) for (found = 0; found < HVPCI_DOM_MAP_SIZE && map.has(found); found++);
  if (found === HVPCI_DOM_MAP_SIZE) return HVPCI_DOM_INVALID;
  map.add(found);
  return found;
}

/** Source: drivers/pci/controller/pci-hyperv.c, hv_put_dom_num() */
function* hv_put_dom_num(dom: number): Op {
  kernel.hvpci_dom_map.delete(dom);
}

/** Its functions, with the bus's irqdomain, which is found by the name of its fwnode. @returns 0 or -ENODEV. Source: drivers/pci/controller/pci-hyperv.c, create_root_hv_pci_bus() */
function* create_root_hv_pci_bus(hbus: hv_pcibus_device): Op<number> {
  if (should_fail('pci_create_root_bus: struct pci_bus')) return -ENODEV;
  hbus.pci_bus = yield* pci_create_root_bus(hbus.hdev, 0, hbus.sysdata, hbus.hdev.channel.hw.functions);
  if (!hbus.pci_bus) return -ENODEV;

  yield* pci_scan_child_bus(hbus.pci_bus);
  yield* hv_pci_assign_numa_node(hbus);
  yield* pci_bus_add_devices(hbus.pci_bus);
  hbus.state = hv_pcibus_installed;
  return 0;
}

/** The irqdomain of the bus, by its instance. @returns 0, -ENOMEM or -ENODEV */
function* hv_name_and_domain(hbus: hv_pcibus_device): Op<number> {
  if (should_fail('hv_pci_probe: name')) return -ENOMEM;
  const name = hbus.hdev.name.toUpperCase();

  if (should_fail('__irq_domain_alloc_fwnode: struct irqchip_fwid')) return -ENOMEM;
  hbus.sysdata.fwnode = yield* irq_domain_alloc_named_fwnode(name);
  return yield* hv_pcie_init_irq_domain(hbus);
}

/** A host that says no to power may still have what a kernel before this one, which has crashed, did not give back. @returns as hv_pci_enter_d0(), or why not even that could be asked again. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_probe() */
function* hv_retry_d0(hbus: hv_pcibus_device): Op<number> {
  const { hdev } = hbus;
  dev_err(hdev, 'Retrying D0 Entry');

  hbus.wslot_res_allocated = WSLOTS - 1;
  const err = yield* hv_pci_bus_exit(hdev, true);
  if (err) {
    dev_err(hdev, `Retrying D0 failed with ret ${err}`);
    return err;
  }

  return (yield* hv_pci_query_relations(hdev)) || (yield* hv_pci_enter_d0(hdev));
}

/** What the host says is on the bus. @returns 0 or an errno. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_probe() */
function* hv_discover(hbus: hv_pcibus_device): Op<number> {
  const { hdev } = hbus;
  let ret = yield* hv_pci_query_relations(hdev);
  if (ret) return ret;

  ret = yield* hv_pci_enter_d0(hdev);
  if (ret === -EPROTO) ret = yield* hv_retry_d0(hbus);
  if (ret) return ret;

  ret = yield* hv_send_resources_allocated(hdev);
  if (ret === 0) {
    hbus.state = hv_pcibus_probed;
    ret = yield* create_root_hv_pci_bus(hbus);
  }
  if (ret) yield* hv_pci_bus_exit(hdev, true);
  return ret;
}

/** A virtual PCI bus. Its PCI domain is part of its instance's GUID. @returns 0 or an errno. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_probe() */
export function* hv_pci_probe(hdev: hv_device): Op<number> {
  const hbus = kzalloc('hv_pci_probe: struct hv_pcibus_device', () => new hv_pcibus_device(hdev));
  if (!hbus) return -ENOMEM;

  const dom_req = (hdev.dev_instance[5] << 8) | hdev.dev_instance[4];
  const dom = yield* hv_get_dom_num(dom_req);
  if (dom === HVPCI_DOM_INVALID) {
    dev_err(hdev, `Unable to use dom# 0x${dom_req.toString(16)} or other numbers`);
    return -EINVAL;
  }
  if (dom !== dom_req) dev_info(hdev, `PCI dom# 0x${dom_req.toString(16)} has collision, using 0x${dom.toString(16)}`);
  hbus.sysdata.domain = dom;

  let ret = should_fail('alloc_workqueue: struct workqueue_struct') ? -ENOMEM : yield* vmbus_open(hdev.channel, hv_pci_onchannelcallback, hbus);
  if (ret === 0) {
    hdev.drvdata = hbus;
    ret = yield* hv_pci_protocol_negotiation(hdev, pci_protocol_versions());
    if (ret === 0) ret = yield* hv_name_and_domain(hbus);
    if (ret === 0) {
      ret = yield* hv_discover(hbus);
      if (ret) yield* irq_domain_remove(hbus.irq_domain!);
    }
    if (ret) yield* vmbus_close(hdev.channel);
  }
  if (ret) {
    hdev.drvdata = null;
    yield* hv_put_dom_num(dom);
  }
  return ret;
}

/** The last answer is not waited for for ever. @param keep_devs the functions stay, for another try or for a resume @returns 0, -ETIMEDOUT or another errno. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_bus_exit() */
function* hv_pci_bus_exit(hdev: hv_device, keep_devs: boolean): Op<number> {
  const hbus = hbus_of_device(hdev);
  if (hdev.channel.rescind) return 0;

  if (!keep_devs) yield* hv_pci_start_relations_work(hbus, { func: [] });

  const ret = yield* hv_send_resources_released(hdev);
  if (ret) {
    dev_err(hdev, "Couldn't send resources released packet(s)");
    return ret;
  }

  const comp_pkt = new hv_pci_compl();
  const err = yield* vmbus_sendpacket(hdev.channel, pci_message.encode({ type: PCI_BUS_D0EXIT }), new pci_packet(hv_pci_generic_compl, comp_pkt));
  if (err) return err;
  return (yield* wait_for_completion_timeout(comp_pkt.host_event, () => hdev.channel.rescind)) ? 0 : -ETIMEDOUT;
}

/** @returns as hv_pci_bus_exit(). Source: drivers/pci/controller/pci-hyperv.c, hv_pci_remove() */
export function* hv_pci_remove(hdev: hv_device): Op<number> {
  const hbus = hbus_of_device(hdev);
  if (hbus.state === hv_pcibus_installed) {
    yield* pci_stop_root_bus(hbus.pci_bus!);
    yield* pci_remove_root_bus(hbus.pci_bus!);
    hbus.state = hv_pcibus_removed;
  }

  const ret = yield* hv_pci_bus_exit(hdev, false);
  yield* vmbus_close(hdev.channel);

  yield* irq_domain_remove(hbus.irq_domain!);
  yield* put_hvpcibus(hbus);
  yield* wait_for_completion(hbus.remove_event);
  yield* flush_workqueue(hbus.wq);

  yield* hv_put_dom_num(hbus.sysdata.domain);
  hdev.drvdata = null;
  return ret;
}

/** For hibernation: the host forgets everything. @returns 0, -EINVAL for a bus that is not up, or as hv_pci_bus_exit(). Source: drivers/pci/controller/pci-hyperv.c, hv_pci_suspend() */
export function* hv_pci_suspend(hdev: hv_device): Op<number> {
  const hbus = hbus_of_device(hdev);

  // Whoever reads packets sees the new state: no work comes after this.
  yield* tasklet_disable(hdev.channel.callback_event);
  const old_state = hbus.state;
  if (hbus.state === hv_pcibus_installed) hbus.state = hv_pcibus_removing;
  yield* tasklet_enable(hdev.channel.callback_event);
  if (old_state !== hv_pcibus_installed) return -EINVAL;

  yield* flush_workqueue(hbus.wq);

  const ret = yield* hv_pci_bus_exit(hdev, true);
  if (ret) return ret;
  yield* vmbus_close(hdev.channel);
  return 0;
}

/** New messages for all interrupts of a device. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_restore_msi_msg() */
function* hv_pci_restore_msi_msg(pdev: PciDev): Op<number> {
  for (const entry of pdev.msi_list) {
    const irq_data = irq_get_irq_data(entry.irq);
    if (WARN_ON_ONCE(!irq_data, 'drivers/pci/controller/pci-hyperv.c hv_pci_restore_msi_msg')) return -EINVAL;
    yield* hv_compose_msi_msg(irq_data!, entry.msg);
  }
  return 0;
}

/** The host has no entries any more; what the PCI code writes into devices again does not make any. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_restore_msi_state() */
function* hv_pci_restore_msi_state(hbus: hv_pcibus_device): Op {
  for (const pdev of kernel.pci_devices) if (pci_domain_nr(pdev.parent_bus) === hbus.sysdata.domain) yield* hv_pci_restore_msi_msg(pdev);
}

/** @returns 0 or an errno. Source: drivers/pci/controller/pci-hyperv.c, hv_pci_resume() */
export function* hv_pci_resume(hdev: hv_device): Op<number> {
  const hbus = hbus_of_device(hdev);
  hbus.state = hv_pcibus_init;

  let ret = yield* vmbus_open(hdev.channel, hv_pci_onchannelcallback, hbus);
  if (ret) return ret;

  // The one that was in use before.
  ret = yield* hv_pci_protocol_negotiation(hdev, [hbus.protocol_version]);
  if (ret === 0) ret = yield* hv_pci_query_relations(hdev);
  if (ret === 0) ret = yield* hv_pci_enter_d0(hdev);
  if (ret === 0) ret = yield* hv_send_resources_allocated(hdev);
  if (ret) {
    yield* vmbus_close(hdev.channel);
    return ret;
  }

  yield* hv_pci_restore_msi_state(hbus);
  hbus.state = hv_pcibus_installed;
  return 0;
}

export const hv_pci_drv: hv_driver = Object.freeze({ name: 'hv_pci', probe: hv_pci_probe, remove: hv_pci_remove, suspend: hv_pci_suspend, resume: hv_pci_resume });
