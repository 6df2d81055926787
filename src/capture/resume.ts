import { apic_chip_data } from '../kernel/arch/x86/apic/apic_chip_data';
import { VECTOR_UNUSED } from '../kernel/arch/x86/hw_irq';
import { IRQF_SHARED, irqaction, IRQ_HANDLED } from '../kernel/include/interrupt';
import { type irq_chip, irq_common_data, irq_data, IRQ_LEVEL, IRQ_MOVE_PCNTXT, IRQ_NO_BALANCING, IRQD } from '../kernel/include/irq';
import { irq_desc, type irq_flow_handler } from '../kernel/include/irqdesc';
import { irq_domain } from '../kernel/include/irqdomain';
import { no_irq_chip } from '../kernel/irq/dummychip';
import { handle_edge_irq, handle_fasteoi_irq, handle_level_irq } from '../kernel/irq/flow';
import { cpumask } from '../kernel/lib/cpumask';
import { mutex, raw_spinlock } from '../kernel/lib/locking';
import type { World } from '../kernel/world';
import type { Op } from '../stepper/op';
import type { Capture } from './capture';
import type { SysIrq } from './interrupts';
import { lens_handler, type lens_slot } from './irqlens';
import { resumeHardware } from './resume-hardware';
import type { DomainState, IrqState, LevelState, MatrixState, Snapshot } from './snapshot';

/**
 * Replaces the interrupt state of a booted world by the one of a snapshot.
 * @param slots what irqlens has of its devices at that time
 * @throws Error when the capture has no such snapshot, or one that cannot be
 */
export function resume(world: World, capture: Capture, label: string, slots: readonly lens_slot[]): void {
  const snapshot = capture.snapshots.find(s => s.label === label);
  if (!snapshot?.matrix) throw new Error(`irqlens.txt has no complete snapshot ${label}`);
  const sys = new Map(capture.sysIrqs.find(s => s.label === label)?.irqs.map(irq => [irq.irq, irq]));

  resumeDomains(world, snapshot.domains);
  resumeIrqs(world, snapshot, sys, slots);
  resumeMatrix(world, snapshot.matrix);
  resumeCpus(world, snapshot.matrix);
  resumeVectors(world);
  resumeHardware(world, snapshot, slots);
}

/** Domains are those of the boot; what belongs to no modelled driver (HPET, DMAR) becomes a domain without operations. */
function resumeDomains({ kernel }: World, states: readonly DomainState[]): void {
  const byName = new Map(kernel.irq_domain_list.map(domain => [domain.name, domain]));
  kernel.irq_domain_list = states.map(state => {
    const fwnode = state.fwnode === '-' ? null : { name: state.name };
    const size = state.hwirq_max < 0x1000000n ? Number(state.hwirq_max) : 0;
    const domain = byName.get(state.name) ?? new irq_domain(state.name, fwnode, {}, null, size, state.hwirq_max);
    byName.set(state.name, domain);
    Object.assign(domain, { flags: state.flags, mapcount: state.mapped, bus_token: state.bus_token });
    domain.linear_revmap.clear();
    domain.revmap_tree.clear();
    return domain;
  });
  for (const { name, parent } of states) byName.get(name)!.parent = parent === null ? null : (byName.get(parent) ?? null);
}

function resumeIrqs(world: World, snapshot: Snapshot, sys: ReadonlyMap<number, SysIrq>, slots: readonly lens_slot[]): void {
  const { kernel } = world;
  kernel.irq_desc_tree.clear();
  kernel.allocated_irqs.clearAll();
  kernel.root_irq_dir = new Map();
  for (const state of snapshot.irqs) {
    const desc = descOf(world, state, sys.get(state.irq));
    kernel.irq_desc_tree.set(state.irq, desc);
    kernel.allocated_irqs.set(state.irq);
    if (desc.dir) kernel.root_irq_dir.set(state.irq, desc.dir);
    const slot = slotOf(world, state, slots);
    for (const name of sys.get(state.irq)?.actions ?? lensActions(state, slot)) addAction(desc, actionOf(name, state, slot));
  }
}

const FLOWS: Record<string, irq_flow_handler> = { edge: handle_edge_irq, fasteoi: handle_fasteoi_irq };

