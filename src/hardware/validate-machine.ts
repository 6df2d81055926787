import { gsiProblems, hypervProblems, msixProblems, nodeProblems, problem, type Problems, sriovProblems, uvProblems, vmdProblems } from './machine-checks';
import { type ConfigProblem, type IoApicConfig, type MachineConfig, parsePciAddress } from './machine-config';

// Whether a machine can be built: what each of its parts can be, and then what they can be together (machine-checks.ts).

const MAX_APIC_ID = 0xfffffffe;
const MAX_XAPIC_ID = 0xfe;
const MAX_MSIX_ENTRIES = 2048;
/** What fits into the window of a store. */
const MAX_IMS_SLOTS = 4096;
/** Linux cannot be built for more. */
const MAX_CPUS = 8192;

/** @returns everything that is wrong; empty for a machine that can be built */
export function validateMachineConfig(config: MachineConfig): ConfigProblem[] {
  return [
    ...cpuProblems(config), ...nodeProblems(config), ...ioapicProblems(config), ...gsiProblems(config), ...hpetProblems(config), ...remapProblems(config),
    ...amdRemapProblems(config), ...pciProblems(config), ...vmdProblems(config), ...sriovProblems(config), ...hypervProblems(config), ...msixProblems(config), ...uvProblems(config),
  ];
}

function* cpuProblems({ cpus, x2apic }: MachineConfig): Problems {
  if (cpus.length === 0) yield problem('cpus', 'a machine needs at least one CPU');
  if (cpus.at(0)?.present === false) yield problem('cpus[0].present', 'the first CPU boots: it cannot be absent');
  if (cpus.length > MAX_CPUS) yield problem('cpus', `${cpus.length} CPUs; at most ${MAX_CPUS} are possible`);
  const seen = new Map<number, number>();
  const limit = x2apic ? MAX_APIC_ID : MAX_XAPIC_ID;
  for (const [i, { apicId, node }] of cpus.entries()) {
    if (!integerIn(apicId, 0, limit)) yield problem(`cpus[${i}].apicId`, `${apicId} is no APIC id; expected 0 to ${limit}${x2apic ? '' : ' (more needs x2apic)'}`);
    const other = seen.get(apicId);
    if (other !== undefined) yield problem(`cpus[${i}].apicId`, `${apicId} is the id of cpus[${other}] already`);
    seen.set(apicId, i);
    if (!integerIn(node, 0, 1023)) yield problem(`cpus[${i}].node`, `${node} is no NUMA node; expected 0 to 1023`);
  }
}

function* ioapicProblems({ ioapics, isaOverrides }: MachineConfig): Problems {
  for (const [i, a] of ioapics.entries()) {
    if (!integerIn(a.pins, 1, 240)) yield problem(`ioapics[${i}].pins`, `${a.pins} pins; expected 1 to 240`);
    for (const [j, b] of ioapics.slice(0, i).entries()) {
      if (a.id === b.id) yield problem(`ioapics[${i}].id`, `${a.id} is the id of ioapics[${j}] already`);
      if (a.address === b.address) yield problem(`ioapics[${i}].address`, `ioapics[${j}] is at 0x${a.address.toString(16)} already`);
      if (a.gsiBase < b.gsiBase + b.pins && b.gsiBase < a.gsiBase + a.pins) yield problem(`ioapics[${i}].gsiBase`, `the GSIs from ${a.gsiBase} overlap those of ioapics[${j}], ${b.gsiBase} to ${b.gsiBase + b.pins - 1}`);
    }
  }
  for (const [i, { irq, gsi }] of isaOverrides.entries()) {
    if (!integerIn(irq, 0, 15)) yield problem(`isaOverrides[${i}].irq`, `${irq} is no ISA interrupt; expected 0 to 15`);
    if (!hasPin(ioapics, gsi)) yield problem(`isaOverrides[${i}].gsi`, noPin(ioapics, gsi));
  }
}

const MAX_HPET_TIMERS = 24;

function* hpetProblems({ hpet, intelRemap, amdRemap }: MachineConfig): Problems {
  if (hpet && !integerIn(hpet.timers.length, 1, MAX_HPET_TIMERS)) yield problem('hpet.timers', `${hpet.timers.length} timers; expected 1 to ${MAX_HPET_TIMERS}`);
  for (const [kind, remap] of [['intelRemap', intelRemap], ['amdRemap', amdRemap]] as const) {
    for (const [i, { hpets = [] }] of (remap?.units ?? []).entries()) {
      for (const [j, { id }] of hpets.entries()) if (id !== hpet?.id) yield problem(`${kind}.units[${i}].hpets[${j}].id`, `there is no HPET with id ${id}`);
    }
  }
}

function* remapProblems({ intelRemap, ioapics, pci }: MachineConfig): Problems {
  const owner = new Map<string, string>();
  const all = new Map<number, number>();
  for (const [i, unit] of (intelRemap?.units ?? []).entries()) {
    const path = `intelRemap.units[${i}]`;
    if (unit.includeAll) {
      const other = all.get(unit.segment);
      if (other !== undefined) yield problem(`${path}.includeAll`, `intelRemap.units[${other}] covers all of segment ${unit.segment} already`);
      all.set(unit.segment, i);
    }
    for (const [j, device] of unit.devices.entries()) {
      const at = `${path}.devices[${j}]`;
      const address = parsePciAddress(device);
      if (!address) yield problem(at, `"${device}" is no PCI address; expected one as 0000:00:04.0`);
      else if (address.domain !== unit.segment) yield problem(at, `${device} is in segment ${address.domain}, the unit in ${unit.segment}`);
      else if (!pci.some(f => f.address === device && f.behind === undefined)) yield problem(at, `there is no function ${device} in machine.pci`);
      const taken = owner.get(device);
      if (taken) yield problem(at, `${device} belongs to ${taken} already`);
      owner.set(device, path);
    }
    for (const [j, { id }] of unit.ioapics.entries()) {
      const at = `${path}.ioapics[${j}].id`;
      if (!ioapics.some(a => a.id === id)) yield problem(at, `there is no IOAPIC with id ${id}`);
      const taken = owner.get(`ioapic ${id}`);
      if (taken) yield problem(at, `IOAPIC ${id} belongs to ${taken} already`);
      owner.set(`ioapic ${id}`, path);
    }
  }
}

