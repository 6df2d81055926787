import { PCI_EXP_TYPE } from '../../../hardware/pci-registers';
import type { Op } from '../../../stepper/op';
import { type PciDev, pci_dev_id, pci_real_dma_dev } from '../../include/pci';

/** Says more to `fn` until it returns something else than 0. */
export type dma_alias_fn<T> = (pdev: PciDev, alias: number, data: T) => Op<number>;

/**
 * Calls `fn` with every requester id that the function may send as: its own, those that quirks and firmware added, and
 * those of bridges that sign for it. A VMD sends for those that it hides.
 * @returns what `fn` returned last. Source: drivers/pci/search.c, pci_for_each_dma_alias()
 */
export function* pci_for_each_dma_alias<T>(dev: PciDev, fn: dma_alias_fn<T>, data: T): Op<number> {
  const pdev = pci_real_dma_dev(dev);
  let ret = yield* fn(pdev, pci_dev_id(pdev), data);
  for (const devfn of pdev.dma_alias_mask) {
    if (ret) break;
    ret = yield* fn(pdev, (pdev.bus << 8) | devfn, data);
  }
  for (let tmp = pdev.bridge; tmp && !ret; tmp = tmp.bridge) {
    const alias = alias_of_bridge(tmp);
    if (alias !== null) ret = yield* fn(tmp, alias, data);
  }
  return ret;
}

/** A bridge to conventional PCI signs with its secondary bus, one from there with its own id; PCI Express passes ids through. */
function alias_of_bridge(tmp: PciDev): number | null {
  switch (tmp.pcie_type) {
    case null:
    case PCI_EXP_TYPE.PCIE_BRIDGE: return pci_dev_id(tmp);
    case PCI_EXP_TYPE.PCI_BRIDGE: return tmp.subordinate! << 8;
    default: return null;
  }
}

/** From now on the function may also send as `devfn` of its bus. Source: drivers/pci/pci.c, pci_add_dma_alias() */
export function* pci_add_dma_alias(dev: PciDev, devfn: number): Op {
  dev.dma_alias_mask.add(devfn);
}
