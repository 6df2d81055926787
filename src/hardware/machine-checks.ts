import { isGuid } from './guid';
import { type ConfigProblem, type MachineConfig, parsePciAddress } from './machine-config';
import { MSIX_FLAGS, MSIX_LOCATION, PCI_CAP_ID_MSIX, PCI_CAPABILITY_LIST } from './pci-registers';

// What about a machine cannot be although each of its parts can.

export type Problems = Generator<ConfigProblem, void>;
export const problem = (path: string, message: string): ConfigProblem => ({ path: `machine.${path}`, message });

/** Linux numbers nodes as it meets them, so no number is left out; a device is on one of them. */
export function* nodeProblems({ cpus, memoryNodes = [], pci }: MachineConfig): Problems {
  const there = new Set([...cpus.map(({ node }) => node), ...memoryNodes]);
  for (const [i, { node }] of cpus.entries()) {
    if (!Number.isInteger(node) || node <= 0 || there.has(node - 1)) continue;
    yield problem(`cpus[${i}].node`, `there is a node ${node} and no node ${node - 1}; expected nodes without gaps, from 0 on`);
    break;
  }
  for (const [i, { node }] of pci.entries()) {
    if (node !== -1 && !there.has(node)) yield problem(`pci[${i}].node`, `there is no node ${node}; expected ${[...there].sort((a, b) => a - b).join(', ')}, or none`);
  }
}

/** Global interrupt numbers have no gaps: each IOAPIC begins where another one ends. An ISA interrupt has one line, and a line one ISA interrupt. */
export function* gsiProblems({ ioapics, isaOverrides }: MachineConfig): Problems {
  const inOrder = [...ioapics.entries()].sort(([, a], [, b]) => a.gsiBase - b.gsiBase);
  for (const [at, [i, { gsiBase }]] of inOrder.slice(1).entries()) {
    const [j, before] = inOrder[at];
    const end = before.gsiBase + before.pins;
    if (gsiBase > end) yield problem(`ioapics[${i}].gsiBase`, `no IOAPIC has the GSIs ${end} to ${gsiBase - 1}: ioapics[${j}] ends at ${end - 1}; expected ${end}`);
  }
  for (const [i, { irq, gsi }] of isaOverrides.entries()) {
    for (const [j, other] of isaOverrides.slice(0, i).entries()) {
      if (other.irq === irq) yield problem(`isaOverrides[${i}].irq`, `isaOverrides[${j}] says already where interrupt ${irq} goes`);
      else if (other.gsi === gsi) yield problem(`isaOverrides[${i}].gsi`, `interrupt ${other.irq} has GSI ${gsi} already`);
    }
  }
}

/** A VMD stands on the machine's own buses, and what it hides has no other way out than its messages. */
export function* vmdProblems({ pci }: MachineConfig): Problems {
  for (const [i, { vmd, behind, gsi, node }] of pci.entries()) {
    if (behind === undefined || isGuid(behind)) continue;
    const found = pci.find(f => f.address === behind && f.behind === undefined);
    if (!found?.vmd) yield problem(`pci[${i}].behind`, found ? `${behind} is no VMD` : `there is no function ${behind}; expected a VMD`);
    if (vmd) yield problem(`pci[${i}].behind`, 'a VMD behind a VMD');
    if (gsi >= 0) yield problem(`pci[${i}].gsi`, 'the INTx line of a function behind a VMD goes nowhere; expected none');
    if (node !== -1) yield problem(`pci[${i}].node`, 'a function behind a VMD is on the node of the VMD; expected none');
  }
}

/** Virtual functions are on the bus of the physical one, and nobody else is where they are. */
export function* sriovProblems({ pci, amdRemap, intelRemap }: MachineConfig): Problems {
  const others = [...(amdRemap?.units ?? []), ...(intelRemap?.units ?? [])].flatMap(({ ioapics, hpets = [] }) => [...ioapics, ...hpets].map(({ requesterId }) => requesterId));
  const taken = new Set([...others, ...pci.flatMap(({ address, behind }) => (behind === undefined ? (requesterOf(address) ?? []) : []))]);
  for (const [i, { address, sriov, behind, msix }] of pci.entries()) {
    const own = requesterOf(address);
    if (!sriov || own === undefined) continue;
    const path = `pci[${i}].sriov.vfs`;
    const ids = Array.from({ length: sriov.vfs }, (_, n) => own + sriov.offset + sriov.stride * n);
    const fit = ids.filter(id => id >> 8 === own >> 8).length;
    const conflict = ids.find(id => taken.has(id));
    if (behind !== undefined) yield problem(path, 'virtual functions behind a VMD');
    if (!msix) yield problem(path, `${address} has no MSI-X, and its virtual functions have no other way to interrupt`);
    if (fit < sriov.vfs) yield problem(path, `${sriov.vfs} virtual functions of ${address}, and its bus has room for ${fit}`);
    if (conflict !== undefined) yield problem(path, `virtual function ${ids.indexOf(conflict)} of ${address} has the address of something else`);
  }
}

