import type { Op } from '../../../stepper/op';
import type { irq_affinity } from '../../include/interrupt';
import { MSI_DEFAULT_DOMAIN, MSI_FLAG } from '../../include/msi';
import { PCI_IRQ_AFFINITY, PCI_IRQ_LEGACY, PCI_IRQ_MSI, PCI_IRQ_MSIX, PCI_IRQ_VIRTUAL, dev_driver_string, type PciDev } from '../../include/pci';
import { irq_calc_affinity_vectors, irq_create_affinity_masks } from '../../irq/affinity';
import { msi_setup_device_data } from '../../irq/msi_device_data';
import { msi_domain_get_virq } from '../../irq/msi_device_irqs';
import type { cpumask } from '../../lib/cpumask';
import { EINVAL, ENODEV, ENOSPC, ENOTSUPP, ERANGE } from '../../lib/errno';
import { limit_bound } from '../../lib/limit';
import { pr_info, WARN_ON, WARN_ON_ONCE } from '../../lib/printk';
import { has, kernel } from '../../world';
import { msi_capability_init, msix_capability_init, type msix_entry, pci_disable_msi, pci_disable_msix, pci_msi_vec_count, pci_msix_vec_count } from './msi';
import { pci_msi_domain_supports, pci_setup_msi_device_domain, pci_setup_msix_device_domain } from './msi_device_domain';
import { pci_intx } from './pci';

// The part of drivers/pci/msi.c that drivers call.

/** Whether MSI may be used at all, and by this device. Source: drivers/pci/msi.c, pci_msi_supported() */
function* pci_msi_supported(dev: PciDev, nvec: number): Op<boolean> {
  if (!kernel.pci_msi_enable) return false;
  if (dev.no_msi) return false;
  return nvec >= 1;
}

/** @returns 0, an errno, or how many vectors could be had. Source: drivers/pci/msi.c, __pci_enable_msix() */
function* __pci_enable_msix(dev: PciDev, entries: msix_entry[] | null, nvec: number, affd: irq_affinity | null, flags: number): Op<number> {
  if (!(yield* pci_msi_supported(dev, nvec))) return -EINVAL;

  const nr_entries = yield* pci_msix_vec_count(dev);
  if (nr_entries < 0) return nr_entries;
  if (nvec > nr_entries && !(flags & PCI_IRQ_VIRTUAL)) return nr_entries;

  if (entries) {
    if (!pci_msix_validate_entries(entries, nvec, nr_entries)) return -EINVAL;
  }

  if (dev.msi_enabled) {
    pr_info(`${dev_driver_string(dev)} ${dev.name}: can't enable MSI-X (MSI IRQ already assigned)`);
    return -EINVAL;
  }
  return yield* msix_capability_init(dev, entries, nvec, affd);
}

/** @returns the vectors, at most `maxvec`; -ENOTSUPP, -ERANGE, -EINVAL, -ENOSPC for fewer than `minvec`. Source: drivers/pci/msi.c, __pci_enable_msix_range() */
function* __pci_enable_msix_range(dev: PciDev, entries: msix_entry[] | null, minvec: number, maxvec: number, affd: irq_affinity | null, flags: number): Op<number> {
  let nvec = maxvec;

  if (maxvec < minvec) return -ERANGE;
  if (WARN_ON_ONCE(dev.msix_enabled, 'drivers/pci/msi.c __pci_enable_msix_range')) return -EINVAL;
  if (has('msix-early-reject') && !(yield* pci_msi_domain_supports(dev, MSI_FLAG.PCI_MSIX))) return -ENOTSUPP;
  if (has('msi-checks-early')) return yield* enable_msix_checked(dev, entries, minvec, maxvec, affd, flags);
  if (has('msi-device-data')) yield* msi_setup_device_data(dev);
  if (has('msi-parent-domains')) {
    const hwsize = yield* pci_msix_vec_count(dev);
    if (hwsize < 0) return hwsize;
    if (!(yield* pci_setup_msix_device_domain(dev, flags & PCI_IRQ_VIRTUAL ? Math.max(hwsize, nvec) : hwsize))) return -ENODEV;
  }

  for (;;) {
    if (affd) {
      nvec = yield* irq_calc_affinity_vectors(minvec, nvec, affd);
      if (nvec < minvec) return -ENOSPC;
    }

    const rc = yield* __pci_enable_msix(dev, entries, nvec, affd, flags);
    if (rc === 0) return nvec;
    if (rc < 0) return rc;
    if (rc < minvec) {
      if (rc === dev.hw.msix?.place.entries) limit_bound({ name: `MSI-X table of ${dev.name}`, needed: minvec, size: rc });
      return -ENOSPC;
    }

    nvec = rc;
  }
}

