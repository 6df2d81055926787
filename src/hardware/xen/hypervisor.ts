import type { InterruptBus } from '../interrupt-bus';
import type { XenConfig, XenFeature } from '../machine-config';
import type { Memory } from '../memory';
import { decodeWide, MSI_ADDRESS_LO, MSI_DATA } from '../message';
import type { PciFunction } from '../pci';
import { Vcpus } from './event-abi';
import { EventChannels } from './event-channels';
import {
  DOMID_SELF, type evtchn_bind_interdomain, type EvtchnArgs, EVTCHNOP, MAP_PIRQ_TYPE, PAGE_SIZE, type PhysdevArgs, PHYSDEVOP, type physdev_map_pirq, type physdev_pci_device, type vcpu_register_vcpu_info, XEN_ERRNO,
  XEN_HVM_CPUID_APIC_ACCESS_VIRT, XEN_HVM_CPUID_X2APIC_VIRT, XENFEAT, XENIRQSTAT_needs_eoi, XENIRQSTAT_shared,
} from './interface';
import { PhysicalVectors } from './msi';
import { OtherDomain, PCIFRONT_PORT } from './other-domain';
import { type Pirq, Pirqs } from './pirqs';

const { EEXIST, EINVAL, ENODEV, ENOSYS, EPERM, ESRCH } = XEN_ERRNO;

const PHYSDEV_NAMES = new Map(Object.entries(PHYSDEVOP).map(([name, op]) => [op as number, `PHYSDEVOP_${name}`]));
/** Besides lines. */
const OTHER_PIRQS = 32;

const EVTCHN_NAMES = new Map(Object.entries(EVTCHNOP).map(([name, op]) => [op as number, `EVTCHNOP_${name}`]));

/** Names of all hypercalls that there are here. */
export const HYPERCALLS: readonly string[] = [...PHYSDEV_NAMES.values(), ...EVTCHN_NAMES.values()];

/** What Xen sees of the machine. */
export interface XenHost {
  readonly config: XenConfig;
  readonly memory: Memory;
  readonly bus: InterruptBus;
  /** APIC ids of the physical CPUs; virtual CPU n runs on the n-th */
  readonly apicIds: readonly number[];
  /** lines that the IOAPICs have */
  readonly gsis: number;
  /** those that Xen has found: none behind a VMD */
  readonly functions: () => readonly PciFunction[];
}

/** Vector 0 is none: the message of an HVM guest's device is for a pirq. It is masked as an event, not in the device. */
export const isPirqMessage = (data: number): boolean => MSI_DATA.get(data, 'vector') === 0;

/** Xen and one guest of it: hypercalls with their numbers, structures and errors; interrupts become events. */
export class XenHypervisor {
  channels: EventChannels;
  pirqs: Pirqs;
  readonly vcpus: Vcpus;
  /** Other guests that run, by their DOMIDs. */
  readonly others = new Map<number, OtherDomain>();
  private readonly vectors: PhysicalVectors<Pirq>;
  /** vector that tells an HVM guest of events; null: the guest has asked for none */
  callbackVector: number | null = null;
  /** a bit for each pirq that wants to be ended, in the guest's memory; null: the guest gave no page */
  private eoiMap: number | null = null;
  /** The guest has been saved and built anew. */
  rebuilt = false;
  /** lines that are driven */
  private readonly driven = new Set<number>();

  constructor(private readonly host: XenHost) {
    const { config, memory, apicIds, functions } = host;
    this.vcpus = new Vcpus(memory, memory.alloc(PAGE_SIZE, PAGE_SIZE), apicIds.length);
    this.channels = this.firstChannels();
    this.vectors = new PhysicalVectors(apicIds);
    this.pirqs = this.noPirqs();
    for (const { config } of functions()) if (config.guest !== undefined) this.begin(config.guest);
    if (config.guest === 'pv-domu') this.assignLines();
  }