function descOf(world: World, state: IrqState, sys: SysIrq | undefined): irq_desc {
  const { kernel } = world;
  const n = kernel.nr_cpu_ids;
  const mask = (cpus: readonly number[]): cpumask => cpumask.of(n, ...cpus.filter(cpu => cpu < n));
  const common = new irq_common_data(state.node, mask(state.affinity), mask(state.effective));
  common.state_use_accessors = state.state;

  const pending = (state.state & IRQD.SETAFFINITY_PENDING) !== 0 && sys?.smp_affinity ? mask(sys.smp_affinity) : new cpumask(n);
  const flow = sys?.name ?? flowOf(state);
  const desc = new irq_desc(common, chainOf(world, state, common), FLOWS[flow] ?? handle_level_irq, new raw_spinlock(`irq_desc[${state.irq}].lock`), new mutex(`irq_desc[${state.irq}].request_mutex`), pending);
  desc.name = flow || null;
  desc.depth = (state.state & IRQD.IRQ_DISABLED) === 0 ? 0 : 1;
  desc.status_use_accessors = settingsOf(state.state);
  sys?.per_cpu_count.slice(0, n).forEach((count, cpu) => desc.kstat_irqs.set(cpu, count));
  desc.tot_count = [...desc.kstat_irqs.values()].reduce((sum, count) => sum + count, 0);
  if (sys?.smp_affinity) desc.dir = new Set();
  return desc;
}

/** The flow handler of an irq of which only irqlens.txt tells. */
function flowOf({ chain, state }: IrqState): string {
  if (chain.at(0)?.domain === null) return '';
  return (state & IRQD.LEVEL) === 0 ? 'edge' : 'fasteoi';
}

/** The module's own action, where only irqlens.txt tells of the irq. */
function lensActions({ irq, msi }: IrqState, slot: lens_slot | undefined): string[] {
  return slot?.req.has(msi ? msi.index + irq - msi.base_irq : 0) ? ['irqlens'] : [];
}

/** The device of the module's that an MSI or an INTx line comes from. */
function slotOf({ kernel }: World, { msi, chain }: IrqState, slots: readonly lens_slot[]): lens_slot | undefined {
  if (msi) return slots.find(({ pdev }) => pdev.name === msi.dev);
  const ioapic = kernel.ioapics.find(({ irqdomain }) => irqdomain && irqdomain.name === chain.at(0)?.domain);
  return ioapic && slots.find(({ pdev }) => pdev.pin !== 0 && pdev.hw.config.gsi === ioapic.gsi_config.gsi_base + chain[0].hwirq);
}

/** Settings that the state repeats. */
function settingsOf(state: number): number {
  const repeated = [[IRQD.LEVEL, IRQ_LEVEL], [IRQD.NO_BALANCING, IRQ_NO_BALANCING], [IRQD.MOVE_PCNTXT, IRQ_MOVE_PCNTXT]] as const;
  return repeated.reduce((settings, [bit, setting]) => settings | ((state & bit) === 0 ? 0 : setting), 0);
}

/** The irq_data of all levels, each findable in its domain. @returns the outermost */
function chainOf(world: World, state: IrqState, common: irq_common_data): irq_data {
  let outer: irq_data | undefined;
  for (const level of [...state.chain].reverse()) {
    const data = new irq_data(state.irq, common, chipNamed(world, level.chip));
    data.hwirq = level.hwirq;
    data.domain = world.kernel.irq_domain_list.find(domain => domain.name === level.domain) ?? null;
    data.parent_data = outer ?? null;
    data.chip_data = vectorData(level, state.irq);
    if (data.domain) {
      if (data.hwirq < data.domain.revmap_size) data.domain.linear_revmap.set(data.hwirq, state.irq);
      else data.domain.revmap_tree.set(data.hwirq, data);
    }
    outer = data;
  }
  return outer ?? new irq_data(state.irq, common, no_irq_chip);
}

function vectorData({ vector: v }: LevelState, irq: number): apic_chip_data | null {
  if (!v) return null;
  const apicd = new apic_chip_data();
  const { vector, cpu, prev_vector, prev_cpu, move_in_progress, is_managed, can_reserve, has_reserved } = v;
  Object.assign(apicd, { irq, vector, cpu, prev_vector, prev_cpu, move_in_progress, is_managed, can_reserve, has_reserved });
  apicd.hw_irq_cfg.dest_apicid = v.dest_apicid;
  apicd.hw_irq_cfg.vector = v.cfg_vector;
  return apicd;
}

/** The model's chip of a name; one of a driver that is not modelled has only its name. */
function chipNamed({ kernel }: World, name: string | null): irq_chip {
  if (name === null) return no_irq_chip;
  const isChip = (value: unknown): value is irq_chip => typeof value === 'object' && value !== null && 'name' in value && 'flags' in value && !(value instanceof irq_domain);
  return Object.values(kernel).find((value): value is irq_chip => isChip(value) && value.name === name) ?? { name, flags: 0 };
}

