import { IOAPIC_RTE, IR_RTE, RTE } from '../hardware/io-apic';
import {
  COMMAND, MSI_FLAGS, MSIX_FLAGS, MSIX_VECTOR_CTRL, PCI_COMMAND, PCI_MSI_ADDRESS_HI, PCI_MSI_ADDRESS_LO, PCI_MSI_DATA_32, PCI_MSI_DATA_64, PCI_MSI_FLAGS,
  PCI_MSI_MASK_32, PCI_MSI_MASK_64, PCI_MSIX_ENTRY_DATA, PCI_MSIX_ENTRY_LOWER_ADDR, PCI_MSIX_ENTRY_SIZE, PCI_MSIX_ENTRY_UPPER_ADDR, PCI_MSIX_ENTRY_VECTOR_CTRL, PCI_MSIX_FLAGS,
} from '../hardware/pci-registers';
import { apic_chip_data_of } from '../kernel/arch/x86/apic/apic_chip_data';
import { mp_chip_data } from '../kernel/arch/x86/apic/io_apic';
import type { mpc_intsrc } from '../kernel/arch/x86/apic/io_apic_types';
import { irq_affinity_desc } from '../kernel/include/interrupt';
import { IRQD, type irq_data } from '../kernel/include/irq';
import { msi_desc } from '../kernel/include/msi';
import type { PciDev } from '../kernel/include/pci';
import type { Kernel } from '../kernel/globals';
import type { World } from '../kernel/world';
import type { lens_slot } from './irqlens';
import { resumeRemapping } from './resume-remapping';
import type { IrqState, MsiState, Snapshot } from './snapshot';

/** What stands below the descriptors: remapping entries, IOAPIC pins, the devices' messages. Registers get the values that the kernel's state implies. */
export function resumeHardware(world: World, snapshot: Snapshot, slots: readonly lens_slot[]): void {
  resumeRemapping(world, snapshot);
  for (const dev of world.kernel.pci_devices) resetDevice(dev);
  for (const { pdev } of slots) enableDevice(pdev);
  for (const state of snapshot.irqs) if (state.msi?.base_irq === state.irq) resumeMsi(world, state, state.msi);
  for (const state of snapshot.irqs) if (state.chain[0]?.domain?.startsWith('IO-APIC')) resumePin(world, state);
  for (const dev of world.kernel.pci_devices) if (dev.enable_cnt > 0) useIntx(world.kernel, dev);
}

function resetDevice(dev: PciDev): void {
  Object.assign(dev, { msi_list: [], msi_irqs: null, msi_enabled: false, msix_enabled: false, enable_cnt: 0 });
}

function enableDevice(dev: PciDev): void {
  dev.enable_cnt = 1;
  dev.is_busmaster = true;
  dev.hw.write16(PCI_COMMAND, COMMAND.with(dev.hw.read16(PCI_COMMAND), { memory: 1, bus_master: 1 }));
}

/** One msi_desc with its irqs, and the device's capability or table entry. */
function resumeMsi({ kernel, machine }: World, { irq }: IrqState, msi: MsiState): void {
  const dev = kernel.pci_devices.find(d => d.name === msi.dev);
  if (!dev) throw new Error(`irq ${irq} belongs to ${msi.dev}, which the machine does not have`);
  if (dev.enable_cnt === 0) enableDevice(dev);

  const irqs = Array.from({ length: msi.nvec }, (_, i) => kernel.irq_desc_tree.get(irq + i)!);
  const desc = descOf(dev, msi, msi.affinity_masks ? irqs.map(({ irq_data }) => affinityOf(irq_data)) : null);
  desc.irq = irq;
  Object.assign(desc.msg, { address_hi: msi.address_hi, address_lo: msi.address_lo, data: msi.data });
  for (const { irq_common_data } of irqs) irq_common_data.msi_desc = desc;
  dev.msi_list.push(desc);
  dev.msi_irqs = [...(dev.msi_irqs ?? []), ...irqs.map(({ irq_data }) => irq_data.irq)];

  const masked = irqs.map(({ irq_data }) => (irq_data.common.state_use_accessors & IRQD.IRQ_MASKED) !== 0);
  if (msi.is_msix) programEntry(machine, dev, desc, masked[0]);
  else programCapability(dev, desc, masked);
  dev.hw.write16(PCI_COMMAND, COMMAND.with(dev.hw.read16(PCI_COMMAND), { intx_disable: 1 }));
}