function* amdRemapProblems({ intelRemap, amdRemap, ioapics, pci }: MachineConfig): Problems {
  if (intelRemap && amdRemap) yield problem('amdRemap', 'a machine has remapping units of Intel or of AMD; there are both');
  const there = (address: string): boolean => pci.some(f => f.address === address && f.behind === undefined);
  const owner = new Map<string, string>();
  const all: number[] = [];
  for (const [i, unit] of (amdRemap?.units ?? []).entries()) {
    const path = `amdRemap.units[${i}]`;
    if (!there(unit.function)) yield problem(`${path}.function`, `there is no function ${unit.function} in machine.pci`);
    if (unit.guest && !unit.ga) yield problem(`${path}.guest`, 'entries for guests have 128 bits; expected ga');
    if (unit.x2apic && !unit.ga) yield problem(`${path}.x2apic`, 'entries with 32-bit APIC ids have 128 bits; expected ga');
    if (unit.includeAll && all.push(i) > 1) yield problem(`${path}.includeAll`, `amdRemap.units[${all[0]}] covers all functions already`);

    const single = (unit.aliases ?? []).map(({ device, to }, j) => [`aliases[${j}].device`, to === undefined ? device : unit.function]);
    const named = [...unit.devices.map((device, j) => [`devices[${j}]`, device]), ...single];
    for (const [at, device] of named) if (!there(device)) yield problem(`${path}.${at}`, `there is no function ${device} in machine.pci`);
    for (const [j, { alias }] of (unit.aliases ?? []).entries()) {
      if (!parsePciAddress(alias)) yield problem(`${path}.aliases[${j}].alias`, `"${alias}" is no PCI address; expected one as 0000:00:04.0`);
    }
    for (const [j, { id }] of unit.ioapics.entries()) if (!ioapics.some(a => a.id === id)) yield problem(`${path}.ioapics[${j}].id`, `there is no IOAPIC with id ${id}`);

    const owned = [...unit.devices.map((device, j) => [`devices[${j}]`, device]), ...unit.ioapics.map(({ id }, j) => [`ioapics[${j}].id`, `IOAPIC ${id}`])];
    for (const [at, what] of owned) {
      const taken = owner.get(what);
      if (taken !== undefined) yield problem(`${path}.${at}`, `${what} belongs to ${taken} already`);
      owner.set(what, path);
    }
  }
}

function* pciProblems({ pci, ioapics }: MachineConfig): Problems {
  const seen = new Map<string, number>();
  for (const [i, f] of pci.entries()) {
    const place = `${f.behind ?? ''} ${f.address}`;
    if (!parsePciAddress(f.address)) yield problem(`pci[${i}].address`, `"${f.address}" is no PCI address; expected one as 0000:00:04.0`);
    const other = seen.get(place);
    if (other !== undefined) yield problem(`pci[${i}].address`, `${f.address} is the address of pci[${other}] already`);
    seen.set(place, i);
    if (!integerIn(f.intxPin, 0, 4)) yield problem(`pci[${i}].intxPin`, `${f.intxPin} is no pin; expected 0 for none, 1 to 4 for INTA to INTD`);
    if (f.intxPin > 0 && f.gsi >= 0 && !hasPin(ioapics, f.gsi)) yield problem(`pci[${i}].gsi`, noPin(ioapics, f.gsi));
    if (f.msi && ![1, 2, 4, 8, 16, 32].includes(f.msi.vectors)) yield problem(`pci[${i}].msi.vectors`, `${f.msi.vectors} vectors; expected a power of two up to 32`);
    if (f.msix && !integerIn(f.msix.entries, 1, MAX_MSIX_ENTRIES)) yield problem(`pci[${i}].msix.entries`, `${f.msix.entries} entries; expected 1 to ${MAX_MSIX_ENTRIES}`);
    if (f.ims && !integerIn(f.ims.slots, 1, MAX_IMS_SLOTS)) yield problem(`pci[${i}].ims.slots`, `${f.ims.slots} slots; expected 1 to ${MAX_IMS_SLOTS}`);
    if (f.config !== undefined && !/^\s*([0-9a-f]{8}\s+)*[0-9a-f]{8}\s*$/i.test(f.config)) yield problem(`pci[${i}].config`, 'expected 32-bit words of 8 hexadecimal digits, separated by blanks');
  }
}

const integerIn = (value: number, low: number, high: number): boolean => Number.isInteger(value) && value >= low && value <= high;
const hasPin = (ioapics: readonly IoApicConfig[], gsi: number): boolean => ioapics.some(a => gsi >= a.gsiBase && gsi < a.gsiBase + a.pins);

function noPin(ioapics: readonly IoApicConfig[], gsi: number): string {
  const ranges = ioapics.map(a => `${a.gsiBase} to ${a.gsiBase + a.pins - 1}`).join(', ');
  return `no IOAPIC has a pin for GSI ${gsi}; there are ${ranges || 'none'}`;
}
