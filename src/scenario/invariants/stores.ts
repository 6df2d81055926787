import { IMS_CTRL } from '../../hardware/ims-store';
import { ims_slot } from '../../kernel/drivers/irqchip/irq-ims-queue';
import { slot_number, slots_taken } from '../../kernel/drivers/misc/ims_device';
import { irqd_irq_masked, irqd_is_activated, irqd_is_started } from '../../kernel/include/irq';
import type { msi_desc } from '../../kernel/include/msi';
import { dev_is_pci, to_pci_dev } from '../../kernel/include/pci';
import type { World } from '../../kernel/world';
import type { VectorIrq } from './owners';
import { KNOWN, type Report } from './report';

/** What a part of a device has in the store of its device, against what the kernel believes: masks of I16, and I18 by `expectMessage`. */
export function checkStore(
  world: World,
  { irq, desc }: VectorIrq,
  msi: msi_desc,
  report: Report,
  expectMessage: (message: { readonly lo: number; readonly data: number }, what: string, known: string | undefined) => void,
): void {
  const pdev = dev_is_pci(msi.dev) ? msi.dev : to_pci_dev(msi.dev.parent);
  const store = pdev.hw.ims;
  const data = desc.irq_data;
  if (!store || !isKept(msi) || !irqd_is_started(data) || !irqd_is_activated(data)) return;

  const slot = slot_number(msi);
  const { lo, hi, data: sent, ctrl } = store.message(slot);
  const priv = msi.device_msi?.priv ?? msi.data?.icookie;
  const stale = priv instanceof ims_slot && (priv.address_lo !== lo || priv.address_hi !== hi || priv.data !== sent || priv.ctrl !== ctrl) ? KNOWN.IMS_NOT_TOLD : undefined;
  const swapped = msi.device_msi !== null && (store.config.bit0 === 'masks') !== world.changes.has('repost-mask-bit') ? KNOWN.IMS_POLARITY : undefined;
  const direct = msi.device_msi && IMS_CTRL.get(ctrl, 'pasid_enable') === 1 ? KNOWN.IMS_DIRECT : undefined;
  report.equal(Number(irqd_irq_masked(data)), Number(store.masked(slot)), 'I16', () => `irq ${irq}: IRQ_MASKED`, swapped ?? stale ?? direct);
  expectMessage({ lo, data: sent }, `irq ${irq}: the message in slot ${slot} of ${pdev.name}`, stale);
}

/** Whether a device, or its second domain, still has the descriptor. */
const isKept = (msi: msi_desc): boolean => msi.dev.msi_list.includes(msi) || (dev_is_pci(msi.dev) && (msi.dev.msi_data?.__domains.some(({ store }) => store.includes(msi)) ?? false));

/** Every interrupt with a message has a descriptor that its device still has, and every slot that is taken has a descriptor. */
export function checkStores({ kernel }: World, report: Report): void {
  for (const [irq, { irq_common_data, irq_data }] of kernel.irq_desc_tree) {
    const msi = irq_common_data.msi_desc;
    if (!msi) continue;
    const kept = irq_data.chip === kernel.xen_pirq_chip ? KNOWN.XEN_UNMAP : undefined;
    const known = dev_is_pci(msi.dev) ? kept : KNOWN.MSI_FORGOTTEN;
    report.expect(isKept(msi), 'orphan', () => `irq ${irq} points to a msi_desc of ${msi.dev.name} that was freed`, known);
    report.expect(irq >= msi.irq && irq < msi.irq + msi.nvec_used, 'orphan', () => `irq ${irq} points to the msi_desc of irq ${msi.irq}`, known);
  }
  for (const ims of kernel.ims_devices) {
    const { pdev, subdevices } = ims;
    const owned = subdevices.flatMap(({ msi_list }) => msi_list.flatMap(({ device_msi }) => (device_msi?.priv_iomem ? device_msi.hwirq : [])));
    for (const slot of slots_taken(ims)) {
      report.expect(owned.includes(slot), 'orphan', () => `slot ${slot} of ${pdev.name} is taken, and no message has it`, KNOWN.MSI_FORGOTTEN);
    }
  }
}