function descOf(dev: PciDev, msi: MsiState, affinity: irq_affinity_desc[] | null): msi_desc {
  const { msi: at, msix } = dev.hw.space;
  const flags = MSI_FLAGS.decode(msi.is_msix ? 0 : dev.hw.read16(at + PCI_MSI_FLAGS));
  const desc = new msi_desc(dev, msi.nvec, affinity, {
    is_msix: msi.is_msix,
    multiple: msi.multiple,
    multi_cap: flags.qmask,
    maskbit: msi.maskbit,
    is_64: msi.is_64,
    is_virtual: false,
    entry_nr: msi.index,
    default_irq: dev.irq,
  });
  if (msi.is_msix && msix) desc.mask_base = tableAddress(dev);
  else desc.mask_pos = at + (msi.is_64 ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
  return desc;
}

function tableAddress({ hw, name }: PciDev): number {
  if (!hw.msix) throw new Error(`${name} has MSI-X interrupts and no MSI-X table`);
  return hw.space.bar(hw.msix.place.tableBar) + hw.msix.place.tableOffset;
}

const affinityOf = ({ common }: irq_data): irq_affinity_desc => new irq_affinity_desc(common.affinity.copy(), (common.state_use_accessors & IRQD.AFFINITY_MANAGED) !== 0);

function programEntry(machine: World['machine'], dev: PciDev, desc: msi_desc, masked: boolean): void {
  const entry = desc.mask_base + desc.msi_attrib.entry_nr * PCI_MSIX_ENTRY_SIZE;
  desc.masked = MSIX_VECTOR_CTRL.encode({ maskbit: masked ? 1 : 0 });
  machine.write32(entry + PCI_MSIX_ENTRY_LOWER_ADDR, desc.msg.address_lo);
  machine.write32(entry + PCI_MSIX_ENTRY_UPPER_ADDR, desc.msg.address_hi);
  machine.write32(entry + PCI_MSIX_ENTRY_DATA, desc.msg.data);
  machine.write32(entry + PCI_MSIX_ENTRY_VECTOR_CTRL, desc.masked);
  const flags = dev.msix_cap + PCI_MSIX_FLAGS;
  dev.hw.write16(flags, MSIX_FLAGS.with(dev.hw.read16(flags), { enable: 1, maskall: 0 }));
  dev.msix_enabled = true;
}

function programCapability(dev: PciDev, desc: msi_desc, masked: readonly boolean[]): void {
  const { hw, msi_cap: at } = dev;
  const { is_64, maskbit, multiple } = desc.msi_attrib;
  hw.write32(at + PCI_MSI_ADDRESS_LO, desc.msg.address_lo);
  if (is_64) hw.write32(at + PCI_MSI_ADDRESS_HI, desc.msg.address_hi);
  hw.write16(at + (is_64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), desc.msg.data);
  if (maskbit) {
    desc.masked = masked.reduce((bits, on, i) => (on ? bits | (1 << i) : bits), 0) >>> 0;
    hw.write32(desc.mask_pos, desc.masked);
  }
  hw.write16(at + PCI_MSI_FLAGS, MSI_FLAGS.with(hw.read16(at + PCI_MSI_FLAGS), { enable: 1, qsize: multiple }));
  dev.msi_enabled = true;
  dev.irq = desc.irq;
}

/** An IOAPIC pin's chip data, and its entry where the interrupt is activated. */
function resumePin({ kernel, machine }: World, state: IrqState): void {
  const level = kernel.irq_desc_tree.get(state.irq)!.irq_data;
  const apic = kernel.ioapics.findIndex(({ irqdomain }) => irqdomain === level.domain);
  if (apic < 0) throw new Error(`irq ${state.irq} is in domain ${level.domain?.name ?? '-'}, of which the machine has no IOAPIC`);

  const pin = level.hwirq;
  const data = new mp_chip_data();
  const source = kernel.mp_irqs.find(m => m.irqtype === 'INT' && m.dstapic === kernel.ioapics[apic].mp_config.apicid && m.dstirq === pin);
  data.irq_2_pin.push({ apic, pin });
  data.trigger = (state.state & IRQD.LEVEL) === 0 ? 0 : 1;
  data.isa_irq = source !== undefined;
  data.polarity = polarityOf(kernel, apic, pin, source, data.trigger);
  data.count = source ? 1 : 0;
  data.entry = entryOf(kernel, state, level, data);
  level.chip_data = data;
  if ((state.state & IRQD.ACTIVATED) === 0) return;
  const ioapic = machine.ioapics[apic];
  ioapic.write(IOAPIC_RTE(pin) + 1, Number(data.entry >> 32n));
  ioapic.write(IOAPIC_RTE(pin), Number(data.entry & 0xffffffffn));
}

/** An ISA pin with another trigger than its own has been taken by a PCI function. */
function polarityOf(kernel: Kernel, apic: number, pin: number, source: mpc_intsrc | undefined, trigger: number): number {
  const own = source && (((source.irqflag >> 2) & 3) === 3 ? 1 : 0);
  if (source && own === trigger) return (source.irqflag & 3) === 3 ? 1 : 0;
  const gsi = kernel.ioapics[apic].gsi_config.gsi_base + pin;
  return kernel.pci_devices.some(({ hw }) => hw.config.gsi === gsi && hw.config.gsiActiveHigh) ? 0 : 1;
}

function entryOf(kernel: Kernel, state: IrqState, level: irq_data, { trigger, polarity }: mp_chip_data): bigint {
  const started = (state.state & IRQD.ACTIVATED) !== 0;
  const mask = started ? ((state.state & IRQD.IRQ_MASKED) === 0 ? 0 : 1) : trigger;
  const irte = state.chain[1]?.irte;
  if (irte) return IR_RTE.encode({ vector: level.hwirq, index: irte.index & 0x7fff, index2: irte.index >>> 15, format: 1, trigger, polarity, mask });
  const { vector, dest_apicid } = apic_chip_data_of(level)!.hw_irq_cfg;
  return RTE.encode({ vector, dest_mode: kernel.apic.irq_dest_mode, dest: dest_apicid & 0xff, trigger, polarity, mask });
}

/** An enabled device uses the pin that its INTx line goes to. */
function useIntx(kernel: Kernel, dev: PciDev): void {
  const { gsi } = dev.hw.config;
  if (gsi < 0 || dev.pin === 0) return;
  for (const [irq, { irq_data }] of kernel.irq_desc_tree) {
    const data = irq_data.chip_data;
    if (!(data instanceof mp_chip_data) || !data.irq_2_pin.some(({ apic, pin }) => kernel.ioapics[apic].gsi_config.gsi_base + pin === gsi)) continue;
    data.count++;
    dev.irq_managed = true;
    if (!dev.msi_enabled) dev.irq = irq;
    for (const desc of dev.msi_list) desc.msi_attrib.default_irq = irq;
  }
}