/** What 'msi-checks-early' makes of the rest: all checks come first, and the size of the table is read once. */
function* enable_msix_checked(dev: PciDev, entries: msix_entry[] | null, minvec: number, maxvec: number, affd: irq_affinity | null, flags: number): Op<number> {
  let nvec = maxvec;
  if (!(yield* pci_msi_supported(dev, nvec))) return -EINVAL;

  let hwsize = yield* pci_msix_vec_count(dev);
  if (hwsize < 0) return hwsize;
  if (entries && !pci_msix_validate_entries(entries, nvec, hwsize)) return -EINVAL;
  if (hwsize < nvec) {
    if (flags & PCI_IRQ_VIRTUAL) hwsize = nvec;
    else nvec = hwsize;
  }
  if (nvec < minvec) {
    limit_bound({ name: `MSI-X table of ${dev.name}`, needed: minvec, size: hwsize });
    return -ENOSPC;
  }

  if (has('msi-device-data')) yield* msi_setup_device_data(dev);
  if (has('msi-parent-domains') && !(yield* pci_setup_msix_device_domain(dev, hwsize))) return -ENODEV;

  for (;;) {
    if (affd) {
      nvec = yield* irq_calc_affinity_vectors(minvec, nvec, affd);
      if (nvec < minvec) return -ENOSPC;
    }

    const rc = yield* msix_capability_init(dev, entries, nvec, affd);
    if (rc === 0) return nvec;
    if (rc < 0) return rc;
    if (rc < minvec) return -ENOSPC;

    nvec = rc;
  }
}

/** Whether each entry is there, and none twice. Source: drivers/pci/msi/msi.c (v6.2), pci_msix_validate_entries() */
function pci_msix_validate_entries(entries: readonly msix_entry[], nvec: number, hwsize: number): boolean {
  const numbers = entries.slice(0, nvec).map(e => e.entry);
  return numbers.every(n => n < hwsize) && new Set(numbers).size === nvec;
}

/** @returns the vectors; an errno as __pci_enable_msix_range(). Source: drivers/pci/msi.c, pci_enable_msix_range() */
export function* pci_enable_msix_range(dev: PciDev, entries: msix_entry[], minvec: number, maxvec: number): Op<number> {
  return yield* __pci_enable_msix_range(dev, entries, minvec, maxvec, null, 0);
}

/** @returns the vectors, at most `maxvec`; -ERANGE, -EINVAL, -ENOSPC for fewer than `minvec`. Source: drivers/pci/msi.c, __pci_enable_msi_range() */
function* __pci_enable_msi_range(dev: PciDev, minvec: number, maxvec: number, affd: irq_affinity | null): Op<number> {
  if (!(yield* pci_msi_supported(dev, minvec))) return -EINVAL;

  if (dev.msix_enabled) {
    pr_info(`${dev_driver_string(dev)} ${dev.name}: can't enable MSI (MSI-X already enabled)`);
    return -EINVAL;
  }
  if (maxvec < minvec) return -ERANGE;
  if (WARN_ON_ONCE(dev.msi_enabled, 'drivers/pci/msi.c __pci_enable_msi_range')) return -EINVAL;

  if (has('msi-needs-domain') && !(yield* pci_msi_domain_supports(dev, 0))) return -ENOTSUPP;
  let nvec = yield* pci_msi_vec_count(dev);
  if (nvec < 0) return nvec;
  if (nvec < minvec) {
    limit_bound({ name: `MSI capability of ${dev.name}`, needed: minvec, size: nvec });
    return -ENOSPC;
  }
  if (has('msi-device-data')) yield* msi_setup_device_data(dev);
  if (has('msi-parent-domains') && !(yield* pci_setup_msi_device_domain(dev))) return -ENODEV;
  if (nvec > maxvec) nvec = maxvec;

  for (;;) {
    if (affd) {
      nvec = yield* irq_calc_affinity_vectors(minvec, nvec, affd);
      if (nvec < minvec) return -ENOSPC;
    }

    const rc = yield* msi_capability_init(dev, nvec, affd);
    if (rc === 0) return nvec;
    if (rc < 0) return rc;
    if (rc < minvec) return -ENOSPC;

    nvec = rc;
  }
}

