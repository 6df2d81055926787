import { ims_slot } from '../../kernel/drivers/irqchip/irq-ims-queue';
import { slot_number } from '../../kernel/drivers/misc/ims_device';
import { irqd_irq_masked, irqd_is_activated, irqd_is_started } from '../../kernel/include/irq';
import type { msi_desc } from '../../kernel/include/msi';
import { to_pci_dev } from '../../kernel/include/pci';
import type { World } from '../../kernel/world';
import type { VectorIrq } from './owners';
import { KNOWN, type Report } from './report';

/** What a part of a device has in the store of its device, against what the kernel believes: masks of I16, and I18 by `expectMessage`. */
export function checkStore(
  world: World,
  { irq, desc }: VectorIrq,
  { dev, device_msi }: msi_desc,
  report: Report,
  expectMessage: (message: { readonly lo: number; readonly data: number }, what: string, known: string | undefined) => void,
): void {
  const pdev = to_pci_dev(dev.parent);
  const store = pdev.hw.ims;
  const index = dev.msi_list.findIndex(entry => entry.irq === irq);
  const data = desc.irq_data;
  if (!store || !device_msi || !irqd_is_started(data) || !irqd_is_activated(data)) return;

  const slot = slot_number(pdev, dev, index, device_msi.priv_iomem);
  const { lo, hi, data: sent, ctrl } = store.message(slot);
  const { priv } = device_msi;
  const stale = priv instanceof ims_slot && (priv.address_lo !== lo || priv.address_hi !== hi || priv.data !== sent || priv.ctrl !== ctrl) ? KNOWN.IMS_NOT_TOLD : undefined;
  const swapped = (store.config.bit0 === 'masks') !== world.changes.has('repost-ims') ? KNOWN.IMS_POLARITY : undefined;
  report.equal(Number(irqd_irq_masked(data)), Number(store.masked(slot)), 'I16', () => `irq ${irq}: IRQ_MASKED`, swapped ?? stale);
  expectMessage({ lo, data: sent }, `irq ${irq}: the message in slot ${slot} of ${pdev.name}`, stale);
}
