import { IR_RTE, RTE } from '../../hardware/io-apic';
import { IRTE_LOW, IRTE_SIZE } from '../../hardware/irte';
import { DMAR_MSI_ADDRESS_LO, MSI_ADDRESS_LO, MSI_DATA } from '../../hardware/message';
import { mp_chip_data } from '../../kernel/arch/x86/apic/io_apic';
import type { ir_table } from '../../kernel/drivers/iommu/intel/dmar';
import { intel_ir_data } from '../../kernel/drivers/iommu/intel/irte';
import { hv_compose_msi_msg } from '../../kernel/drivers/pci/controller/pci-hyperv_msi';
import { vmd_irq_entry } from '../../kernel/drivers/pci/controller/vmd_types';
import { type irq_data, irqd_irq_masked, irqd_is_activated, irqd_is_started } from '../../kernel/include/irq';
import type { msi_desc } from '../../kernel/include/msi';
import { dev_is_pci, type PciDev } from '../../kernel/include/pci';
import { bitmap } from '../../kernel/lib/bitmap';
import type { World } from '../../kernel/world';
import { checkAmdTables } from './amd-tables';
import { chainOf, type VectorIrq } from './owners';
import type { Report } from './report';
import { checkStore } from './stores';

/** What stands in the hardware against what the kernel believes: masks of I16, I17 to I19. */
export function checkHardware(world: World, irqs: readonly VectorIrq[], report: Report): void {
  checkTables(world, irqs, report);
  checkAmdTables(world, irqs, report);
  for (const irq of irqs) {
    const msi = irq.desc.irq_common_data.msi_desc;
    if (msi?.device_msi ?? msi?.platform ?? msi?.data) checkStore(world, irq, msi, report, (message, what, known) => checkAgainst(irq, message, what, report, known));
    else if (msi && dev_is_pci(msi.dev) && !msi.msi_attrib.is_virtual) checkMessage(irq, msi, msi.dev, report);
    const top = irq.desc.irq_data.chip_data;
    // A line that Xen has taken over keeps its level of the IOAPIC, and leaves it alone.
    if (top instanceof mp_chip_data && irq.desc.irq_data.chip !== world.kernel.xen_pirq_chip) checkPins(world, irq, top, report);
  }
}

const intelData = ({ desc }: VectorIrq): intel_ir_data | undefined => chainOf(desc).map(({ chip_data }) => chip_data).find(data => data instanceof intel_ir_data);

/** Entries of the Intel units' tables. */
function checkTables({ kernel, machine }: World, irqs: readonly VectorIrq[], report: Report): void {
  const owners = new Map<object, Map<number, number>>();
  const regions = new Map<ir_table, bitmap>();
  // Also a unit of which no interrupt has an entry may have lost some.
  for (const { iommu } of kernel.dmar_drhd_units) if (iommu.ir_table) regions.set(iommu.ir_table, new bitmap(iommu.ir_table.bitmap.nbits));
  for (const irq of irqs) {
    const data = intelData(irq);
    if (!data) continue;
    const { iommu, irte_index, irte_mask, sub_handle, mode } = data.irq_2_iommu;
    const table = iommu.ir_table!;
    const index = irte_index + sub_handle;
    const own = owners.get(table) ?? new Map<number, number>();
    owners.set(table, own);
    const region = regions.get(table)!;
    for (let i = 0; i < 1 << irte_mask; i++) region.set(irte_index + i);
    report.expect(!own.has(index), 'I17', () => `remapping entry ${index} belongs to irq ${own.get(index)!} and to irq ${irq.irq}`);
    own.set(index, irq.irq);
    report.expect(table.bitmap.test(index), 'I17', () => `irq ${irq.irq} uses remapping entry ${index}, which is not allocated`);

    if (!irqd_is_activated(irq.desc.irq_data) || mode !== 'IRQ_REMAPPING') continue;
    const { present, vector, dest_id } = IRTE_LOW.decode(machine.memory.read64(table.base + index * IRTE_SIZE));
    const { hw_irq_cfg } = irq.apicd;
    report.equal(present, 1, 'I17', () => `present of remapping entry ${index} of irq ${irq.irq}`);
    report.equal(vector, hw_irq_cfg.vector, 'I17', () => `the vector of remapping entry ${index} of irq ${irq.irq}`);
    const dest = kernel.eim_mode ? hw_irq_cfg.dest_apicid >>> 0 : (hw_irq_cfg.dest_apicid << 8) >>> 0;
    report.equal(dest_id >>> 0, dest, 'I17', () => `the destination of remapping entry ${index} of irq ${irq.irq}`);
  }
  for (const [{ bitmap: allocated }, region] of regions) {
    for (const index of new bitmap(allocated.nbits).assignAndNot(allocated, region)) report.expect(false, 'I17', () => `remapping entry ${index} is allocated, and no interrupt uses it`);
  }
}

