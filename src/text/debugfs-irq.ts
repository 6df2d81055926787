import { IRQD, IRQ_DISABLE_UNLAZY, IRQ_HIDDEN, IRQ_IS_POLLED, IRQ_NESTED_THREAD, IRQ_NOAUTOEN, IRQ_NOPROBE, IRQ_NOREQUEST, IRQ_NOTHREAD, IRQ_PER_CPU_DEVID, type irq_data } from '../kernel/include/irq';
import { IRQS, type irq_desc } from '../kernel/include/irqdesc';
import type { irq_domain } from '../kernel/include/irqdomain';
import type { irq_matrix } from '../kernel/irq/matrix';
import { apic_chip_data } from '../kernel/arch/x86/apic/apic_chip_data';
import type { World } from '../kernel/world';
import { ISA_IRQ_VECTOR } from '../kernel/arch/x86/hw_irq';
import { hex, right } from './format';

// /sys/kernel/debug/irq/, as a kernel with CONFIG_GENERIC_IRQ_DEBUGFS prints it: kernel/irq/debugfs.c, irqdomain.c, matrix.c, arch/x86/kernel/apic/vector.c.

type Bits = readonly (readonly [name: string, mask: number])[];
const named = (prefix: string, bits: Record<string, number>, names: readonly string[]): Bits => names.map(name => [`${prefix}${name}`, bits[name]]);

const CHIP_FLAGS: Bits = [
  'SET_TYPE_MASKED', 'EOI_IF_HANDLED', 'MASK_ON_SUSPEND', 'ONOFFLINE_ENABLED', 'SKIP_SET_WAKE', 'ONESHOT_SAFE', 'EOI_THREADED', 'SUPPORTS_LEVEL_MSI', 'SUPPORTS_NMI', 'ENABLE_WAKEUP_ON_SUSPEND',
].map((name, bit) => [`IRQCHIP_${name}`, 1 << bit]);

const DATA_STATES: Bits = [
  ['IRQ_TYPE_EDGE_RISING', 1], ['IRQ_TYPE_EDGE_FALLING', 2], ['IRQ_TYPE_LEVEL_HIGH', 4], ['IRQ_TYPE_LEVEL_LOW', 8],
  ...named('IRQD_', IRQD, [
    'LEVEL', 'ACTIVATED', 'IRQ_STARTED', 'IRQ_DISABLED', 'IRQ_MASKED', 'IRQ_INPROGRESS', 'PER_CPU', 'NO_BALANCING', 'SINGLE_TARGET', 'MOVE_PCNTXT', 'AFFINITY_SET',
    'SETAFFINITY_PENDING', 'AFFINITY_MANAGED', 'AFFINITY_ON_ACTIVATE', 'MANAGED_SHUTDOWN', 'CAN_RESERVE', 'MSI_NOMASK_QUIRK', 'FORWARDED_TO_VCPU', 'WAKEUP_STATE',
    'WAKEUP_ARMED', 'DEFAULT_TRIGGER_SET', 'HANDLE_ENFORCE_IRQCTX', 'IRQ_ENABLED_ON_SUSPEND',
  ]),
];

const DESC_STATUS: Bits = [
  ['_IRQ_NOPROBE', IRQ_NOPROBE], ['_IRQ_NOREQUEST', IRQ_NOREQUEST], ['_IRQ_NOTHREAD', IRQ_NOTHREAD], ['_IRQ_NOAUTOEN', IRQ_NOAUTOEN], ['_IRQ_NESTED_THREAD', IRQ_NESTED_THREAD],
  ['_IRQ_PER_CPU_DEVID', IRQ_PER_CPU_DEVID], ['_IRQ_IS_POLLED', IRQ_IS_POLLED], ['_IRQ_DISABLE_UNLAZY', IRQ_DISABLE_UNLAZY], ['_IRQ_HIDDEN', IRQ_HIDDEN],
];

const DESC_ISTATES: Bits = named('IRQS_', IRQS, ['AUTODETECT', 'SPURIOUS_DISABLED', 'POLL_INPROGRESS', 'ONESHOT', 'REPLAY', 'WAITING', 'PENDING', 'SUSPENDED']);

const bitLines = (state: number, bits: Bits, indent = 0): string[] => bits.filter(([, mask]) => (state & mask) !== 0).map(([name]) => `${' '.repeat(indent + 12)}${name}`);
const text = (lines: readonly string[]): string => lines.map(line => `${line}\n`).join('');

/** /sys/kernel/debug/irq/irqs/N. Source: irq_debug_show() */
export function debugfsIrq(world: World, desc: irq_desc): string {
  const data = desc.irq_data;
  const { common } = data;
  const state = common.state_use_accessors;
  return text([
    `handler:  ${desc.handle_irq.name}`,
    `device:   ${common.msi_desc?.dev.name ?? '(null)'}`,
    `status:   ${hex(desc.status_use_accessors, 8)}`,
    ...bitLines(desc.status_use_accessors, DESC_STATUS),
    `istate:   ${hex(desc.istate, 8)}`,
    ...bitLines(desc.istate, DESC_ISTATES),
    `ddepth:   ${desc.depth}`,
    'wdepth:   0',
    `dstate:   ${hex(state, 8)}`,
    ...bitLines(state, DATA_STATES),
    `node:     ${common.node}`,
    `affinity: ${common.affinity.toString()}`,
    `effectiv: ${common.effective_affinity.toString()}`,
    `pending:  ${desc.pending_mask.toString()}`,
    ...dataLines(world, data, 0),
  ]);
}

