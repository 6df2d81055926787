import { machine } from '../../world';
import type { PciDev } from '../../include/pci';

// Accessors of configuration space and of memory-mapped registers: leaves, not stepped into. Source: drivers/pci/access.c, arch/x86/include/asm/io.h

export const pci_read_config_byte = (dev: PciDev, where: number): number => dev.hw.read8(where);
export const pci_read_config_word = (dev: PciDev, where: number): number => dev.hw.read16(where);
export const pci_read_config_dword = (dev: PciDev, where: number): number => dev.hw.read32(where);
export const pci_write_config_word = (dev: PciDev, where: number, value: number): void => dev.hw.write16(where, value);
export const pci_write_config_dword = (dev: PciDev, where: number, value: number): void => dev.hw.write32(where, value);

/** Addresses are physical: nothing is mapped. */
export const readl = (address: number): number => machine.read32(address);
/** Writes 32 bits to a physical address, a multiple of 4: memory, or the register of a device. */
export const writel = (value: number, address: number): void => machine.write32(address, value);