/** @returns 0 or an errno. Source: drivers/pci/msi.c, pci_enable_msi() */
export function* pci_enable_msi(dev: PciDev): Op<number> {
  const rc = yield* __pci_enable_msi_range(dev, 1, 1, null);
  return rc < 0 ? rc : 0;
}

/**
 * MSI-X, else MSI, else the INTx line, as `flags` (PCI_IRQ_*) allow.
 * @returns the vectors; the errno of the last kind tried, -ENOSPC when none was. Source: drivers/pci/msi.c, pci_alloc_irq_vectors_affinity()
 */
export function* pci_alloc_irq_vectors_affinity(dev: PciDev, min_vecs: number, max_vecs: number, flags: number, affd: irq_affinity | null): Op<number> {
  let nvecs = -ENOSPC;

  if (flags & PCI_IRQ_AFFINITY) affd ??= { pre_vectors: 0, post_vectors: 0, nr_sets: 0, set_size: [0, 0, 0, 0] };
  else if (WARN_ON(affd !== null, 'drivers/pci/msi.c pci_alloc_irq_vectors_affinity')) affd = null;

  if (flags & PCI_IRQ_MSIX) {
    nvecs = yield* __pci_enable_msix_range(dev, null, min_vecs, max_vecs, affd, flags);
    if (nvecs > 0) return nvecs;
  }

  if (flags & PCI_IRQ_MSI) {
    nvecs = yield* __pci_enable_msi_range(dev, min_vecs, max_vecs, affd);
    if (nvecs > 0) return nvecs;
  }

  if (flags & PCI_IRQ_LEGACY && min_vecs === 1 && dev.irq !== 0) {
    // A driver sizes its queues in calc_sets(): that is called for one vector too.
    if (affd) yield* irq_create_affinity_masks(1, affd);
    yield* pci_intx(dev, 1);
    return 1;
  }

  return nvecs;
}

/** Source: include/linux/pci.h, pci_alloc_irq_vectors() */
export function* pci_alloc_irq_vectors(dev: PciDev, min_vecs: number, max_vecs: number, flags: number): Op<number> {
  return yield* pci_alloc_irq_vectors_affinity(dev, min_vecs, max_vecs, flags, null);
}

/** Source: drivers/pci/msi.c, pci_free_irq_vectors() */
export function* pci_free_irq_vectors(dev: PciDev): Op {
  yield* pci_disable_msix(dev);
  yield* pci_disable_msi(dev);
}

/** @returns the Linux irq of the device's vector `nr`; -EINVAL beyond those allocated. Source: drivers/pci/msi.c, pci_irq_vector() */
export function* pci_irq_vector(dev: PciDev, nr: number): Op<number> {
  if (dev.msix_enabled && has('msix-alloc-dyn')) return (yield* msi_domain_get_virq(dev, MSI_DEFAULT_DOMAIN, nr)) || -EINVAL;
  if (dev.msix_enabled) {
    if (nr < dev.msi_list.length) return dev.msi_list[nr].irq;
    WARN_ON_ONCE(true, 'drivers/pci/msi.c pci_irq_vector');
    return -EINVAL;
  }

  const vectors = dev.msi_enabled ? dev.msi_list[0].nvec_used : 1;
  if (WARN_ON_ONCE(nr >= vectors, 'drivers/pci/msi.c pci_irq_vector', 'INTx, MSI')) return -EINVAL;
  return dev.irq + nr;
}

/** @returns where the vector was spread to; null for none. Source: drivers/pci/msi.c, pci_irq_get_affinity() */
export function* pci_irq_get_affinity(dev: PciDev, nr: number): Op<cpumask | null> {
  if (dev.msix_enabled && has('msix-alloc-dyn')) return dev.msi_list.find(({ msi_attrib }) => msi_attrib.entry_nr === nr)?.affinity?.[0].mask ?? null;
  if (dev.msix_enabled) {
    if (nr < dev.msi_list.length) return dev.msi_list[nr].affinity?.[0].mask ?? null;
    WARN_ON_ONCE(true, 'drivers/pci/msi.c pci_irq_get_affinity');
    return null;
  }
  if (!dev.msi_enabled) return kernel.cpu_possible_mask;

  const entry = dev.msi_list[0];
  if (WARN_ON_ONCE(!entry.affinity || nr >= entry.nvec_used, 'drivers/pci/msi.c pci_irq_get_affinity', 'MSI')) return null;
  return entry.affinity![nr].mask;
}
