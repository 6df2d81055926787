import type { MachineConfig, PciFunctionConfig, RemapUnitConfig } from '../../src/hardware/machine-config';
import { Machine } from '../../src/hardware/machine';
import { APIC_LDR, APIC_SPIV, SPIV } from '../../src/hardware/local-apic-registers';

/** An NVMe controller as QEMU has it, without driver. */
export const nvme: PciFunctionConfig = {
  address: '0000:00:04.0', vendor: 0x1b36, device: 0x0010, class: 0x010802, intxPin: 1, gsi: 20, msix: { entries: 65 }, node: -1,
};

/** Four vectors of MSI that can be masked. */
export const msi4: PciFunctionConfig = {
  address: '0000:00:09.0', vendor: 0x1033, device: 0x0194, class: 0x0c0330, intxPin: 1, gsi: 21, msi: { vectors: 4, maskable: true, addr64: true }, node: -1,
};

export const unit: RemapUnitConfig = {
  segment: 0, address: 0xfed90000, eim: false, pi: false, includeAll: true, devices: [], ioapics: [{ id: 0, requesterId: 0xff00 }],
};

/** Four CPUs, one IOAPIC, the two functions above. */
export function machineConfig(changes: Partial<MachineConfig> = {}): MachineConfig {
  return {
    cpus: [0, 1, 2, 3].map(apicId => ({ apicId, node: 0 })),
    x2apic: false,
    ioapics: [{ id: 0, address: 0xfec00000, pins: 24, gsiBase: 0, version: 0x20 }],
    isaOverrides: [{ irq: 0, gsi: 2 }],
    pci: [nvme, msi4],
    ...changes,
  };
}

/** A machine whose local APICs are enabled and have flat logical ids. */
export function machine(changes: Partial<MachineConfig> = {}): Machine {
  const m = new Machine(machineConfig(changes));
  for (const { lapic } of m.cpus) {
    lapic.write(APIC_SPIV, SPIV.encode({ vector: 0xff, enabled: 1 }));
    lapic.write(APIC_LDR, 1 << (24 + lapic.cpu));
  }
  return m;
}

/** The events of one kind, the last of them last. */
export const eventsOf = (m: Machine, kind: string) => m.events.filter(e => e.kind === kind);