  /** Who builds a guest gives it the channel to xenstore, port 1, and that of its console. */
  private firstChannels(): EventChannels {
    const { guest, evtchns } = this.host.config;
    const made = new EventChannels(this.vcpus, evtchns, this.has('fifo'));
    const channels = guest === 'hvm' || guest === 'pv-domu' ? 2 : 0;
    for (let i = 0; i < channels; i++) made.allocUnbound({ dom: DOMID_SELF, remote_dom: 0, port: 0 });
    return made;
  }

  private noPirqs(): Pirqs {
    const { gsis, config, functions } = this.host;
    return new Pirqs(gsis, config.pirqs, this.vectors, functions);
  }

  /** The guest is saved, and another one is built from it: event channels and pirqs are not saved. @returns 0; 1 would be: it goes on as it was */
  suspend(): number {
    this.vcpus.reset();
    this.channels = this.firstChannels();
    this.pirqs = this.noPirqs();
    this.callbackVector = null;
    this.rebuilt = true;
    return 0;
  }

  /** Lines of devices that are passed through are the guest's under their own numbers. */
  private assignLines(): void {
    for (const fn of this.host.functions()) if (fn.config.gsi >= 0) this.pirqs.mapLine(fn.config.gsi, fn.config.gsi, false);
  }

  get config(): XenConfig {
    return this.host.config;
  }

  /** Ports 1 and on of those that were there from the beginning. */
  readonly storePort = 1;

  private has(feature: XenFeature): boolean {
    return this.host.config.features.includes(feature);
  }

  /** The guest is a PV one: it has no local APICs. */
  get pv(): boolean {
    return this.host.config.guest.startsWith('pv-');
  }

  // What a guest may ask.

  feature(bit: number): boolean {
    return Object.entries(XENFEAT).some(([name, b]) => b === bit && this.has(name as keyof typeof XENFEAT));
  }

  /** EAX of a leaf above Xen's base. */
  cpuidEax(leaf: number): number {
    if (leaf !== 4 || this.pv) return 0;
    return (this.has('apic_access_virt') ? XEN_HVM_CPUID_APIC_ACCESS_VIRT : 0) | (this.has('x2apic_virt') ? XEN_HVM_CPUID_X2APIC_VIRT : 0);
  }

  /** HVMOP_set_param, of the parameter that says how the guest hears of events. */
  setCallback(via: bigint): number {
    if (via >> 56n !== 2n || !this.has('hvm_callback_vector')) return -EINVAL;
    this.callbackVector = Number(via & 0xffn);
    return 0;
  }

  /** VCPUOP_register_vcpu_info: once for each virtual CPU. What it was told before goes along. */
  registerVcpuInfo(vcpu: number, { mfn, offset }: vcpu_register_vcpu_info): number {
    const { info, memory } = this.vcpus;
    const address = mfn * PAGE_SIZE + offset;
    if (info[vcpu] >= this.vcpus.sharedInfo + PAGE_SIZE || info[vcpu] < this.vcpus.sharedInfo) return -EINVAL;
    for (let i = 0; i < 64; i += 4) memory.write32(address + i, memory.read32(info[vcpu] + i));
    info[vcpu] = address;
    return 0;
  }

  physdevOp<C extends keyof PhysdevArgs>(cmd: C, arg: PhysdevArgs[C]): number {
    const name = PHYSDEV_NAMES.get(cmd)!;
    return this.noted(name, arg, this.refuses(name) ?? this.physdev[cmd](arg));
  }

  eventChannelOp<C extends keyof EvtchnArgs>(cmd: C, arg: EvtchnArgs[C]): number {
    const name = EVTCHN_NAMES.get(cmd)!;
    return this.noted(name, arg, this.refuses(name) ?? this.evtchn[cmd](arg));
  }

  /** What the security policy forbids. */
  private refuses(name: string): number | undefined {
    return this.host.config.deny.includes(name) ? -EPERM : undefined;
  }

  private noted(op: string, arg: object, result: number): number {
    this.host.bus.events.push({ kind: 'hypercall', op, arg: { ...arg }, result });
    return result;
  }

