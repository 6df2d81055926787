import type { HardwareEvent } from './events';
import type { InterruptRedirectionTable, IrtEntry } from './hyperv-irt';
import { setBits } from './hyperv-hypercall';
import {
  devfnOf, HV_PCI_DEVICE_FLAG_NUMA_AFFINITY, PCI_BUS_D0ENTRY, PCI_BUS_D0EXIT, PCI_BUS_RELATIONS, PCI_BUS_RELATIONS2, PCI_CREATE_INTERRUPT_MESSAGE,
  PCI_CREATE_INTERRUPT_MESSAGE2, PCI_CREATE_INTERRUPT_MESSAGE3, PCI_DELETE_INTERRUPT_MESSAGE, PCI_EJECT, PCI_EJECTION_COMPLETE, PCI_PROTOCOL_VERSION_1_1, PCI_PROTOCOL_VERSION_1_3, PCI_QUERY_BUS_RELATIONS,
  PCI_QUERY_PROTOCOL_VERSION, PCI_QUERY_RESOURCE_REQUIREMENTS, PCI_RESOURCES_ASSIGNED, PCI_RESOURCES_ASSIGNED2, PCI_RESOURCES_RELEASED, pci_bus_d0_entry,
  pci_bus_relations, pci_child_message, pci_create_int_response, pci_create_interrupt, pci_create_interrupt2, pci_create_interrupt3, pci_delete_interrupt, pci_eject_response,
  pci_function_description, pci_function_description2, pci_message, pci_q_res_req_response, pci_resources_assigned, pci_resources_assigned2, pci_response,
  pci_version_request, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_REVISION_MISMATCH, STATUS_SUCCESS,
  VM_PKT_COMP, VM_PKT_DATA_INBAND, type VmbusPacket, wslotOf,
} from './hyperv-vpci';
import type { VpciBusConfig } from './machine-config';
import { concat, type Packed } from './packed';
import type { PciFunction } from './pci';
import { PCI_BASE_ADDRESS_0 } from './pci-registers';

/** When the host does what it was told to: it is asked for a message, to move an interrupt, to give the bus power, or to take that away. */
export type HostMoment = 'create' | 'retarget' | 'd0' | 'd0exit';

/** Something that the host is going to do once. */
export interface HostOrder {
  /** null: with the bus itself */
  readonly devfn: number | null;
  readonly at: HostMoment;
  /** refuse; ask for the device before the answer; the device, or the bus, is gone, and no answer comes */
  readonly does: 'refuse' | 'eject' | 'withdraw';
}

/** What a bus needs of the host around it. */
export interface VpciHost {
  /** a packet waits for the guest */
  signal(): void;
  /** the guest shall know that its channel is no longer served */
  rescind(bus: VpciBus): void;
  note(event: HardwareEvent): void;
}

const BARS = 6;
/** The entries that a request asks for. */
interface Wanted {
  readonly vector: number;
  readonly deliveryMode: number;
  readonly count: number;
  readonly vps: readonly number[];
}

/** A virtual PCI bus: functions that the host passes through, and the vmbus channel by which guest and host speak of them. */
export class VpciBus {
  /** in the order of their addresses; what has been ejected is gone */
  readonly functions: PciFunction[] = [];
  /** packets that the guest has not read */
  readonly toGuest: VmbusPacket[] = [];
  /** the guest has the channel open */
  open = false;
  /** as agreed upon; 0: not yet */
  version = 0;
  /** the bus has power */
  d0 = false;
  /** the host serves the channel no longer */
  rescinded = false;
  /** functions that were pulled: they answer no access */
  readonly withdrawn = new Set<number>();
  readonly orders: HostOrder[] = [];

  constructor(
    readonly config: VpciBusConfig,
    private readonly highest: number,
    private readonly irt: InterruptRedirectionTable,
    private readonly processors: number,
    private readonly host: VpciHost,
  ) {}

  /** The guest opens or closes its end. */
  setOpen(open: boolean): void {
    this.open = open;
    this.toGuest.length = 0;
  }

  /** What the guest reads from the configuration page of a slot: all ones where there is nothing. Aligned to 2. */
  readConfig16(wslot: number, offset: number): number {
    const fn = this.at(wslot);
    return fn && !this.withdrawn.has(fn.devfn) ? fn.read16(offset) : 0xffff;
  }

