import { VMD_MSI_ADDRESS_LO } from '../../hardware/vmd';
import { index_from_irqs, vmd_dev, vmd_irq_entry } from '../../kernel/drivers/pci/controller/vmd_types';
import { irqd_is_activated, irqd_irq_disabled, irqd_is_started } from '../../kernel/include/irq';
import type { irq_desc } from '../../kernel/include/irqdesc';
import { to_pci_dev } from '../../kernel/include/pci';
import type { World } from '../../kernel/world';
import type { Report } from './report';

interface Child {
  readonly irq: number;
  readonly desc: irq_desc;
  readonly entry: vmd_irq_entry;
  readonly vmd: vmd_dev;
}

/** Interrupts behind VMDs: their lists, their counts and their messages. */
export function checkVmds({ kernel }: World, report: Report): void {
  const children = [...kernel.irq_desc_tree].flatMap(([irq, desc]): Child[] => {
    const { chip_data, common } = desc.irq_data;
    return chip_data instanceof vmd_irq_entry && common.handler_data instanceof vmd_dev ? [{ irq, desc, entry: chip_data, vmd: common.handler_data }] : [];
  });
  for (const child of children) checkChild(child, report);
  for (const { drvdata: vmd } of kernel.pci_devices) {
    if (!(vmd instanceof vmd_dev)) continue;
    const own = children.filter(child => child.vmd === vmd).map(({ entry }) => entry);
    // What shares the first vector is not counted when it comes, if there are others.
    for (const [i, { count, irq_list }] of vmd.irqs.entries()) {
      if (i > vmd.first_vec) report.equal(count, own.filter(({ irq }) => irq === vmd.irqs[i]).length, 'vmd', () => `${vmd.dev.name}: count of vector ${i}`);
      for (const entry of irq_list) report.expect(own.includes(entry), 'vmd', () => `${vmd.dev.name}: irq ${entry.virq} is on the list of vector ${i}, and is not allocated`);
    }
  }
}

function checkChild({ irq, desc, entry, vmd }: Child, report: Report): void {
  const { irq_data: data } = desc;
  const index = index_from_irqs(vmd, entry.irq);
  report.expect(entry.enabled === entry.irq.irq_list.has(entry), 'vmd', () => `irq ${irq} is ${entry.enabled ? '' : 'not '}enabled; expected what the list of vector ${index} says`);
  const on = irqd_is_started(data) && !irqd_irq_disabled(data);
  report.expect(entry.enabled === on, 'vmd', () => `irq ${irq} is ${on ? '' : 'not '}enabled; expected what its vmd_irq says`);

  const msi = desc.irq_common_data.msi_desc;
  if (!msi || !irqd_is_activated(data) || msi.irq !== irq) return;
  const { hw, name } = to_pci_dev(msi.dev);
  const message = msi.msi_attrib.is_msix ? hw.msix?.message(msi.msi_attrib.entry_nr) : hw.firstMessage;
  if (message) report.equal(VMD_MSI_ADDRESS_LO.get(message.lo, 'index'), index, 'vmd', () => `irq ${irq}: the vector of the VMD that ${name}[${msi.msi_attrib.entry_nr}] names`);
}
