// What stands beside a frame: its variables, its interrupt, the machine.
import type { HypervHost } from '../../src/hardware/hyperv-host';
import type { World } from '../../src/kernel/world';
import { childrenOf, type Container, type Item } from './children';
import { actionsOf, allocInfoOf, descOf, irqOf, levelName, levelsOf, msiDescOf, vectorMatrix, type Variables } from './interrupt';

export interface Scope {
  readonly name: string;
  readonly hint?: 'locals';
  readonly expensive: boolean;
  readonly container: Container;
}

/** @param frames the frame and those that called it, innermost first */
export function scopesOf(frames: readonly Variables[], world: World): Scope[] {
  return [
    { name: 'Locals', hint: 'locals', expensive: false, container: locals(frames[0]) },
    { name: 'Interrupt', expensive: false, container: { named: () => interrupt(frames, world) } },
    { name: 'Machine', expensive: true, container: { named: () => machine(world) } },
  ];
}

/** Of variables with one name, the innermost is the one that the name means. */
function locals(frame: Variables | undefined): Container {
  const byName = new Map(frame?.names.map((name, i) => [name, frame.values[i]]));
  return { named: () => [...byName].map(([name, value]) => ({ name, value, path: name })) };
}

function interrupt(frames: readonly Variables[], { kernel }: World): Item[] {
  const irq = irqOf(frames, kernel);
  const desc = descOf(kernel, irq);
  const info = allocInfoOf(frames);
  const msi = msiDescOf(frames, kernel, irq);
  const items: Item[] = [];
  if (irq !== undefined) items.push({ name: 'irq', value: irq });
  if (desc) items.push({ name: 'irq_desc', value: desc, path: `irq(${irq!})` }, chain(desc, irq!));
  if (msi) items.push({ name: 'msi_desc', value: msi, ...(desc ? { path: `irq(${irq!})->irq_common_data->msi_desc` } : {}) });
  if (info) items.push({ name: 'irq_alloc_info', value: info });
  return items.length > 0 ? items : [{ name: 'irq', value: null, text: 'no frame of this stack has an interrupt' }];
}

function chain(desc: Parameters<typeof levelsOf>[0], irq: number): Item {
  const levels = levelsOf(desc);
  const items = levels.map((level, i): Item => ({ name: levelName(level), value: level, path: `irq(${irq})->irq_data${'->parent_data'.repeat(i)}` }));
  return { name: 'chain', value: null, text: levels.map(level => levelName(level)).join(' > ') + (desc.action ? ` (${actionsOf(desc)})` : ''), children: { named: () => items } };
}

function machine({ kernel, machine }: World): Item[] {
  const cpus = machine.cpus.map((cpu, i): Item => ({ name: `CPU ${i}`, value: cpu, text: kernel.cpu_online_mask.test(i) ? 'online' : 'offline', children: cpuParts(i, { kernel, machine }) }));
  return [
    { name: 'cpus', value: null, text: `${cpus.length}, online ${kernel.cpu_online_mask.toString()}`, children: { named: () => cpus } },
    { name: 'vector_matrix', value: kernel.vector_matrix, path: 'vector_matrix' },
    { name: 'domains', value: kernel.irq_domain_list, path: 'irq_domain_list' },
    { name: 'irqs', value: kernel.irq_desc_tree, path: 'irq_desc_tree' },
    machine.amdRemapUnits.length > 0
      ? { name: 'remap units', value: machine.amdRemapUnits, path: 'machine->amdRemapUnits' }
      : { name: 'remap units', value: machine.remapUnits, path: 'machine->remapUnits' },
    ...(machine.hyperv ? [{ name: 'Hyper-V host', value: machine.hyperv, path: 'machine->hyperv', children: hypervHost(machine.hyperv) }] : []),
    { name: 'IOAPICs', value: machine.ioapics, path: 'machine->ioapics' },
    { name: 'PCI functions', value: machine.pci, path: 'machine->pci' },
    { name: 'log', value: kernel.log, path: 'log' },
    { name: 'trace', value: kernel.trace, path: 'trace' },
    { name: 'kernel', value: null, text: '', children: childrenOf(kernel), path: 'kernel' },
  ];
}

/** What a guest cannot see: where the messages lead that it was given, and what is on the buses. */
function hypervHost({ irt, buses }: HypervHost): Container {
  return {
    named: () => [
      { name: 'redirection table', value: irt.entries, path: 'machine->hyperv->irt->entries' },
      { name: 'buses', value: buses, path: 'machine->hyperv->buses' },
    ],
  };
}

function cpuParts(cpu: number, { kernel, machine }: Pick<World, 'kernel' | 'machine'>): Container {
  const { apicId, node, lapic } = machine.cpus[cpu];
  return {
    named: () => [
      { name: 'apicId', value: apicId },
      { name: 'node', value: node },
      { name: 'state', value: kernel.cpus[cpu], path: `cpus[${cpu}]` },
      { name: 'vectors', value: vectorMatrix(kernel)?.maps[cpu], path: `vector_matrix->maps[${cpu}]` },
      { name: 'local APIC', value: lapic, path: `cpu(${cpu})->lapic` },
    ],
  };
}