  /** Takes the order that is due, if there is one. */
  take(devfn: number | null, at: HostMoment): HostOrder | undefined {
    const index = this.orders.findIndex(order => order.devfn === devfn && order.at === at);
    return index < 0 ? undefined : this.orders.splice(index, 1)[0];
  }

  /** The host wants the device back: the guest shall let go of it. */
  eject(devfn: number): void {
    this.say(pci_child_message.encode({ type: PCI_EJECT, wslot: wslotOf(devfn) }));
  }

  /** The device is not there any more, and the next list of functions says so. */
  unlist(devfn: number): void {
    this.ejected(devfn);
    this.sendRelations();
  }

  /** The host takes the bus back, with all that is on it. */
  rescind(): void {
    for (const { devfn } of [...this.functions]) this.ejected(devfn);
    this.rescinded = true;
    this.host.rescind(this);
  }

  /** The guest sends a packet. @param transId 0: wants no answer */
  receive(bytes: Uint8Array, transId: number): void {
    const as = <V>(layout: Packed<V>, run: (message: V) => void): void => {
      if (bytes.length < layout.size) this.answer(transId, STATUS_INVALID_PARAMETER);
      else run(layout.decode(bytes));
    };
    switch (pci_message.decode(bytes).type) {
      case PCI_QUERY_PROTOCOL_VERSION:
        as(pci_version_request, ({ protocol_version }) => this.negotiate(protocol_version, transId));
        break;
      case PCI_QUERY_BUS_RELATIONS:
        this.sendRelations();
        break;
      case PCI_QUERY_RESOURCE_REQUIREMENTS:
        as(pci_child_message, ({ wslot }) => this.sendBars(wslot, transId));
        break;
      case PCI_BUS_D0ENTRY:
        as(pci_bus_d0_entry, () => this.power(true, transId));
        break;
      case PCI_BUS_D0EXIT:
        this.power(false, transId);
        break;
      case PCI_RESOURCES_ASSIGNED:
        as(pci_resources_assigned, () => this.answer(transId, STATUS_SUCCESS));
        break;
      case PCI_RESOURCES_ASSIGNED2:
        as(pci_resources_assigned2, () => this.answer(transId, STATUS_SUCCESS));
        break;
      case PCI_RESOURCES_RELEASED:
        as(pci_child_message, ({ wslot }) => this.irt.deleteOf(this.config.instance, devfnOf(wslot)));
        break;
      case PCI_EJECTION_COMPLETE:
        as(pci_eject_response, ({ wslot }) => this.ejected(devfnOf(wslot)));
        break;
      case PCI_CREATE_INTERRUPT_MESSAGE:
        as(pci_create_interrupt, ({ wslot, int_desc: { vector, delivery_mode, vector_count, cpu_mask } }) =>
          this.create(wslot, { vector, deliveryMode: delivery_mode, count: vector_count, vps: setBits(cpu_mask).filter(vp => vp < this.processors) }, transId));
        break;
      case PCI_CREATE_INTERRUPT_MESSAGE2:
        as(pci_create_interrupt2, ({ wslot, int_desc: { vector, delivery_mode, vector_count, processor_count, processor_array } }) =>
          this.create(wslot, { vector, deliveryMode: delivery_mode, count: vector_count, vps: processor_array.slice(0, processor_count) }, transId));
        break;
      case PCI_CREATE_INTERRUPT_MESSAGE3:
        as(pci_create_interrupt3, ({ wslot, int_desc: { vector, delivery_mode, vector_count, processor_count, processor_array } }) =>
          this.create(wslot, { vector, deliveryMode: delivery_mode, count: vector_count, vps: processor_array.slice(0, processor_count) }, transId));
        break;
      case PCI_DELETE_INTERRUPT_MESSAGE:
        as(pci_delete_interrupt, ({ int_desc: { address, vector_count } }) => this.irt.delete(this.config.instance, Number(address), vector_count));
        break;
      default:
        this.answer(transId, STATUS_NOT_SUPPORTED);
        break;
    }
  }

  private at(wslot: number): PciFunction | undefined {
    return this.functions.find(fn => fn.devfn === devfnOf(wslot));
  }

  private negotiate(version: number, transId: number): void {
    const known = version >= PCI_PROTOCOL_VERSION_1_1 && version <= this.highest;
    if (known) this.version = version;
    this.answer(transId, known ? STATUS_SUCCESS : STATUS_REVISION_MISMATCH);
  }

