import { MMIO_CNTR_CONF_OFFSET } from './amd-iommu-registers';
import { AmdRemapUnit } from './amd-remap-unit';
import { DMAR_REG_SIZE } from './dmar-registers';
import type { HardwareEvent } from './events';
import { Hpet, HPET_MMAP_SIZE } from './hpet';
import { IntelRemapUnit } from './intel-remap-unit';
import { IMS_STORE_SIZE, type ImsStore } from './ims-store';
import { isGuid } from './guid';
import { HypervHost } from './hyperv-host';
import type { VpciBus } from './hyperv-vpci-bus';
import { InterruptBus } from './interrupt-bus';
import { IoApic, IOAPIC_SIZE } from './io-apic';
import { LocalApic } from './local-apic';
import { APIC_LVT0, LVT } from './local-apic-registers';
import {
  aliasedIds, type AmdRemapUnitConfig, type ClockCounts, ConfigError, type CpuConfig, EXACT_CLOCKS, type MachineConfig, type PciFunctionConfig, parsePciAddress,
} from './machine-config';
import { Memory } from './memory';
import { decodeCompatibility, DELIVERY, isInterruptAddress } from './message';
import { PciFunction, type PciHost } from './pci';
import { bridgesAbove, sentThrough } from './pci-bridge';
import { Pic8259 } from './pic-8259';
import { VirtualFunction, virtualFunctions } from './sriov';
import { timerRoute, TIMER_ROUTES } from './timer-route';
import { UvHub } from './uv-hub';
import { validateMachineConfig } from './validate-machine';
import { collect, passesOn } from './vmd';
import { isPirqMessage, XenHypervisor } from './xen/hypervisor';
import { PciBackend } from './xen/pci-backend';

/** BARs of functions that bring none of their own: one window each. */
const FIRST_BAR = 0xd0000000;
const BAR_WINDOW = 0x10000;
/** Message stores of functions, one window each. */
const FIRST_IMS = 0xe0000000;
const PAGE = 4096;

export interface Cpu extends CpuConfig {
  readonly lapic: LocalApic;
}

/** The hardware, powered on: what a kernel reaches through registers, tables and memory. */
export class Machine {
  readonly memory = new Memory();
  readonly pic = new Pic8259();
  /** by Linux CPU number */
  readonly cpus: readonly Cpu[];
  readonly ioapics: readonly IoApic[];
  readonly remapUnits: readonly IntelRemapUnit[];
  readonly amdRemapUnits: readonly AmdRemapUnit[];
  /** below the machine, if it is a guest of Hyper-V */
  readonly hyperv: HypervHost | undefined;
  /** those on the machine's own buses; a VMD has others below it, a Hyper-V host others on its buses */
  readonly pci: readonly PciFunction[];
  readonly hpet: Hpet | undefined;
  /** by blade */
  readonly uvHubs: readonly UvHub[];
  private readonly imsStores: readonly ImsStore[];
  private readonly virtual: readonly VirtualFunction[];
  readonly xen: XenHypervisor | undefined;
  /** of a PV guest without devices of its own */
  readonly pciback: PciBackend | undefined;
  private readonly bus = new InterruptBus();
  /** functions by the physical pages where they answer */
  private readonly pages = new Map<number, PciFunction[]>();