function requesterOf(address: string): number | undefined {
  const at = parsePciAddress(address);
  return at && (at.bus << 8) | at.devfn;
}

/** Blades are told apart by their numbers. */
export function* uvProblems({ uv }: MachineConfig): Problems {
  const blades = uv?.blades ?? [];
  for (const [i, { pnode }] of blades.entries()) {
    const other = blades.slice(0, i).findIndex(blade => blade.pnode === pnode);
    if (other >= 0) yield problem(`uv.blades[${i}].pnode`, `${pnode} is the number of uv.blades[${other}] already`);
  }
}

/** A virtual PCI bus has one PCI bus, without bridges, and messages only. */
export function* hypervProblems({ pci, hyperv }: MachineConfig): Problems {
  const buses = hyperv?.buses ?? [];
  for (const [i, { instance }] of buses.entries()) {
    const path = `hyperv.buses[${i}].instance`;
    if (!isGuid(instance)) yield problem(path, `"${instance}" is no GUID; expected one in lower case`);
    if (buses.slice(0, i).some(other => other.instance === instance)) yield problem(path, `${instance} is there twice; expected another one`);
  }
  for (const [i, { address, behind, gsi, intxPin, bridge, vmd }] of pci.entries()) {
    if (behind === undefined || !isGuid(behind)) continue;
    if (!buses.some(({ instance }) => instance === behind)) yield problem(`pci[${i}].behind`, `there is no virtual PCI bus ${behind}`);
    if (parsePciAddress(address)?.bus !== 0) yield problem(`pci[${i}].address`, `${address} is not on bus 00, the only one of a virtual PCI bus`);
    if (bridge || vmd) yield problem(`pci[${i}].behind`, 'nothing can be behind a function on a virtual PCI bus');
    if (gsi >= 0 || intxPin > 0) yield problem(`pci[${i}].gsi`, 'a function on a virtual PCI bus has no INTx line; expected none');
  }
}

const ENTRY_BYTES = 16;
const BARS = 6;

/** A raw configuration space whose MSI-X table has no BAR, or lies over its own pending bits. */
export function* msixProblems({ pci }: MachineConfig): Problems {
  for (const [i, { config }] of pci.entries()) {
    const words = config?.trim().split(/\s+/).map(word => parseInt(word, 16)) ?? [];
    const at = capability(words, PCI_CAP_ID_MSIX);
    if (at === 0) continue;
    const bytes = (MSIX_FLAGS.get(words[at >> 2] >>> 16, 'qsize') + 1) * ENTRY_BYTES;
    const table = MSIX_LOCATION.decode(words[(at >> 2) + 1]);
    const pending = MSIX_LOCATION.decode(words[(at >> 2) + 2]);
    const path = `pci[${i}].config`;
    if (table.bir >= BARS) yield problem(path, `the MSI-X table is in BAR ${table.bir}; expected 0 to ${BARS - 1}`);
    else if (table.bir === pending.bir && table.offset * 8 < pending.offset * 8 + bytes / (ENTRY_BYTES * 8) && pending.offset * 8 < table.offset * 8 + bytes) {
      yield problem(path, `the MSI-X table has ${bytes} bytes from 0x${(table.offset * 8).toString(16)} of BAR ${table.bir} on, and the pending bits begin at 0x${(pending.offset * 8).toString(16)} there`);
    }
  }
}

/** @returns the offset of a capability, 0 for none */
function capability(words: readonly number[], id: number): number {
  const byte = (offset: number): number => ((words.at(offset >> 2) ?? 0) >>> ((offset & 3) * 8)) & 0xff;
  let at = byte(PCI_CAPABILITY_LIST) & ~3;
  for (let left = 48; at !== 0 && left > 0; left--) {
    if (byte(at) === id) return at;
    at = byte(at + 1) & ~3;
  }
  return 0;
}
