import {
  decodeRetarget, HV_INTERRUPT_SOURCE_MSI, HV_PARTITION_ID_SELF, HV_STATUS_INVALID_HYPERCALL_CODE, HV_STATUS_INVALID_HYPERCALL_INPUT, HV_STATUS_INVALID_PARAMETER,
  HV_STATUS_OPERATION_DENIED, HV_STATUS_SUCCESS, HVCALL_RETARGET_INTERRUPT, processorsOf, type RetargetInterrupt,
} from './hyperv-hypercall';
import { type IrtEntry, InterruptRedirectionTable } from './hyperv-irt';
import { guidBytes } from './guid';
import { CHANNELMSG_RESCIND_CHANNELOFFER, relidOf, type VmbusMessage } from './hyperv-vmbus';
import { VpciBus, type VpciHost } from './hyperv-vpci-bus';
import type { InterruptBus } from './interrupt-bus';
import type { HypervConfig } from './machine-config';
import { DELIVERY, isInterruptAddress } from './message';
import type { PciFunction } from './pci';

const HYPERCALL_CODE_MASK = 0xffff;

/** The Hyper-V host below the machine: the buses of what it passes through, its interrupt redirection table, and its hypercalls. A virtual processor has the number of its CPU. */
export class HypervHost {
  readonly irt: InterruptRedirectionTable;
  readonly buses: readonly VpciBus[];
  /** what the host has said of channels, and the guest has not read */
  readonly messages: VmbusMessage[] = [];
  /** vector by which each virtual processor hears of packets (SINT 2); 0 = not at all */
  readonly sint: number[];

  constructor(
    readonly config: HypervConfig,
    private readonly bus: InterruptBus,
    processors: number,
  ) {
    this.sint = new Array<number>(processors).fill(0);
    this.irt = new InterruptRedirectionTable(bus.events);
    const host: VpciHost = { signal: () => this.signal(), rescind: channel => this.rescind(channel), note: event => void bus.events.push(event) };
    this.buses = config.buses.map(b => new VpciBus(b, config.protocol, this.irt, processors, host));
  }

  /** A packet waits: the processor that its channel is bound to, the first one, is told. */
  private signal(): void {
    if (this.sint[0] !== 0) this.deliver(0, this.sint[0]);
  }

  private rescind(bus: VpciBus): void {
    this.messages.push({ msgtype: CHANNELMSG_RESCIND_CHANNELOFFER, child_relid: relidOf(this.buses.indexOf(bus)) });
    this.signal();
  }

  private deliver(vp: number, vector: number): void {
    const lapic = this.bus.lapics[vp];
    this.bus.deliverTo(lapic, { vector, delivery: DELIVERY.FIXED, logical: false, level: false, redirect: false, destination: lapic.apicId });
  }

  busOf(instance: string): VpciBus {
    return this.buses.find(b => b.config.instance === instance)!;
  }

  /** A function on a bus writes to memory: an interrupt if the table has an entry for this message of this function, else nothing. */
  message(instance: string, requesterId: number, addressHi: number, addressLo: number, data: number): void {
    const { events } = this.bus;
    if (!isInterruptAddress(addressHi, addressLo)) {
      events.push({ kind: 'memory write', requesterId, addressHi, addressLo, data });
      return;
    }
    events.push({ kind: 'message', requesterId, addressHi, addressLo, data });
    const entry = this.irt.find(instance, requesterId & 0xff, addressHi, addressLo, data);
    if (!entry) {
      events.push({ kind: 'unknown message', instance, requesterId, addressLo, data });
      return;
    }
    const { index, vector, vps } = entry;
    events.push({ kind: 'redirected', index, vector, vp: vps[0] });
    this.deliver(vps[0], vector);
  }

  /** @param control of the call: its code, and how much of the input counts @param input what stands at the address that the guest gives @returns HV_STATUS_* */
  hypercall(control: number, input: Uint8Array): number {
    if ((control & HYPERCALL_CODE_MASK) !== HVCALL_RETARGET_INTERRUPT) return HV_STATUS_INVALID_HYPERCALL_CODE;
    const params = decodeRetarget(control, input);
    if (!params) return HV_STATUS_INVALID_HYPERCALL_INPUT;
    const status = this.retarget(params);
    this.bus.events.push({ kind: 'retarget', status, address: params.address, data: params.data, vector: params.vector, vps: processorsOf(params) });
    return status;
  }

  private retarget(params: RetargetInterrupt): number {
    const vps = processorsOf(params);
    if (params.partition_id !== HV_PARTITION_ID_SELF || params.source !== HV_INTERRUPT_SOURCE_MSI) return HV_STATUS_INVALID_PARAMETER;
    if (vps.length === 0 || vps.some(vp => vp >= this.sint.length)) return HV_STATUS_INVALID_PARAMETER;
    const fn = this.functionOf(params.device_id);
    if (!fn) return HV_STATUS_INVALID_PARAMETER;
    const instance = fn.config.behind!;
    if (this.busOf(instance).take(fn.devfn, 'retarget')) return HV_STATUS_OPERATION_DENIED;
    const entry = this.irt.find(instance, fn.devfn, 0, params.address, params.data);
    if (!entry) return HV_STATUS_INVALID_PARAMETER;
    Object.assign<IrtEntry, Partial<IrtEntry>>(entry, { vector: params.vector, vps, retargeted: true });
    return HV_STATUS_SUCCESS;
  }

  /** Device ids are made of parts of the bus's instance and of the function's number; the upper half of the word says nothing. */
  private functionOf(deviceId: bigint): PciFunction | undefined {
    const low = Number(deviceId & 0xffffffffn);
    return this.buses.flatMap(({ functions }) => functions).find(fn => deviceIdOf(fn) === low);
  }
}

function deviceIdOf({ config, devfn }: PciFunction): number {
  const b = guidBytes(config.behind!);
  return ((b[5] << 24) | (b[4] << 16) | (b[7] << 8) | (b[6] & 0xf8) | (devfn & 7)) >>> 0;
}