  /** @throws ConfigError naming every place of the configuration that is wrong */
  constructor(readonly config: MachineConfig) {
    const problems = validateMachineConfig(config);
    if (problems.length > 0) throw new ConfigError(problems);

    this.cpus = config.cpus.map((config, cpu) => ({ ...config, lapic: new LocalApic(cpu, config.apicId, this.bus) }));
    // Firmware leaves LINT0 of the CPU that boots open for the 8259 pair.
    this.cpus[0].lapic.write(APIC_LVT0, LVT.encode({ delivery_mode: DELIVERY.EXTINT }));
    this.bus.lapics.push(...this.cpus.map(cpu => cpu.lapic));
    this.remapUnits = (config.intelRemap?.units ?? []).map((unit, i) => new IntelRemapUnit(i, unit, this.memory, this.bus));
    this.amdRemapUnits = (config.amdRemap?.units ?? []).map(
      (unit, i) => new AmdRemapUnit(i, unit, this.memory, this.bus, () => this.pci.find(f => f.config.address === unit.function)!.firstMessage),
    );
    this.ioapics = config.ioapics.map(c => new IoApic(c, (lo, data) => this.ioapicMessage(c.id, lo, data)));
    this.bus.ioapics.push(...this.ioapics);
    this.hpet = config.hpet && new Hpet(config.hpet, { send: (lo, data) => this.hpetMessage(lo, data), pulse: gsi => this.pulseGsi(gsi) });
    this.uvHubs = (config.uv?.blades ?? []).map(blade => new UvHub(blade, this.bus));
    this.hyperv = config.hyperv && new HypervHost(config.hyperv, this.bus, this.cpus.length);
    const functions = this.functions(config.pci);
    this.virtual = functions.filter((fn): fn is VirtualFunction => fn instanceof VirtualFunction);
    this.pci = functions.filter(f => f.config.behind === undefined);
    this.imsStores = functions.flatMap(({ ims }) => ims ?? []);
    for (const fn of functions) (this.vmdOf(fn.config)?.below ?? this.vpciBusOf(fn.config)?.functions)?.push(fn);
    this.xen = this.belowXen();
    this.pciback = config.xen?.guest === 'pv-domu' ? new PciBackend(this.xen!, () => this.pci) : undefined;
    for (const fn of functions) for (const page of fn.msixPages()) this.pages.set(page, [...(this.pages.get(page) ?? []), fn]);
  }

  private belowXen(): XenHypervisor | undefined {
    const { xen, ioapics } = this.config;
    if (!xen) return undefined;
    const gsis = Math.max(16, ...ioapics.map(({ gsiBase, pins }) => gsiBase + pins));
    return new XenHypervisor({ config: xen, memory: this.memory, bus: this.bus, apicIds: this.cpus.map(cpu => cpu.apicId), gsis, functions: () => this.pci });
  }

  private functions(configs: readonly PciFunctionConfig[]): PciFunction[] {
    const host: PciHost = {
      sendMessage: (requesterId, hi, lo, data, segment) => this.sendMessage(this.sentAs(requesterId, segment), hi, lo, data, segment),
      setIntx: (gsi, asserted) => this.setGsi(gsi, asserted),
      note: event => void this.bus.events.push(event),
      unmaskable: data => this.config.xen?.guest === 'hvm' && isPirqMessage(data),
    };
    const below = (config: PciFunctionConfig): PciHost => ({ ...host, sendMessage: (from, hi, lo, data) => this.fromBelow(this.vmdOf(config)!, host, from, hi, lo, data) });
    const passedThrough = (instance: string): PciHost => ({ ...host, sendMessage: (from, hi, lo, data) => this.hyperv!.message(instance, from, hi, lo, data) });
    const hostOf = (c: PciFunctionConfig): PciHost => (c.behind === undefined ? host : isGuid(c.behind) ? passedThrough(c.behind) : below(c));
    const functions = configs.map((c, i) => new PciFunction(c, FIRST_BAR + i * BAR_WINDOW, FIRST_IMS + i * IMS_STORE_SIZE, hostOf(c)));
    const all = [...functions];
    for (const fn of functions) all.push(...virtualFunctions(fn, FIRST_BAR + all.length * BAR_WINDOW, BAR_WINDOW, host));
    return all;
  }

  private fromBelow(vmd: PciFunction, host: PciHost, from: number, hi: number, lo: number, data: number): void {
    if (passesOn(vmd)) host.sendMessage(vmd.requesterId, hi, lo, data, vmd.domain);
    else collect(vmd, this.bus, from, hi, lo, data);
  }

  /** The VMD that hides a function. */
  private vmdOf({ behind }: PciFunctionConfig): PciFunction | undefined {
    return behind === undefined ? undefined : this.pci.find(f => f.config.address === behind);
  }

  /** The bus of a function that the host passes through. */
  private vpciBusOf({ behind }: PciFunctionConfig): VpciBus | undefined {
    return this.hyperv?.buses.find(({ config }) => config.instance === behind);
  }

  get clocks(): ClockCounts {
    return this.config.clocks ?? EXACT_CLOCKS;
  }

  /** Whether enough of the PIT's ticks come to the boot CPU while a kernel waits for some. */
  timerTicks(): boolean {
    const route = timerRoute(this);
    return route !== null && (this.config.timerRoutes ?? TIMER_ROUTES).includes(route);
  }

  /** What happened so far, in order. */
  get events(): readonly HardwareEvent[] {
    return this.bus.events;
  }

