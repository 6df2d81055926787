import type { RetargetInterrupt } from '../../../../hardware/hyperv-hypercall';
import type { Op } from '../../../../stepper/op';
import type { hv_device } from '../../../include/hyperv';
import type { irq_domain } from '../../../include/irqdomain';
import type { msi_domain_info } from '../../../include/msi';
import type { pci_bus, pci_sysdata } from '../../../include/pci';
import { completion } from '../../../lib/completion';
import { raw_spinlock } from '../../../lib/locking';
import { workqueue_struct } from '../../../workqueue';

// What drivers/pci/controller/pci-hyperv.c keeps.

export const hv_pcibus_init = 0;
export const hv_pcibus_probed = 1;
export const hv_pcibus_installed = 2;
export const hv_pcibus_removing = 3;
export const hv_pcibus_removed = 4;

export const hv_pcichild_init = 0;
export const hv_pcichild_ejecting = 3;

/** A function as the host describes it. */
export interface hv_pcidev_description {
  readonly v_id: number;
  readonly d_id: number;
  readonly win_slot: number;
  readonly ser: number;
  /** HV_PCI_DEVICE_FLAG_*; 0 before 1.3 */
  readonly flags: number;
  readonly virtual_numa_node: number;
}

/** A list of functions that the host has sent. */
export interface hv_dr_state {
  readonly func: readonly hv_pcidev_description[];
}

/** Source: struct hv_pci_dev: a function on the bus. */
export class hv_pci_dev {
  static readonly struct = 'hv_pci_dev';
  refs = 2;
  state = hv_pcichild_init;
  reported_missing = false;

  constructor(
    readonly desc: hv_pcidev_description,
    readonly hbus: hv_pcibus_device,
    readonly probed_bar: readonly number[],
  ) {}
}

/** struct pci_sysdata with what container_of() finds from it. */
export interface hv_sysdata extends pci_sysdata {
  readonly container: hv_pcibus_device;
}

/** Source: struct hv_pcibus_device: a bus, and the front end's end of its channel. */
export class hv_pcibus_device {
  static readonly struct = 'hv_pcibus_device';
  /** its memory is zeroed, so that its functions are on node 0 unless the host says otherwise */
  readonly sysdata: hv_sysdata = { domain: 0, node: 0, vmd_dev: null, fwnode: null, container: this };
  /** as negotiated; 0: not yet */
  protocol_version = 0;
  state = hv_pcibus_init;
  remove_lock = 1;
  readonly remove_event = new completion('remove_event');
  /** who waits for the list of functions */
  survey_event: completion | null = null;
  wslot_res_allocated = -1;
  pci_bus: pci_bus | null = null;
  readonly config_lock = new raw_spinlock('config_lock');
  readonly device_list_lock = new raw_spinlock('device_list_lock');
  children: hv_pci_dev[] = [];
  readonly dr_list: hv_dr_state[] = [];
  msi_info: msi_domain_info | null = null;
  irq_domain: irq_domain | null = null;
  readonly retarget_msi_interrupt_lock = new raw_spinlock('retarget_msi_interrupt_lock');
  /** input of the last hypercall */
  retarget_msi_interrupt_params: RetargetInterrupt | null = null;
  wq = new workqueue_struct('hv_pci');

  constructor(readonly hdev: hv_device) {}
}

/** container_of(bus->sysdata, struct hv_pcibus_device, sysdata) */
export const hbus_of = ({ sysdata }: pci_bus): hv_pcibus_device => (sysdata as hv_sysdata).container;

/** A request to the host: who gets its answer. */
export class pci_packet {
  static readonly struct = 'pci_packet';

  constructor(
    readonly completion_func: (context: never, resp: Uint8Array) => Op,
    readonly compl_ctxt: object,
  ) {}
}

/** Answers of which only the status counts. */
export class hv_pci_compl {
  readonly host_event = new completion('host_event');
  /** negative: a failure */
  completion_status = 0;
}

/** The host's answer: what the device must send. It is the chip_data of an interrupt. Source: struct tran_int_desc */
export class tran_int_desc {
  static readonly struct = 'tran_int_desc';
  reserved = 0;
  vector_count = 0;
  data = 0;
  address = 0n;
}

export class compose_comp_ctxt {
  readonly comp_pkt = new hv_pci_compl();
  readonly int_desc = new tran_int_desc();
}
