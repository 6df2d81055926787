import type { XenFeature, XenGuest } from '../hardware/machine-config';
import type { DeviceName, Name, VectorCount } from './scenario-file';
import type { EvtchnCount, HypercallName, PirqCount } from './xen-section';

// The scenario language: machine.hypervisor, and the steps of what is below a guest.

/** What the machine runs on top of: Xen or Hyper-V. */
export interface HypervisorSection {
  /**
   * Xen, and which guest of it this is. pv-domu: a paravirtualized guest whose devices come through xen-pcifront; pv-dom0: the one that has the machine's devices;
   * hvm: a guest with interrupt controllers that Xen makes up, and with pirqs for messages; pvh-dom0: dom0 with interrupt controllers.
   */
  xen?: XenGuest;
  /** Microsoft's Hyper-V, which passes devices through on virtual PCI buses. With `x2apic` Linux puts HYPERV-IR below the IOAPIC. */
  hyperv?: HypervSection;
  /** Of Xen: what it, or its CPUs, can besides: apic_access_virt, x2apic_virt (messages reach an HVM guest's local APIC without Xen). */
  with?: XenFeature[];
  /** Of Xen: what it cannot: hvm_pirqs, hvm_callback_vector, msi_seg (PCI segments), get_free_pirq, fifo (the FIFO event channel ABI), and others. */
  without?: XenFeature[];
  /** Of Xen: pirqs that the guest may have; default: one for each line and 32 more, in dom0 200 more. */
  pirqs?: PirqCount;
  /** Of Xen: the greatest event channel that the guest may have; default: 1023, in dom0 131071. */
  evtchns?: EvtchnCount;
  /** Of Xen: hypercalls that Xen's security policy forbids: they return -EPERM. */
  deny?: HypercallName[];
}

export interface HypervSection {
  /** The highest version of the PCI protocol that the host speaks; default: 1.3. Linux speaks none as old as 1.0, and 1.4 only with hv-create-interrupt-v3. */
  protocol?: 1.0 | 1.1 | 1.2 | 1.3 | 1.4;
  /** Virtual PCI buses; devices are on one with `behind`. */
  buses?: VpciBusSection[];
}

/** A virtual PCI bus. A step probes it by its name. */
export interface VpciBusSection {
  /** How the steps and the devices call it. */
  name: Name;
  /** Its instance; its second group of digits is the PCI domain. */
  instance?: Guid;
}

/**
 * @pattern ^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$
 * @expected a GUID such as f8615163-0001-1000-2000-6045bd2e0a8f
 */
export type Guid = string;

export interface EjectSection {
  /** On a virtual PCI bus; or a bus, which the host takes back with all that is on it. */
  device: DeviceName;
  /** When the host does it: at once (default); or when it is next asked for an interrupt's message, before it answers; or, of a bus, when it is next asked for power (D0), or to take it away. */
  at?: 'now' | 'create' | 'd0' | 'd0exit';
  /** The device is just gone: it reads as all ones, and the guest is not told. */
  forced?: boolean;
  /** The device is gone, and is not on the list of functions that the host sends. */
  unlisted?: boolean;
}

export interface RefuseSection {
  /** On a virtual PCI bus, or such a bus. */
  device: DeviceName;
  /** What the host says no to, once: a message for an interrupt, another target for one, or power for a bus. */
  at: 'create' | 'retarget' | 'd0';
}

/**
 * A guest of Xen's by its DOMID; dom0 is 0.
 * @asType integer
 * @minimum 1
 * @maximum 32751
 * @expected a DOMID from 1 to 32751
 */
export type DomainId = number;

/** What another guest of Xen's does. */
export interface GuestSection {
  domain: DomainId;
  /**
   * start: it has been built, and pciback gives it its devices. enable_msi, disable_msi, enable_msix, disable_msix: its pcifront asks pciback for that;
   * notify: its pcifront sends an event for nothing. end: it is gone, without a word to pciback before.
   */
  does: 'start' | 'enable_msi' | 'disable_msi' | 'enable_msix' | 'disable_msix' | 'notify' | 'end';
  /** Of which it asks. */
  device?: DeviceName;
  /** How many entries of MSI-X; default: 1. */
  vectors?: VectorCount;
}