  pciFunction(domain: number, bus: number, devfn: number): PciFunction | undefined {
    return this.pci.find(f => f.domain === domain && f.bus === bus && f.devfn === devfn);
  }

  /** Some local APIC has a vector that its CPU would take if its interrupts are open. */
  interruptWaiting(): boolean {
    return (this.bus.requested > 0 && this.cpus.some(cpu => cpu.lapic.deliverable() !== null)) || (this.xen !== undefined && this.cpus.some(({ lapic }) => this.xen!.upcallWaiting(lapic.cpu)));
  }

  /**
   * A device writes to memory: an interrupt if the address is in 0xfeexxxxx, remapped where a unit covers the requester.
   * @returns whether a local APIC or a posted descriptor took it
   */
  sendMessage(requesterId: number, addressHi: number, addressLo: number, data: number, segment = 0): boolean {
    if (!this.isInterrupt(addressHi, addressLo)) {
      this.bus.events.push({ kind: 'memory write', requesterId, addressHi, addressLo, data });
      return false;
    }
    if (this.xen) return this.toXen(this.xen, requesterId, addressHi, addressLo, data, segment);
    return this.route(this.unitOf(requesterId, segment), requesterId, addressLo, data);
  }

  private toXen(xen: XenHypervisor, requesterId: number, addressHi: number, addressLo: number, data: number, segment: number): boolean {
    this.bus.events.push({ kind: 'message', requesterId, addressHi, addressLo, data });
    const from = this.pci.find(fn => fn.requesterId === requesterId && fn.domain === segment);
    return xen.message(from, addressHi, addressLo, data);
  }

  /** A pirq's number continues in the upper word of the address, which no other message uses. */
  private isInterrupt(addressHi: number, addressLo: number): boolean {
    return isInterruptAddress(this.config.xen?.guest === 'hvm' ? 0 : addressHi, addressLo);
  }

  private route(unit: IntelRemapUnit | AmdRemapUnit | undefined, requesterId: number, addressLo: number, data: number): boolean {
    this.bus.events.push({ kind: 'message', requesterId, addressHi: 0, addressLo, data });
    return unit ? unit.message(requesterId, addressLo, data) : this.bus.deliver(decodeCompatibility(addressLo, data));
  }

  private unitOf(requesterId: number, segment: number): IntelRemapUnit | AmdRemapUnit | undefined {
    const amd = segment === 0 ? this.amdUnitOf(requesterId) : undefined;
    if (amd) return amd;
    const here = this.remapUnits.filter(u => u.config.segment === segment);
    const bus = requesterId >>> 8;
    // A virtual function is where its physical one is.
    const physical = this.virtual.find(fn => fn.requesterId === requesterId && fn.domain === segment)?.physical;
    const path = [requesterId, ...(physical ? [physical.requesterId] : []), ...bridgesAbove(this.pci, segment, bus).map(bridge => bridge.requesterId)];
    return here.find(u => u.config.devices.some(d => path.includes(requesterOf(d)))) ?? here.find(u => u.config.includeAll);
  }

  /** The requester id that a function's messages carry when they arrive at a unit. */
  private sentAs(ownId: number, segment: number): number {
    const requesterId = sentThrough(ownId, bridgesAbove(this.pci, segment, ownId >>> 8));
    const aliases = this.amdRemapUnits.flatMap(u => u.config.aliases ?? []);
    const found = aliases.find(alias => aliasedIds(alias).includes(requesterId));
    return found ? requesterOf(found.alias) : requesterId;
  }

  /** A unit does not remap what its own function sends. */
  private amdUnitOf(requesterId: number): AmdRemapUnit | undefined {
    if (this.amdRemapUnits.some(u => requesterOf(u.config.function) === requesterId)) return undefined;
    return this.amdRemapUnits.find(u => requestersOf(u.config).includes(requesterId)) ?? this.amdRemapUnits.find(u => u.config.includeAll);
  }

  private hpetMessage(addressLo: number, data: number): boolean {
    for (const unit of [...this.remapUnits, ...this.amdRemapUnits]) {
      const scope = unit.config.hpets?.find(({ id }) => id === this.config.hpet?.id);
      if (scope) return this.route(unit, scope.requesterId, addressLo, data);
    }
    return this.route(undefined, 0, addressLo, data);
  }

  private ioapicMessage(id: number, addressLo: number, data: number): boolean {
    for (const unit of [...this.remapUnits, ...this.amdRemapUnits]) {
      const scope = unit.config.ioapics.find(a => a.id === id);
      if (scope) return this.route(unit, scope.requesterId, addressLo, data);
    }
    return this.route(undefined, 0, addressLo, data);
  }