  private readonly physdev: { [C in keyof PhysdevArgs]: (arg: PhysdevArgs[C]) => number } = {
    [PHYSDEVOP.irq_status_query]: arg => {
      const pirq = this.pirqs.pirqs.get(arg.irq);
      if (!pirq) return -EINVAL;
      // Whoever has no page with bits for it must always end it.
      arg.flags = this.eoiMap === null || this.pirqs.needsEoi(pirq) ? XENIRQSTAT_needs_eoi : 0;
      if (pirq.kind === 'gsi') arg.flags |= XENIRQSTAT_shared;
      return 0;
    },
    [PHYSDEVOP.alloc_irq_vector]: arg => {
      if (this.host.config.guest !== 'pv-dom0') return -EPERM;
      arg.vector = arg.irq;
      return 0;
    },
    [PHYSDEVOP.eoi]: ({ irq }) => this.endOfInterrupt(irq),
    [PHYSDEVOP.map_pirq]: arg => this.mapPirq(arg),
    [PHYSDEVOP.unmap_pirq]: ({ domid, pirq }) => this.pirqsOf(domid)?.unmap(pirq) ?? -ESRCH,
    [PHYSDEVOP.restore_msi]: ({ bus, devfn }) => this.restore({ seg: 0, bus, devfn }),
    [PHYSDEVOP.restore_msi_ext]: arg => (this.has('restore_msi_ext') ? this.restore(arg) : -ENOSYS),
    [PHYSDEVOP.prepare_msix]: arg => (this.functionAt(arg) ? 0 : -ENODEV),
    [PHYSDEVOP.release_msix]: arg => (this.functionAt(arg) ? 0 : -ENODEV),
    [PHYSDEVOP.setup_gsi]: ({ gsi, triggering }) => {
      const again = this.pirqs.level.has(gsi);
      this.pirqs.level.set(gsi, triggering === 1);
      return again ? -EEXIST : 0;
    },
    [PHYSDEVOP.get_free_pirq]: arg => {
      if (!this.has('get_free_pirq')) return -ENOSYS;
      const pirq = this.pirqs.reserve(arg.type);
      if (pirq < 0) return pirq;
      arg.pirq = pirq;
      return 0;
    },
    [PHYSDEVOP.pirq_eoi_gmfn_v2]: ({ gmfn }) => {
      if (!this.has('pirq_eoi_gmfn_v2')) return -ENOSYS;
      this.eoiMap = gmfn * PAGE_SIZE;
      return 0;
    },
  };

  private mapPirq(arg: physdev_map_pirq): number {
    const { type, index, pirq } = arg;
    const pirqs = this.pirqsOf(arg.domid);
    if (!pirqs) return -ESRCH;
    let found: number;
    if (type === MAP_PIRQ_TYPE.GSI) found = pirqs.mapLine(index, pirq, !this.pv);
    else if (!this.pv || this.host.config.guest !== 'pv-dom0') found = -EPERM;
    else if ((type === MAP_PIRQ_TYPE.MSI_SEG && !this.has('msi_seg')) || (type === MAP_PIRQ_TYPE.MULTI_MSI && !this.has('multi_msi'))) found = -EINVAL;
    else found = pirqs.mapMessages(pirqs.functionOf(arg), arg.table_base === 0 ? null : arg.entry_nr, type === MAP_PIRQ_TYPE.MULTI_MSI ? arg.entry_nr : 1);
    if (found < 0) return found;
    arg.pirq = found;
    return 0;
  }

  /** The pirqs of a guest that is there. */
  private pirqsOf(domid: number): Pirqs | undefined {
    return domid === DOMID_SELF ? this.pirqs : this.others.get(domid)?.pirqs;
  }

  private functionAt({ seg, bus, devfn }: physdev_pci_device): PciFunction | undefined {
    return this.host.functions().find(fn => fn.domain === seg && fn.bus === bus && fn.devfn === devfn);
  }

  /** Of whatever guest the function is. */
  private restore(at: physdev_pci_device): number {
    const fn = this.functionAt(at);
    if (!fn) return -ENODEV;
    for (const pirqs of [this.pirqs, ...[...this.others.values()].map(other => other.pirqs)]) pirqs.restore(fn);
    return 0;
  }

