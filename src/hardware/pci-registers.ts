import { bits } from './bits';

// Configuration space. Names as in the kernel's include/uapi/linux/pci_regs.h. Source: PCI Local Bus specification 3.0, chapter 6.

/** And the device id behind it. */
export const PCI_VENDOR_ID = 0x00;
export const PCI_COMMAND = 0x04;
export const PCI_STATUS = 0x06;
export const PCI_HEADER_TYPE = 0x0e;
export const PCI_BASE_ADDRESS_0 = 0x10;
/** Of a bridge: three bytes, primary, secondary and subordinate bus. */
export const PCI_PRIMARY_BUS = 0x18;
export const PCI_SECONDARY_BUS = 0x19;
export const PCI_CAPABILITY_LIST = 0x34;
export const PCI_INTERRUPT_LINE = 0x3c;
export const PCI_INTERRUPT_PIN = 0x3d;

export const PCI_CAP_ID_MSI = 0x05;
export const PCI_CAP_ID_SHPC = 0x0c;
export const PCI_CAP_ID_EXP = 0x10;
export const PCI_CAP_ID_MSIX = 0x11;

export const PCI_HEADER_TYPE_BRIDGE = 1;

/** Offset from the PCI Express capability. Source: PCI Express Base specification 3.1, 7.8 */
export const PCI_EXP_FLAGS = 0x02;
export const EXP_FLAGS = bits(16, { version: [0, 3], type: [4, 7], slot: 8, irq: [9, 13, 'vector of power management and hotplug events'] });
export const PCI_EXP_TYPE = { ENDPOINT: 0, ROOT_PORT: 4, UPSTREAM: 5, DOWNSTREAM: 6, PCI_BRIDGE: 7, PCIE_BRIDGE: 8 } as const;

export const PCI_CONFIG_SIZE = 0x1000;

export const COMMAND = bits(16, {
  io: 0, memory: 1, bus_master: [2, 'may write to memory: also messages'], serr: 8,
  intx_disable: [10, 'does not drive its INTx line'],
});

export const STATUS = bits(16, { interrupt: [3, 'drives INTx, or would'], cap_list: 4 });

/** Base address register of memory. */
export const BAR = bits(32, { io: [0, '1 = I/O ports'], type: [1, 2, '0 = 32 bits, 2 = 64: the next register has the upper half'], prefetch: 3, base: [4, 31] });

/** Offsets from the MSI capability. */
export const PCI_MSI_FLAGS = 0x02;
export const PCI_MSI_ADDRESS_LO = 0x04;
export const PCI_MSI_ADDRESS_HI = 0x08;
export const PCI_MSI_DATA_32 = 0x08;
export const PCI_MSI_MASK_32 = 0x0c;
export const PCI_MSI_DATA_64 = 0x0c;
export const PCI_MSI_MASK_64 = 0x10;

export const MSI_FLAGS = bits(16, {
  enable: 0,
  qmask: [1, 3, 'log2 of the vectors that it can use'],
  qsize: [4, 6, 'log2 of the vectors that it may use'],
  is_64bit: 7,
  maskbit: [8, 'mask and pending bit for each vector'],
});

/** Offsets from the MSI-X capability. */
export const PCI_MSIX_FLAGS = 0x02;
export const PCI_MSIX_TABLE = 0x04;
export const PCI_MSIX_PBA = 0x08;

export const MSIX_FLAGS = bits(16, {
  qsize: [0, 10, 'number of entries - 1'],
  maskall: [14, 'all entries are masked'],
  enable: 15,
});

/** Table and pending bits: where they lie. */
export const MSIX_LOCATION = bits(32, { bir: [0, 2, 'base address register'], offset: [3, 31, 'in units of 8 bytes'] });

/** An MSI-X table entry is 16 bytes. */
export const PCI_MSIX_ENTRY_SIZE = 16;
export const PCI_MSIX_ENTRY_LOWER_ADDR = 0;
export const PCI_MSIX_ENTRY_UPPER_ADDR = 4;
export const PCI_MSIX_ENTRY_DATA = 8;
export const PCI_MSIX_ENTRY_VECTOR_CTRL = 12;
export const MSIX_VECTOR_CTRL = bits(32, { maskbit: 0 });