/** The message in the device. */
function checkMessage(irq: VectorIrq, msi: msi_desc, { hw, name }: PciDev, report: Report): void {
  const { is_msix, entry_nr } = msi.msi_attrib;
  const data = irq.desc.irq_data;
  if (is_msix && hw.msix && irqd_is_started(data)) {
    report.equal(Number(irqd_irq_masked(data)), Number(hw.msix.masked(entry_nr)), 'I16', () => `irq ${irq.irq}: IRQ_MASKED`);
  }
  const message = is_msix ? hw.msix?.message(entry_nr) : hw.firstMessage;
  // Of a block of MSIs only the first has a message of its own.
  if (!message || !irqd_is_activated(data) || msi.irq !== irq.irq) return;
  checkAgainst(irq, message, `irq ${irq.irq}: the message of ${name}[${entry_nr}]`, report);
}

/** A message, wherever it stands, names the remapping entry of its interrupt, or its vector and destination. */
function checkAgainst(irq: VectorIrq, message: { readonly lo: number; readonly data: number }, what: string, report: Report, known?: string): void {
  const ir = intelData(irq);
  if (ir) {
    const { dmar_format, dmar_index_0_14, dmar_index_15 } = DMAR_MSI_ADDRESS_LO.decode(message.lo);
    report.equal(dmar_format, 1, 'I18', () => `${what}: its format`, known);
    report.equal(dmar_index_0_14 | (dmar_index_15 << 15), ir.irq_2_iommu.irte_index, 'I18', () => `${what}: its remapping entry`, known);
  } else if (irq.desc.irq_data.parent_data?.parent_data === null && !ownMessages(irq.desc.irq_data)) {
    const { hw_irq_cfg } = irq.apicd;
    report.equal(MSI_DATA.get(message.data, 'vector'), hw_irq_cfg.vector, 'I18', () => `${what}: its vector`, known);
    report.equal(MSI_ADDRESS_LO.get(message.lo, 'destid_0_7'), hw_irq_cfg.dest_apicid & 0xff, 'I18', () => `${what}: its destination`, known);
  }
}

/** Behind a VMD, or on a bus of Hyper-V's: the message says nothing about the vector. */
const ownMessages = ({ chip, chip_data }: irq_data): boolean => chip_data instanceof vmd_irq_entry || chip.irq_compose_msi_msg === hv_compose_msi_msg;

/** The redirection entries of a line. */
function checkPins({ kernel, machine }: World, { irq, desc, apicd }: VectorIrq, data: mp_chip_data, report: Report): void {
  if (!irqd_is_activated(desc.irq_data)) return;
  for (const { apic, pin } of data.irq_2_pin) {
    const address = kernel.ioapics[apic].mp_config.apicaddr;
    const rte = machine.ioapics.find(a => a.config.address === address)!.rte[pin];
    const what = `irq ${irq}: the entry of pin ${pin} of IOAPIC ${apic}`;
    const stored = RTE.with(rte, { irr: 0, delivery_status: 0 });
    report.expect(stored === RTE.with(data.entry, { irr: 0, delivery_status: 0 }), 'I19', () => `${what} is 0x${stored.toString(16)}; expected 0x${data.entry.toString(16)}`);
    if (irqd_is_started(desc.irq_data)) report.equal(Number(irqd_irq_masked(desc.irq_data)), RTE.get(rte, 'mask'), 'I16', () => `irq ${irq}: IRQ_MASKED`);
    const plain = desc.irq_data.chip === kernel.ioapic_chip || desc.irq_data.parent_data?.chip === kernel.hyperv_ir_chip;
    if (!plain || IR_RTE.get(rte, 'format') === 1) continue;
    report.equal(RTE.get(rte, 'vector'), apicd.hw_irq_cfg.vector, 'I19', () => `${what}: its vector`);
    report.equal(RTE.get(rte, 'dest'), apicd.hw_irq_cfg.dest_apicid & 0xff, 'I19', () => `${what}: its destination`);
  }
}