function dataLines(world: World, data: irq_data, indent: number): string[] {
  const at = ' '.repeat(indent);
  const lines = [
    `${at}domain:  ${data.domain?.name ?? ''}`,
    `${at} hwirq:   ${hex(BigInt.asUintN(64, BigInt(data.hwirq)))}`,
    `${at} chip:    ${data.chip.name}`,
    `${at}  flags:   ${hex(data.chip.flags)}`,
    ...bitLines(data.chip.flags, CHIP_FLAGS, indent + 1),
  ];
  if (data.domain && data.domain === world.kernel.x86_vector_domain) lines.push(...vectorLines(world, data, indent + 1));
  if (data.parent_data) lines.push(`${at} parent:`, ...dataLines(world, data.parent_data, indent + 4));
  return lines;
}

/** Source: x86_vector_debug_show() with an irq */
function vectorLines({ kernel }: World, data: irq_data, indent: number): string[] {
  const at = ' '.repeat(indent);
  if (data.irq < kernel.legacy_pic.nr_legacy_irqs && !(kernel.io_apic_irqs & (1 << data.irq))) {
    return [`${at}Vector: ${right(ISA_IRQ_VECTOR(data.irq), 5)}`, `${at}Target: Legacy PIC all CPUs`];
  }
  const apicd = data.chip_data;
  if (!(apicd instanceof apic_chip_data)) return [`${at}Vector: Not assigned`];
  const flag = (value: boolean): number => (value ? 1 : 0);
  const previous = [`${at}Previous vector: ${right(apicd.prev_vector, 5)}`, `${at}Previous target: ${right(apicd.prev_cpu, 5)}`];
  return [
    `${at}Vector: ${right(apicd.vector, 5)}`,
    `${at}Target: ${right(apicd.cpu, 5)}`,
    ...(apicd.prev_vector ? previous : []),
    `${at}move_in_progress: ${flag(apicd.move_in_progress)}`,
    `${at}is_managed:       ${flag(apicd.is_managed)}`,
    `${at}can_reserve:      ${flag(apicd.can_reserve)}`,
    `${at}has_reserved:     ${flag(apicd.has_reserved)}`,
    `${at}cleanup_pending:  ${flag(apicd.clist !== null)}`,
  ];
}

/** /sys/kernel/debug/irq/domains/NAME. Source: irq_domain_debug_show_one() */
export const debugfsDomain = (world: World, domain: irq_domain): string => text(domainLines(world, domain, 0));

/** /sys/kernel/debug/irq/domains/default: the domain that is meant where none is named. */
export const debugfsDefaultDomain = (world: World): string => (world.kernel.irq_default_domain ? debugfsDomain(world, world.kernel.irq_default_domain) : '');

function domainLines(world: World, domain: irq_domain, indent: number): string[] {
  const { vector_matrix, x86_vector_domain } = world.kernel;
  const at = ' '.repeat(indent);
  return [
    `${at}name:   ${domain.name}`,
    `${at} size:   ${domain.revmap_size}`,
    `${at} mapped: ${domain.mapcount}`,
    `${at} flags:  ${hex(domain.flags, 8)}`,
    ...(domain === x86_vector_domain ? matrixLines(world, vector_matrix, indent + 1) : []),
    ...(domain.parent ? [`${at} parent: ${domain.parent.name}`, ...domainLines(world, domain.parent, indent + 4)] : []),
  ];
}

/** Source: irq_matrix_debug_show() */
function matrixLines({ kernel }: World, m: irq_matrix, indent: number): string[] {
  const at = ' '.repeat(indent);
  return [
    `Online bitmaps:   ${right(m.online_maps, 6)}`,
    `Global available: ${right(m.global_available >>> 0, 6)}`,
    `Global reserved:  ${right(m.global_reserved >>> 0, 6)}`,
    `Total allocated:  ${right(m.total_allocated >>> 0, 6)}`,
    `System: ${m.system_map.weight}: ${m.system_map.toString()}`,
    `${at}| CPU | avl | man | mac | act | vectors`,
    ...[...kernel.cpu_online_mask].map(cpu => {
      const cm = m.maps[cpu];
      return `${at} ${right(cpu, 4)}  ${right(cm.available >>> 0, 4)}  ${right(cm.managed >>> 0, 4)}  ${right(cm.managed_allocated >>> 0, 4)} ${right(cm.allocated >>> 0, 4)}  ${cm.alloc_map.toString()}`;
    }),
  ];
}
