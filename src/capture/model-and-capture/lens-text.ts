import { apic_chip_data } from '../../kernel/arch/x86/apic/apic_chip_data';
import { IRQD, type irq_data } from '../../kernel/include/irq';
import type { irq_desc } from '../../kernel/include/irqdesc';
import { DOMAIN_BUS } from '../../kernel/include/irqdomain';
import type { irq_matrix } from '../../kernel/irq/matrix';
import { amd_ir_data, irte } from '../../kernel/drivers/iommu/amd/amd_iommu_types';
import { intel_ir_data } from '../../kernel/drivers/iommu/intel/irte';
import type { World } from '../../kernel/world';
import { hex } from '../../text/format';

// The model as the module irqlens prints a kernel: /proc/irqlens_dom and /proc/irqlens.

/** One thing that a snapshot tells of: a domain, the matrix, an irq; `key` is its first words. */
export interface LensBlock {
  readonly key: string;
  readonly lines: readonly string[];
}

/** Divides a snapshot's lines into its things. */
export function lensBlocks(lines: readonly string[]): LensBlock[] {
  const blocks: { key: string; lines: string[] }[] = [];
  for (const line of lines) {
    const start = /^(domain \S+|matrix|irq \d+)/.exec(line);
    if (start) blocks.push({ key: start[1], lines: [line] });
    else blocks.at(-1)?.lines.push(line);
  }
  return blocks;
}

/** In what builds of the module differ. */
export interface LensFormat {
  /** a remapping entry's mode stands behind its irte_mask */
  readonly irteMode: boolean;
  /** a domain's device stands behind it */
  readonly domainDev: boolean;
  /** the matrix is shown: its symbols were to be had */
  readonly matrix: boolean;
}

/** @param lines of a snapshot */
export function lensFormatOf(lines: readonly string[]): LensFormat {
  return { domainDev: lines.some(line => /^domain .* dev \S+$/.test(line)), irteMode: lines.some(line => / irte_mask \d+ mode \d/.test(line)), matrix: lines.some(line => line.startsWith('matrix ')) };
}

/** What a module of that build would print now. */
export function lensLines(world: World, format: LensFormat): string[] {
  const { irq_desc_tree, irq_domain_list, vector_matrix } = world.kernel;
  const irqs = [...irq_desc_tree].sort(([a], [b]) => a - b);
  return [
    ...[...irq_domain_list].map(
      d =>
        `domain ${d.name} fwnode ${d.fwnode ? 'irqchip' : '-'} parent ${d.parent?.name ?? '-'} bus_token ${d.bus_token}(${busToken(d.bus_token)}) ` +
        `flags ${hex(d.flags)} mapped ${d.mapcount} hwirq_max ${hex(d.hwirq_max)}${format.domainDev ? ` dev ${d.dev?.name ?? '-'}` : ''}`,
    ),
    ...(format.matrix ? matrixLines(vector_matrix) : []),
    ...irqs.flatMap(([irq, desc]) => irqLines(irq, desc, format)),
  ];
}

/** The module knows the names of the first tokens only. */
const busToken = (token: number): string => Object.entries(DOMAIN_BUS).find(([, value]) => value === token && value <= DOMAIN_BUS.IPI)?.[0] ?? '?';

function matrixLines(m: irq_matrix): string[] {
  const flag = (value: boolean): number => (value ? 1 : 0);
  const totals =
    `matrix bits ${m.matrix_bits} alloc_start ${m.alloc_start} alloc_end ${m.alloc_end} global_available ${m.global_available >>> 0} global_reserved ${m.global_reserved >>> 0} ` +
    `systembits_inalloc ${m.systembits_inalloc} total_allocated ${m.total_allocated >>> 0} online_maps ${m.online_maps}`;
  const maps = m.maps.flatMap((cm, cpu) =>
    cm.initialized
      ? `  cpu ${cpu} online ${flag(cm.online)} available ${cm.available >>> 0} allocated ${cm.allocated >>> 0} managed ${cm.managed >>> 0} ` +
        `managed_allocated ${cm.managed_allocated >>> 0} alloc_map ${cm.alloc_map.toString()} managed_map ${cm.managed_map.toString()}`
      : [],
  );
  return [totals, `  system ${m.system_map.toString()}`, ...maps];
}

