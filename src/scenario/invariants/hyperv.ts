import { hbus_of, hv_pcibus_installed, tran_int_desc } from '../../kernel/drivers/pci/controller/pci-hyperv_types';
import { irqd_irq_masked, irqd_is_activated, irqd_is_started } from '../../kernel/include/irq';
import { msi_desc_to_pci_dev } from '../../kernel/include/msi';
import type { World } from '../../kernel/world';
import type { VectorIrq } from './owners';
import { KNOWN, type Report } from './report';

/** Interrupts of what a Hyper-V host passes through: the message in the device, and the host's entry for it. */
export function checkHyperv({ kernel, machine, changes }: World, irqs: readonly VectorIrq[], report: Report): void {
  if (!machine.hyperv) return;
  const { irt } = machine.hyperv;
  const owned = new Set<number>();
  for (const { irq, desc, apicd } of irqs) {
    const { irq_data: data } = desc;
    const { chip_data: int_desc } = data;
    const msi = desc.irq_common_data.msi_desc;
    if (data.chip !== kernel.hv_msi_irq_chip || !msi) continue;
    const pdev = msi_desc_to_pci_dev(msi);
    const hbus = hbus_of(pdev.parent_bus);
    const { hw, name } = pdev;
    // While the machine hibernates the host knows nothing, nor of a function that it has back.
    if (hbus.state !== hv_pcibus_installed || !hbus.hdev.channel.hw.functions.includes(hw)) continue;
    const { is_msix, entry_nr } = msi.msi_attrib;
    const message = is_msix ? hw.msix?.message(entry_nr) : hw.firstMessage;
    const sends = message && irqd_is_activated(data) && msi.irq === irq;
    if (!(int_desc instanceof tran_int_desc)) {
      // All zero: the kernel could not get one, and has said why.
      report.expect(!sends || message.lo === 0, 'hyperv', () => `irq ${irq}: ${name}[${entry_nr}] sends a message that the host has not given`);
      continue;
    }
    const entry = irt.find(hbus.hdev.name, pdev.devfn, Number(int_desc.address >> 32n), Number(int_desc.address & 0xffffffffn), int_desc.data);
    report.expect(entry !== undefined, 'hyperv', () => `irq ${irq}: the host has no entry for the message that it gave`, changes.has('hv-reuse-message') ? KNOWN.HYPERV_FORGOTTEN : undefined);
    if (!entry) continue;
    owned.add(entry.index);

    if (sends) {
      report.equal(message.lo, entry.address, 'hyperv', () => `irq ${irq}: the address that ${name}[${entry_nr}] sends to`);
      report.equal(message.data, entry.data, 'hyperv', () => `irq ${irq}: the data that ${name}[${entry_nr}] sends`);
    }
    if (!irqd_is_started(data) || irqd_irq_masked(data)) continue;
    const failed = kernel.log.some(({ text }) => text.includes('hv_irq_unmask() failed')) ? KNOWN.RETARGET_FAILED : undefined;
    report.equal(entry.vector, apicd.hw_irq_cfg.vector, 'hyperv', () => `irq ${irq}: the vector of the host's entry ${entry.index}`, failed);
    report.equal(entry.vps[0], kernel.hv_vp_index[apicd.cpu], 'hyperv', () => `irq ${irq}: the virtual processor of the host's entry ${entry.index}`, failed);
  }
  for (const { index, instance } of irt.entries.values()) {
    report.expect(owned.has(index), 'hyperv', () => `entry ${index} of the host's table, for ${instance}, belongs to no interrupt`);
  }
}