  /** Drives a global interrupt line, or lets go of it. @throws RangeError for one that no IOAPIC has */
  setGsi(gsi: number, asserted: boolean): void {
    const ioapic = this.ioapics.find(a => gsi >= a.config.gsiBase && gsi < a.config.gsiBase + a.config.pins);
    if (!ioapic) throw new RangeError(`no IOAPIC has a pin for GSI ${gsi}`);
    if (this.xen?.line(gsi, asserted)) return;
    if (asserted) ioapic.assert(gsi - ioapic.config.gsiBase);
    else ioapic.deassert(gsi - ioapic.config.gsiBase);
  }

  /** An ISA device raises its interrupt at the 8259 pair, which the boot CPU asks for the vector. @returns false where it is masked */
  raiseIsa(irq: number): boolean {
    return ((this.pic.mask >>> irq) & 1) === 0 && this.cpus[0].lapic.lint0(this.pic.base + irq);
  }

  private pulseGsi(gsi: number): void {
    this.setGsi(gsi, true);
    this.setGsi(gsi, false);
  }

  /** A CPU reads 32 bits at a physical address; where nothing answers it reads all ones. */
  read32(address: number): number {
    const device = this.deviceAt(address);
    if (device) return device.read32(address);
    return this.memory.contains(address) ? this.memory.read32(address) : 0xffffffff;
  }

  /** A CPU writes 32 bits at a physical address; where nothing answers the write is lost. */
  write32(address: number, value: number): void {
    const device = this.deviceAt(address);
    if (device) device.write32(address, value);
    else if (this.memory.contains(address)) this.memory.write32(address, value);
  }

  /** As two reads of 32 bits, the lower first. */
  read64(address: number): bigint {
    const low = this.read32(address);
    return (BigInt(this.read32(address + 4)) << 32n) | BigInt(low);
  }

  /** As two writes of 32 bits, the lower first. */
  write64(address: number, value: bigint): void {
    this.write32(address, Number(value & 0xffffffffn));
    this.write32(address + 4, Number((value >> 32n) & 0xffffffffn));
  }

  private deviceAt(address: number): { read32(address: number): number; write32(address: number, value: number): void } | undefined {
    const unit = this.remapUnits.find(u => inPage(address, u.config.address, DMAR_REG_SIZE));
    if (unit) return atOffset(unit, unit.config.address);
    const amd = this.amdRemapUnits.find(u => inPage(address, u.config.address, MMIO_CNTR_CONF_OFFSET));
    if (amd) return atOffset(amd, amd.config.address);
    const ioapic = this.ioapics.find(a => inPage(address, a.config.address, IOAPIC_SIZE));
    if (ioapic) return atOffset(ioapic, ioapic.config.address);
    if (this.hpet && inPage(address, this.hpet.config.address, HPET_MMAP_SIZE)) return atOffset(this.hpet, this.hpet.config.address);
    const hub = this.uvHubs.find(h => h.has(address));
    if (hub) return atOffset(hub, hub.address);
    const store = this.imsStores.find(ims => inPage(address, ims.address, IMS_STORE_SIZE));
    if (store) return atOffset(store, store.address);
    const fn = this.pages.get(address - (address % PAGE))?.find(f => f.hasAddress(address));
    return fn && { read32: a => fn.readMemory(a), write32: (a, v) => fn.writeMemory(a, v) };
  }
}

interface Registers {
  read32(offset: number): number;
  write32(offset: number, value: number): void;
}

const atOffset = (device: Registers, base: number): Registers => ({
  read32: address => device.read32(address - base),
  write32: (address, value) => device.write32(address - base, value),
});

const inPage = (address: number, base: number, size: number): boolean => address >= base && address < base + size;

function requesterOf(address: string): number {
  const { bus, devfn } = parsePciAddress(address)!;
  return (bus << 8) | devfn;
}

/** Everybody that the IVRS table names below a unit. */
const requestersOf = ({ devices, aliases = [], ioapics, hpets = [] }: AmdRemapUnitConfig): number[] => [
  ...[...devices, ...aliases.map(({ alias }) => alias)].map(requesterOf),
  ...aliases.flatMap(aliasedIds),
  ...[...ioapics, ...hpets].map(({ requesterId }) => requesterId),
];