const FLAGS: readonly (readonly [name: string, mask: number])[] = [
  ['ACTIVATED', IRQD.ACTIVATED],
  ['STARTED', IRQD.IRQ_STARTED],
  ['DISABLED', IRQD.IRQ_DISABLED],
  ['MASKED', IRQD.IRQ_MASKED],
  ['MANAGED', IRQD.AFFINITY_MANAGED],
  ['MANAGED_SHUTDOWN', IRQD.MANAGED_SHUTDOWN],
  ['SETAFF_PENDING', IRQD.SETAFFINITY_PENDING],
  ['MOVE_PCNTXT', IRQD.MOVE_PCNTXT],
  ['SINGLE_TARGET', IRQD.SINGLE_TARGET],
  ['CAN_RESERVE', IRQD.CAN_RESERVE],
  ['MSI_NOMASK_QUIRK', IRQD.MSI_NOMASK_QUIRK],
];

function irqLines(irq: number, { irq_data: data }: irq_desc, format: LensFormat): string[] {
  const { common } = data;
  const state = common.state_use_accessors;
  return [
    `irq ${irq}`,
    `  state ${hex(state, 8)} type ${hex(state & 0xf)} node ${common.node} aff ${common.affinity.toString()} eff ${common.effective_affinity.toString()}`,
    `  flags${FLAGS.filter(([, mask]) => (state & mask) !== 0).map(([name]) => ` ${name}`).join('')}`,
    ...levelLines(data, 0, format),
    ...msiLines(data),
  ];
}

function levelLines(data: irq_data, level: number, format: LensFormat): string[] {
  const line = `  [${level}] domain ${data.domain?.name ?? '-'} chip ${data.chip.name || '-'} hwirq ${hex(BigInt.asUintN(64, BigInt(data.hwirq)))}${chipData(data, format)}`;
  return [line, ...(data.parent_data ? levelLines(data.parent_data, level + 1, format) : [])];
}

function chipData({ chip_data: d }: irq_data, { irteMode }: LensFormat): string {
  const flag = (value: boolean): number => (value ? 1 : 0);
  if (d instanceof apic_chip_data) {
    return (
      ` vector ${d.vector}(${hex(d.vector)}) cpu ${d.cpu} prev_vector ${d.prev_vector} prev_cpu ${d.prev_cpu} dest_apicid ${d.hw_irq_cfg.dest_apicid} cfg_vector ${d.hw_irq_cfg.vector} ` +
      `mip ${flag(d.move_in_progress)} mgd ${flag(d.is_managed)} can_res ${flag(d.can_reserve)} has_res ${flag(d.has_reserved)}`
    );
  }
  if (d instanceof intel_ir_data) {
    const { irte_index, sub_handle, irte_mask, mode } = d.irq_2_iommu;
    const { low, high } = d.irte_entry;
    return ` irte_index ${irte_index} sub_handle ${sub_handle} irte_mask ${irte_mask}${irteMode ? ` mode ${flag(mode === 'IRQ_POSTING')}` : ''} irte_lo ${hex(low, 16)} irte_hi ${hex(high, 16)}`;
  }
  if (d instanceof amd_ir_data) {
    const { devid, index } = d.irq_2_irte;
    const lo = d.entry instanceof irte ? BigInt(d.entry.val) : d.entry.lo;
    return ` devid ${hex(devid)} index ${index} irte32 ${hex(Number(lo & 0xffffffffn), 8)} entry_lo ${hex(lo, 16)}`;
  }
  return '';
}

function msiLines({ common: { msi_desc: desc } }: irq_data): string[] {
  if (!desc) return [];
  const { msi_attrib: attrib, msg } = desc;
  return [
    `  msi dev ${desc.dev.name} index ${attrib.entry_nr} ${attrib.is_msix ? 'MSIX' : 'MSI'}${attrib.is_64 ? ' 64' : ''} maskbit ${attrib.maskbit ? 1 : 0} multiple ${attrib.multiple} ` +
      `nvec ${desc.nvec_used} base_irq ${desc.irq} addr_hi ${hex(msg.address_hi, 8)} addr_lo ${hex(msg.address_lo, 8)} data ${hex(msg.data, 8)} affmasks ${desc.affinity ? 1 : 0}`,
  ];
}
