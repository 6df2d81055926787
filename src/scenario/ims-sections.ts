import type { DeviceName, Name, Unsigned, VectorCount, VectorIndex, VectorList } from './scenario-file';

// The scenario language: devices with a message store of their own, and what is done with their parts.

/** A store of interrupt messages besides MSI-X (IMS), as the kernel of `v5.10+device-msi` or `v5.10+ims-repost` can use it: posted in 2020 and 2021, never merged; or as one with `pci-ims` can, which v6.2 to v6.9 had. */
export interface ImsSection {
  /** array (default): slots in device memory; queue: in the memory of queues, one for each part, which the driver changes by commands. */
  store?: 'array' | 'queue';
  /**
   * Of the array, or of each queue.
   * @asType integer
   * @minimum 1
   * @maximum 2048
   */
  slots: number;
  /** Parts of the device, which its driver makes devices of their own when it probes. Steps call them by these names. */
  subdevices: Subdevices;
  /** What bit 0 of a slot's control word does: masks (default), as devices have it; unmasks, as the driver of 2020 thinks. */
  bit0?: 'masks' | 'unmasks';
  /** How the driver gets interrupts for the parts: device (default), device MSI, posted in 2020, not in today's mainline; platform: platform MSI, which v5.10 has and x86 has no use for. */
  msi?: 'device' | 'platform';
  /** Commands that the device loses, by their number from 1 on: the driver waits in vain. */
  loses?: CommandNumber[];
}

/**
 * @minItems 1
 * @maxItems 64
 * @expected one to 64 names
 */
export type Subdevices = Name[];

/**
 * @asType integer
 * @minimum 1
 */
export type CommandNumber = number;

export interface SmbiosSection {
  /** Who made the system; a maker of virtual machines, such as QEMU, is told by its name. */
  vendor?: string;
  /** The BIOS says that it runs in a virtual machine; default: false. */
  virtualMachine?: boolean;
}

export interface MsiAllocSection {
  /** A part of a device. */
  device: DeviceName;
  vectors: VectorCount;
  /**
   * Of the address space that their slots shall belong to, on a kernel with pci-ims: there it is said with the allocation, and not by `auxdata`.
   * @asType integer
   * @minimum 0
   * @maximum 1048575
   */
  pasid?: Unsigned;
}

export interface AuxdataSection {
  /** A part of a device. */
  device: DeviceName;
  /** Default 0. */
  vector?: VectorIndex;
  /**
   * Of the address space that the slot shall belong to: either this, or `value`.
   * @asType integer
   * @minimum 0
   * @maximum 1048575
   */
  pasid?: Unsigned;
  /** The bits themselves; the chip refuses those that are the kernel's. */
  value?: Unsigned;
  /** What the bits are of, for the chip: 0 (default) is the control word, and all that there is. */
  which?: Unsigned;
  /** The driver writes the control word itself, past the kernel. */
  direct?: boolean;
}

export interface RaiseSection {
  device: DeviceName;
  /** Default 0. */
  entry?: VectorList;
  /** Not now, but right behind the next write of this word: of the first MSI message of a device, or of the slot of a part of a device with an array (ctrl: the next read). */
  at?: SlotWord;
}

/** A word of a message, or of a slot. */
export type SlotWord = 'address_lo' | 'address_hi' | 'data' | 'ctrl';