  private sendRelations(): void {
    const second = this.version >= PCI_PROTOCOL_VERSION_1_3;
    const list = this.functions.map(fn => (second ? pci_function_description2.encode({ ...described(fn), ...placed(fn) }) : pci_function_description.encode(described(fn))));
    this.say(concat(pci_bus_relations.encode({ type: second ? PCI_BUS_RELATIONS2 : PCI_BUS_RELATIONS, device_count: list.length }), ...list));
  }

  private sendBars(wslot: number, transId: number): void {
    const fn = this.at(wslot);
    if (!fn) {
      this.answer(transId, STATUS_INVALID_PARAMETER);
      return;
    }
    const probed_bar = Array.from({ length: BARS }, (_, i) => fn.read32(PCI_BASE_ADDRESS_0 + i * 4));
    this.complete(transId, pci_q_res_req_response.encode({ status: STATUS_SUCCESS, probed_bar }));
  }

  private power(on: boolean, transId: number): void {
    const order = this.take(null, on ? 'd0' : 'd0exit');
    if (order?.does === 'withdraw') {
      this.rescind();
      return;
    }
    this.d0 = on && !order;
    this.answer(transId, order ? STATUS_INVALID_DEVICE_STATE : STATUS_SUCCESS);
  }

  private ejected(devfn: number): void {
    this.irt.deleteOf(this.config.instance, devfn);
    const index = this.functions.findIndex(fn => fn.devfn === devfn);
    if (index >= 0) this.functions.splice(index, 1);
  }

  private create(wslot: number, wanted: Wanted, transId: number): void {
    const fn = this.at(wslot);
    const { count, vps } = wanted;
    const possible = fn && this.d0 && count > 0 && vps.length > 0 && vps.every(vp => vp < this.processors);
    const order = possible ? this.take(fn.devfn, 'create') : undefined;
    if (!possible) {
      this.answerCreate(transId, STATUS_INVALID_PARAMETER);
      return;
    }
    if (order?.does === 'eject') this.eject(fn.devfn);
    if (order && order.does !== 'eject') this.host.note({ kind: 'no host entry', requesterId: fn.devfn, why: order.does === 'refuse' ? 'it refuses' : 'the device is gone' });
    if (order?.does === 'withdraw') this.withdrawn.add(fn.devfn);
    else this.give(order?.does === 'refuse' ? undefined : this.irt.create({ instance: this.config.instance, devfn: fn.devfn, ...wanted }), transId);
  }

  private give(entries: readonly IrtEntry[] | undefined, transId: number): void {
    if (!entries) {
      this.answerCreate(transId, STATUS_INSUFFICIENT_RESOURCES);
      return;
    }
    const [{ address, data }] = entries;
    this.complete(transId, pci_create_int_response.encode({ status: STATUS_SUCCESS, int_desc: { reserved: 0, vector_count: entries.length, data, address: BigInt(address) } }));
  }

  private answer(transId: number, status: number): void {
    this.complete(transId, pci_response.encode({ status }));
  }

  private answerCreate(transId: number, status: number): void {
    this.complete(transId, pci_create_int_response.encode({ status }));
  }

  /** Answers a request, unless it wants no answer. */
  private complete(transId: number, bytes: Uint8Array): void {
    if (transId !== 0) this.send({ type: VM_PKT_COMP, transId, bytes });
  }

  private say(bytes: Uint8Array): void {
    this.send({ type: VM_PKT_DATA_INBAND, transId: 0, bytes });
  }

  private send(packet: VmbusPacket): void {
    if (!this.open || this.rescinded) return;
    this.toGuest.push(packet);
    // Who reads goes on until there is no more: one signal is enough.
    if (this.toGuest.length === 1) this.host.signal();
  }
}

function described({ config, devfn }: PciFunction) {
  const { vendor, device, class: classCode } = config;
  return { v_id: vendor, d_id: device, prog_intf: classCode & 0xff, subclass: (classCode >>> 8) & 0xff, base_class: classCode >>> 16, win_slot: wslotOf(devfn), ser: devfn >>> 3 };
}

const placed = ({ config: { node } }: PciFunction) => (node < 0 ? {} : { flags: HV_PCI_DEVICE_FLAG_NUMA_AFFINITY, virtual_numa_node: node });
