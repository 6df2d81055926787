import type { Change } from './change';

/** Single changes of kernels behind v5.10, none of which is modelled as a whole: what captures of them show. */
export const LATER = {
  'offline-retries-online': {
    commit: '88d724e2301a',
    subject: 'genirq/cpuhotplug: Retry with cpu_online_mask when migration fails',
    release: 'v6.10',
    effect: 'an interrupt of a CPU that goes offline, and for which the CPUs of its affinity have no vector, goes to any other',
    removable: true,
  },
  'msi-data-without-assert': {
    subject: 'x86/msi: Provide msi message shadow structs',
    release: 'v5.11',
    effect: "a message's data is the vector alone, without the bit that asserts a level",
    removable: true,
  },
  'msi-activate-each': {
    subject: 'genirq/msi: Make interrupt allocation less convoluted',
    release: 'v5.17',
    effect: 'each MSI is activated right after its allocation, not when all of a device are allocated',
    needs: ['multi-msi-early-activation'],
    removable: true,
  },
  'msi-device-data': {
    subject: 'genirq/msi: Provide msi_device_data for struct device',
    release: 'v5.17',
    effect: 'a device that MSI was set up for keeps data as one of its resources: without a driver that gives it back, no driver can take the device any more',
    removable: true,
  },
  'affinity-set-at-alloc': {
    subject: 'genirq: Set IRQD_AFFINITY_SET flag on distributing IRQs',
    effect: 'an interrupt that is allocated with an affinity of its own has IRQD_AFFINITY_SET (0x1000)',
    removable: true,
  },
  'msi-quirk-by-reservation': {
    subject: 'x86/apic/msi: Fix misconfigured non-maskable MSI quirk',
    release: 'v6.7',
    effect: 'the PCI/MSI domain has no flag 0x40: an interrupt without a reserved vector is one that cannot be masked',
    removable: true,
  },
} as const satisfies Record<string, Change>;
