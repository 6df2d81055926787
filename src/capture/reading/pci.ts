import { PCI_DRIVERS } from '../../kernel/drivers/modules';
import { PCI_CAPABILITY_LIST, PCI_STATUS, STATUS } from '../../hardware/pci-registers';
import { sectionsOf, type Parsed, type Section, type Unread } from './files';

/** One function at one time: its `===` line and its raw configuration space. */
export interface PciState {
  /** "0000:00:04.0" */
  readonly address: string;
  /** 24 bits: class, subclass, interface */
  readonly class: number;
  readonly vendor: number;
  readonly device: number;
  /** pci_dev.irq as sysfs shows it */
  readonly irq: number;
  readonly numa_node: number;
  readonly driver: string | null;
  /** an IOMMU covers it */
  readonly remapped: boolean;
  /** 256 or 4096 bytes */
  readonly config: Uint8Array;
}

export interface PciSnapshot extends Section {
  readonly functions: readonly PciState[];
}

const HEADER = /^=== ([\da-f]{4}:[\da-f]{2}:[\da-f]{2}\.[0-7]) (.*)$/;

/** Reads pci.txt: by snapshot `lspci -vv`, then for each function a `===` line and its config space as 32-bit words. */
export function parsePci(text: string, file = 'pci.txt'): Parsed<PciSnapshot[]> {
  const unread: Unread[] = [];
  const value = sectionsOf(text).map(section => {
    const functions = section.lines.flatMap((line, i) => {
      if (!line.startsWith('===')) return [];
      const found = functionOf(line, section.lines[i + 1] ?? '');
      if (!found) unread.push({ file, line: section.firstLine + i, text: line });
      return found ?? [];
    });
    return { ...section, functions };
  });
  return { value, unread };
}

/** Drivers that took a function at some time, and which the model has not: a sentence for each function. */
export function unmodelledDrivers(snapshots: readonly PciSnapshot[]): string[] {
  const seen = new Map<string, string>();
  for (const { functions, firstLine, lines } of snapshots) {
    for (const { address, driver } of functions) {
      if (driver === null || PCI_DRIVERS.includes(driver) || seen.has(address)) continue;
      const at = lines.findIndex(line => line.startsWith(`=== ${address} `));
      seen.set(address, `pci.txt:${firstLine + at}: ${address} has the driver ${driver}, which is not modelled: what it does with interrupts is missing`);
    }
  }
  return [...seen.values()];
}

function functionOf(header: string, words: string): PciState | undefined {
  const match = HEADER.exec(header);
  if (!match) return undefined;
  const address = match[1];
  const fields = new Map([...match[2].matchAll(/(\w+)=(\S*)/g)].map(m => [m[1], m[2]]));
  const field = (name: string): number => Number(fields.get(name) ?? NaN);
  const state = {
    address,
    class: field('class'),
    vendor: field('vendor'),
    device: field('device'),
    irq: field('irq'),
    numa_node: field('numa_node'),
    driver: fields.get('driver') || null,
    remapped: (fields.get('iommu_group') ?? '') !== '',
    config: configOf(words),
  };
  const complete = [state.class, state.vendor, state.device, state.irq, state.numa_node].every(Number.isInteger) && state.config.length >= 256;
  return complete ? state : undefined;
}

function configOf(words: string): Uint8Array {
  const values = words.trim().split(/\s+/);
  if (!values.every(word => /^[\da-f]{8}$/.test(word))) return new Uint8Array(0);
  const bytes = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((word, i) => bytes.setUint32(i * 4, parseInt(word, 16), true));
  return new Uint8Array(bytes.buffer);
}

/** Config offset of a capability, or 0. A list that turns in a circle ends after as many steps as config space has room for. */
export function capabilityOf(config: Uint8Array, id: number): number {
  if (STATUS.get(config[PCI_STATUS], 'cap_list') === 0) return 0;
  let at = config[PCI_CAPABILITY_LIST] & ~3;
  for (let left = 48; at >= 0x40 && left > 0; left--) {
    if (config[at] === id) return at;
    at = config[at + 1] & ~3;
  }
  return 0;
}