function addAction(desc: irq_desc, action: irqaction): void {
  desc.nr_actions++;
  if (desc.dir && !desc.dir.has(action.name)) {
    desc.dir.add(action.name);
    action.dir = action.name;
  }
  let last = desc.action;
  while (last?.next) last = last.next;
  if (last) last.next = action;
  else desc.action = action;
}

function actionOf(name: string, { irq }: IrqState, slot: lens_slot | undefined): irqaction {
  return slot && name === 'irqlens' ? new irqaction(lens_handler, slot, name, IRQF_SHARED, irq) : new irqaction(driver_handler, null, name, IRQF_SHARED, irq);
}

/** The handler of a driver that was there before. */
function* driver_handler(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

function resumeMatrix({ kernel }: World, state: MatrixState): void {
  const m = kernel.vector_matrix;
  const { global_available, global_reserved, systembits_inalloc, total_allocated, online_maps } = state;
  Object.assign(m, { global_available, global_reserved, systembits_inalloc, total_allocated, online_maps });
  m.system_map.clearAll();
  for (const cm of m.maps) cm.initialized = false;
  for (const bit of state.system) m.system_map.set(bit);
  for (const { cpu, alloc_map, managed_map, ...counts } of state.cpus) {
    const cm = m.maps.at(cpu);
    if (!cm) throw new Error(`the matrix has a CPU ${cpu}, the machine has ${m.maps.length} CPUs`);
    Object.assign(cm, counts, { initialized: true });
    cm.alloc_map.clearAll();
    cm.managed_map.clearAll();
    for (const bit of alloc_map) cm.alloc_map.set(bit);
    for (const bit of managed_map) cm.managed_map.set(bit);
  }
}

/** CPUs that came up in the boot and are down at the snapshot. */
function resumeCpus({ kernel }: World, { cpus }: MatrixState): void {
  const up = new Set(cpus.flatMap(({ cpu, online }) => (online ? cpu : [])));
  for (const cpu of [...kernel.cpu_online_mask].filter(cpu => !up.has(cpu))) {
    kernel.cpu_sibling_map[cpu].clearAll();
    for (const mask of [kernel.cpu_online_mask, kernel.cpu_sibling_setup_mask, ...kernel.cpu_sibling_map, ...kernel.node_to_cpumask_map.values()]) mask.clear(cpu);
  }
}

/** The CPUs' vector tables follow from who owns a vector, or left one behind. */
function resumeVectors({ kernel }: World): void {
  for (const table of kernel.vector_irq) table.fill(VECTOR_UNUSED);
  for (const list of kernel.cleanup_list) list.length = 0;
  for (const desc of kernel.irq_desc_tree.values()) {
    let root = desc.irq_data;
    while (root.parent_data) root = root.parent_data;
    const apicd = root.chip_data;
    if (!(apicd instanceof apic_chip_data)) continue;
    for (const [cpu, vector] of [[apicd.cpu, apicd.vector], [apicd.prev_cpu, apicd.prev_vector]] as const) {
      if (cpu >= kernel.nr_cpu_ids) throw new Error(`irq ${apicd.irq} is on CPU ${cpu}, the machine has ${kernel.nr_cpu_ids} CPUs`);
      if (vector) kernel.vector_irq[cpu][vector] = desc;
    }
  }
}

/** What irqlens remembers of its devices when line `line` of the trace is reached: what its commands left. */
export function slotsAt({ kernel }: World, capture: Capture, line: number): lens_slot[] {
  const slots: lens_slot[] = [];
  const commands = capture.script.steps.flatMap(step => step.actions).filter(({ kind, start }) => kind === 'CMD' && start.line < line);
  for (const { text, result } of commands) {
    const [cmd, bdf, first = '0', last = first] = text.split(' ');
    const pdev = kernel.pci_devices.find(dev => dev.name === bdf);
    if (!pdev) continue;
    let slot = slots.find(s => s.pdev === pdev);
    if (!slot) slots.push((slot = { pdev, n: 0, req: new Set(), mapped: false }));
    const ret = parseInt(result ?? '', 10);
    const done = ret >= 0 ? ret : Number(/\(after (\d+) ok\)/.exec(result ?? '')?.[1] ?? 0);
    const touched = Array.from({ length: done }, (_, i) => Number(first) + i).filter(i => i <= Number(last));
    if (cmd === 'map') slot.mapped = true;
    if (cmd === 'alloc' && ret > 0) slot.n = ret;
    if (cmd === 'freevecs') slot.req.clear();
    for (const i of touched) {
      if (cmd === 'req') slot.req.add(i);
      if (cmd === 'unreq') slot.req.delete(i);
    }
  }
  return slots;
}