  private readonly evtchn: { [C in keyof EvtchnArgs]: (arg: EvtchnArgs[C]) => number } = {
    [EVTCHNOP.bind_interdomain]: arg => this.bindInterdomain(arg),
    [EVTCHNOP.bind_virq]: arg => this.channels.bindVirq(arg),
    [EVTCHNOP.bind_pirq]: arg => this.bindPirq(arg),
    [EVTCHNOP.close]: ({ port }) => {
      const closed = this.channels.close(port);
      if (typeof closed === 'number') return closed;
      for (const other of this.others.values()) if (other.local === port) other.local = null;
      const pirq = closed.state === 'pirq' ? this.pirqs.pirqs.get(closed.of) : undefined;
      if (pirq) this.unbind(pirq);
      return 0;
    },
    [EVTCHNOP.send]: ({ port }) => this.channels.send(port),
    [EVTCHNOP.alloc_unbound]: arg => this.channels.allocUnbound(arg),
    [EVTCHNOP.bind_ipi]: arg => this.channels.bindIpi(arg),
    [EVTCHNOP.bind_vcpu]: arg => this.channels.bindVcpu(arg),
    [EVTCHNOP.unmask]: ({ port }) => this.channels.unmask(port),
    [EVTCHNOP.init_control]: arg => this.channels.initControl(arg),
    [EVTCHNOP.expand_array]: arg => this.channels.expandArray(arg),
    [EVTCHNOP.set_priority]: arg => this.channels.setPriority(arg),
  };

  private bindInterdomain(arg: evtchn_bind_interdomain): number {
    const other = this.others.get(arg.remote_dom);
    if (!other) return -ESRCH;
    if (arg.remote_port !== PCIFRONT_PORT || other.local !== null) return -EINVAL;
    const error = this.channels.bindInterdomain(arg);
    if (error === 0) other.local = arg.local_port;
    return error;
  }

  private bindPirq(arg: EvtchnArgs[typeof EVTCHNOP.bind_pirq]): number {
    const pirq = this.pirqs.pirqs.get(arg.pirq);
    if (!pirq || !this.pirqs.valid(arg.pirq)) return -EINVAL;
    if (pirq.port !== 0) return -EEXIST;
    const error = this.channels.bindPirq(arg);
    if (error) return error;
    pirq.port = arg.port;
    pirq.inService = false;
    if (this.eoiMap !== null) this.setEoiBit(pirq.number, this.pirqs.needsEoi(pirq));
    this.pirqs.start(pirq, true);
    if (pirq.gsi !== undefined && this.isLevel(pirq) && this.driven.has(pirq.gsi)) this.send(pirq);
    return 0;
  }

  private unbind(pirq: Pirq): void {
    pirq.port = 0;
    pirq.inService = false;
    this.pirqs.start(pirq, false);
  }

  private setEoiBit(number: number, on: boolean): void {
    const at = this.eoiMap! + (number >>> 5) * 4;
    const word = this.host.memory.read32(at);
    this.host.memory.write32(at, (on ? word | (1 << (number & 31)) : word & ~(1 << (number & 31))) >>> 0);
  }

  private endOfInterrupt(number: number): number {
    const pirq = this.pirqs.pirqs.get(number);
    if (!pirq) return -EINVAL;
    pirq.inService = false;
    if (pirq.gsi !== undefined && this.isLevel(pirq) && this.driven.has(pirq.gsi)) this.send(pirq);
    return 0;
  }

  /** Emulated lines behind those of ISA are PCI's. */
  private isLevel({ kind, gsi }: Pirq): boolean {
    return kind === 'emulated gsi' ? gsi! >= 16 : kind === 'gsi' && this.pirqs.level.get(gsi!) !== false;
  }

  // What happens in the machine.

  /** Whether a virtual CPU has been told of events and takes them as soon as it lets interrupts in. */
  upcallWaiting(cpu: number): boolean {
    return (this.pv || this.callbackVector !== null) && this.vcpus.upcallPending(cpu);
  }

