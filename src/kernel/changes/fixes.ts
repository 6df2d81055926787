import type { Change } from './change';

/** Repairs of the series: two fix-ups that were merged with it, then what was found later. */
export const FIXES = {
  'dmar-hpet-msi-flags': {
    commit: 'd27e623ace6a',
    subject: 'x86/apic/msi: Unbreak DMAR and HPET MSI',
    release: 'v5.10',
    effect: 'the DMAR and HPET domains ask for the default operations: after v2-19 they have no get_hwirq without it',
    removable: true,
  },
  'kconfig-arch-fallbacks': {
    commit: '981aa1d366bf',
    subject: 'PCI: MSI: Fix Kconfig dependencies for PCI_MSI_ARCH_FALLBACKS',
    release: 'v5.10',
    effect: 'a dependency of other architectures',
    needs: ['v2-34'],
  },
  'vf-inherits-msi-domain': {
    commit: 'ff828729be44',
    subject: 'iommu/vt-d: Cure VF irqdomain hickup',
    release: 'v5.10',
    effect: 'a virtual function gets the domain of its physical function; after v2-31 its messages are blocked without it',
    removable: true,
  },
  'pci-msi-domain-after-arch-init': {
    commit: '70245f86c109',
    subject: 'x86/pci: Create PCI/MSI irqdomain after x86_init.pci.arch_init()',
    release: 'v5.11',
    effect: 'a Xen PV guest creates its own PCI/MSI domain; from v2-33 on it used the native one, whose vectors no CPU of such a guest has: -ENOSPC',
    needs: ['v2-22'],
    removable: true,
  },
  'vmd-bypass-msi-remap': {
    commit: 'ee81ee84f873',
    subject: 'PCI: vmd: Disable MSI-X remapping when possible',
    release: 'v5.13',
    effect: 'a VMD that can (28c0) passes messages of devices behind it on: they have CPU vectors of their own. Until vmd-domain-before-enumeration they get the plain PCI/MSI domain, also where remapping is on: their messages are blocked, fault reason 0x25',
    needs: ['v2-33'],
  },
  'vmd-remaps-with-iommu': {
    commit: '2565e5b69c44',
    subject: 'PCI: vmd: Do not disable MSI-X remapping if interrupt remapping is enabled by IOMMU.',
    effect: 'where remapping is on a VMD passes nothing on: another way out of those faults, reverted later',
    needs: ['vmd-bypass-msi-remap'],
  },
  'vmd-domain-before-enumeration': {
    commit: '886e67100b90',
    subject: 'PCI: vmd: Assign VMD IRQ domain before enumeration',
    release: 'v5.19',
    effect: 'devices behind a VMD that remaps nothing get the right domain when they are found',
    needs: ['v2-33'],
  },
  'vmd-ahci-fast-list': {
    subject: 'PCI: vmd: Add AHCI to fast interrupt list',
    release: null,
    effect: 'a disk controller (AHCI) behind a VMD shares the vectors of the drives, from 1 on, and a VMD wants two at least: some VMDs never send vector 0',
    removable: true,
  },
  'vmd-first-vector': {
    commit: 'f6b7bb847ca8',
    subject: 'PCI: vmd: Offset Client VMD MSI-X vectors',
    effect: 'of a VMD whose vector 0 is for software alone devices behind it use those from 1 on, and its drives those from 2 on: what was merged in place of vmd-ahci-fast-list',
    removable: true,
  },
  'vmd-no-bypass-under-xen': {
    commit: '6c4d5aadf5df',
    subject: 'PCI: vmd: Disable MSI remapping bypass under Xen',
    effect: 'in a Xen guest a VMD passes no messages on: Xen knows nothing of the devices behind it, and their messages are lost',
    needs: ['vmd-bypass-msi-remap'],
  },
  'xen-msix-flag': {
    commit: '0a3a58de3195',
    subject: 'x86/pci/xen: Set MSI_FLAG_PCI_MSIX support in Xen MSI domain',
    release: 'v6.2',
    effect: 'MSI-X works in the Xen domain of v2-30 where the flag is checked, by msix-early-reject',
    needs: ['v2-30'],
    removable: true,
  },
} as const satisfies Record<string, Change>;
