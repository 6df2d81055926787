/** Something that must hold and does not. */
export interface Violation {
  /** I1 to I26, `orphan`, `vmd`, `xen` or `hyperv` */
  readonly invariant: string;
  /** what was found and what was expected */
  readonly message: string;
  /** the bug of the modelled kernel that it comes from; undefined: nobody knows of one, so the model is wrong */
  readonly known?: string;
}

/** Bugs of the kernel that break an invariant. */
export const KNOWN = {
  AVAILABLE_DRIFT: 'irq_matrix_reserve_managed() and irq_matrix_remove_managed() do not count on a CPU that is offline, and irq_matrix_online() does not make up for it',
  OFFLINE_LEAK: 'a vector left behind on a CPU that went offline is forgotten (mended by "Prevent vector leak during CPU offline")',
  FORGOTTEN_VECTOR: 'lapic_online() empties the vector table, also of an interrupt that was activated and not started when the CPU went offline',
  AMD_HWIRQ: 'below AMD-Vi all pins of an IOAPIC, and all MSI-X vectors of a device, have one hwirq: when one of them is freed the others cannot be found by it either',
  VMD_HWIRQ: 'the interrupts behind a VMD that share a vector have one hwirq, its Linux number: when one of them is freed the others cannot be found by it either',
  HYPERV_HWIRQ: 'hyperv_irq_remapping_alloc() gives its interrupts no hwirq, so that all have 0: when one of them is freed the others cannot be found by it either',
  EFFECTIVE_AFFINITY: 'irq_set_affinity_deactivated() makes the whole mask the effective affinity, and an interrupt that kept its vector while it was not activated does not set that right',
  LEFT_BEHIND: 'lapic_can_unplug_cpu() counts the vectors of all CPUs: an interrupt whose own CPUs have none left stays on the one that goes ("set affinity failed"), and lapic_online() empties that one\'s table',
  HYPERV_FORGOTTEN: 'hv_compose_msi_msg() takes the message that an interrupt has, also after hibernation, when the host has forgotten it',
  RETARGET_FAILED: 'hv_irq_unmask() cannot report that the host did not move an interrupt: it stays where it was, whatever the kernel thinks',
  MSIX_LEFT_ON: 'msix_capability_init() leaves MSI-X on, with all entries masked, when populate_msi_sysfs() fails (mended by "PCI/MSI: Enable and mask MSI-X early")',
  IMS_POLARITY: "the IMS driver of 2020 masks by clearing bit 0, and the device by setting it (posted again the other way round)",
  IMS_NOT_TOLD: 'what an interrupt does to the shadow of an IMS queue, and what a lost command was to do, the device is not told before the next operation with the bus lock',
  IMS_DIRECT: 'a driver that changes its bits of an IMS control word itself, and not by irq_set_auxdata(), undoes what an interrupt does to the mask bit meanwhile',
  MSI_FORGOTTEN: 'device MSI and platform MSI forget interrupts and slots: of an allocation that fails midway, whose msi_descs are freed, and device MSI of an earlier allocation for the same part',
  OFFLINE_TOTAL: 'irq_matrix_free() on a CPU that is offline does not take the vector out of total_allocated',
  XEN_PIRQ_KEPT: 'xen_destroy_irq() gives a pirq back to Xen only in dom0: an HVM guest keeps those of messages until it ends',
  XEN_SAVED_MESSAGES: 'restore_pirqs() gives lines their pirqs back when a guest has been saved and restored: those of messages are gone, their interrupts stay and never come',
  XEN_UNMAP: 'xen_destroy_irq() keeps the irq when Xen refuses to take the pirq back ("unmap irq failed")',
  PV_OFFLINE: 'cpu_disable_common() takes a CPU out of the vector matrix that a PV guest has never put in',
} as const;

/** Collects violations. */
export class Report {
  readonly violations: Violation[] = [];

  /** Notes a violation unless `holds`. */
  expect(holds: boolean, invariant: string, message: () => string, known?: string): void {
    if (!holds) this.violations.push({ invariant, message: message(), ...(known !== undefined && { known }) });
  }

  equal(found: number, expected: number, invariant: string, what: () => string, known?: string): void {
    this.expect(found === expected, invariant, () => `${what()} is ${found}; expected ${expected}`, known);
  }
}
