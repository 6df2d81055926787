import { PCI_CAP_ID_MSIX } from '../../../../hardware/pci-registers';
import { limit_bound } from '../../../lib/limit';

// What the ways to a message have in common: this part of arch/x86/pci/xen.c.

export const is_msix = (type: number): boolean => type === PCI_CAP_ID_MSIX;

/** Several vectors of MSI cannot be had: the driver tries with one. */
export function one_only(what: string, nvec: number): number {
  limit_bound({ name: `vectors of one MSI in ${what}`, needed: nvec, size: 1 });
  return 1;
}