  /** A line is driven or let go. @returns whether it is an event of the guest's, and no pin's */
  line(gsi: number, asserted: boolean): boolean {
    const rose = asserted && !this.driven.has(gsi);
    if (asserted) this.driven.add(gsi);
    else this.driven.delete(gsi);
    const pirq = this.pirqs.ofLine(gsi);
    if (!pirq || pirq.port === 0) return this.pv;
    if (rose && !(this.isLevel(pirq) && pirq.inService)) this.send(pirq);
    return true;
  }

  /** A device's message. @returns whether somebody takes it */
  message(from: PciFunction | undefined, addressHi: number, addressLo: number, data: number): boolean {
    const vector = MSI_DATA.get(data, 'vector');
    const dest = MSI_ADDRESS_LO.get(addressLo, 'destid_0_7');
    if (this.pv) return this.toPirq(this.vectors.ownerOf({ apicId: dest, vector }), `vector ${vector} of APIC ${dest} is none of Xen's`);
    const known = from?.hasMessage({ hi: addressHi, lo: addressLo, data }) === true;
    if (this.config.guest === 'pvh-dom0' && !known) return this.dropped('message', 'Xen knows no device that has it, and has no vector for it');
    if (!isPirqMessage(data) || this.config.guest === 'pvh-dom0') return this.host.bus.deliver(decodeWide(addressHi, addressLo, data));

    const number = ((addressHi & 0xffffff00) | dest) >>> 0;
    const pirq = this.pirqs.pirqs.get(number);
    if (pirq?.kind === 'reserved') pirq.kind = 'emulated msi';
    return this.toPirq(pirq?.kind === 'emulated msi' ? pirq : undefined, `there is no pirq ${number} for messages`);
  }

  private toPirq(pirq: Pirq | undefined, why: string): boolean {
    if (!pirq) return this.dropped('message', why);
    if (pirq.domid !== DOMID_SELF) {
      this.host.bus.events.push({ kind: 'event elsewhere', domid: pirq.domid, pirq: pirq.number });
      return true;
    }
    if (pirq.port === 0) return this.dropped(`pirq ${pirq.number}`, 'it is bound to no event channel');
    this.send(pirq);
    return true;
  }

  private dropped(what: string, why: string): false {
    this.host.bus.events.push({ kind: 'dropped', what, why });
    return false;
  }

  private send(pirq: Pirq): void {
    const channel = this.channels.channels.get(pirq.port)!;
    if (this.isLevel(pirq)) pirq.inService = true;
    this.host.bus.events.push({ kind: 'event', port: channel.port, vcpu: channel.vcpu, pirq: pirq.number });
    this.channels.abi.setPending(channel);
  }

  /** In the name of the domain that owns a device: a pirq of the guest's for a message of it. @returns the pirq, or an errno */
  mapForGuest(fn: PciFunction, entry: number | null): number {
    return this.pirqs.mapMessages(fn, entry, 1);
  }

  unmapForGuest(fn: PciFunction): void {
    for (const pirq of [...this.pirqs.pirqs.values()]) {
      if (pirq.fn !== fn) continue;
      if (pirq.port !== 0) this.unbind(pirq);
      this.pirqs.unmap(pirq.number);
    }
  }

  // What other guests do.

  private begin(id: number): void {
    const { gsis, functions } = this.host;
    if (!this.others.has(id)) this.others.set(id, new OtherDomain(id, new Pirqs(gsis, gsis + OTHER_PIRQS, this.vectors, functions, id)));
  }

  /** Another guest sends through the channel to its backend. @returns false: nobody has the other end */
  notify({ local }: OtherDomain): boolean {
    const channel = local === null ? undefined : this.channels.channels.get(local);
    if (channel) this.channels.abi.setPending(channel);
    return channel !== undefined;
  }

  /** Another guest is gone, with all that Xen kept for it. dom0's end of its channel leads nowhere. */
  destroy(other: OtherDomain): void {
    other.pirqs.freeAll();
    this.others.delete(other.id);
    const channel = other.local === null ? undefined : this.channels.channels.get(other.local);
    if (channel) channel.state = 'unbound';
  }
}
