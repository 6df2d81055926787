import { listOf, sectionsOf, type Parsed, type Section, type Unread } from './files';

/** One row of /proc/interrupts. */
export interface InterruptRow {
  /** "27" or "NMI" */
  readonly label: string;
  /** by the columns of the header; the rows ERR and MIS have one */
  readonly counts: readonly number[];
  /** what stands behind the counts */
  readonly description: string;
  /** the line itself */
  readonly source: string;
}

export interface InterruptTable extends Section {
  /** CPUs of the columns: those online, so there may be gaps */
  readonly cpus: readonly number[];
  readonly rows: readonly InterruptRow[];
}

/** Reads proc-interrupts.txt: /proc/interrupts by snapshot. */
export function parseProcInterrupts(text: string, file = 'proc-interrupts.txt'): Parsed<InterruptTable[]> {
  const unread: Unread[] = [];
  const value = sectionsOf(text).map(section => {
    const [header = '', ...body] = section.lines;
    const cpus = [...header.matchAll(/CPU(\d+)/g)].map(m => Number(m[1]));
    if (cpus.length === 0) unread.push({ file, line: section.firstLine, text: header });
    const rows = body.flatMap((line, i) => {
      const row = rowOf(line, cpus.length);
      if (!row) unread.push({ file, line: section.firstLine + 1 + i, text: line });
      return row ?? [];
    });
    return { ...section, cpus, rows };
  });
  return { value, unread };
}

/** ERR and MIS count for the whole machine and say nothing behind it; every other row has a count for each CPU. */
function rowOf(source: string, cpus: number): InterruptRow | undefined {
  const label = /^\s*(\w+):/.exec(source)?.[1];
  if (label === undefined) return undefined;
  const columns = label === 'ERR' || label === 'MIS' ? 1 : cpus;
  // Only as many numbers as there are columns are counts: a chip may be named by a number.
  const row = new RegExp(`^\\s*\\w+:((?:\\s+\\d+){${columns}})(?:\\s(.*))?$`).exec(source);
  if (!row) return undefined;
  return { label, counts: row[1].trim().split(/\s+/).map(Number), description: (row.at(2) ?? '').trim(), source };
}

/** One interrupt of sys-kernel-irq.txt: /sys/kernel/irq/N and /proc/irq/N. */
export interface SysIrq {
  readonly irq: number;
  readonly chip_name: string;
  readonly hwirq: number | null;
  readonly type: string;
  /** the flow handler's short name */
  readonly name: string;
  readonly actions: readonly string[];
  readonly per_cpu_count: readonly number[];
  /** null where /proc/irq/N does not exist */
  readonly smp_affinity: readonly number[] | null;
  readonly source: string;
}

export interface SysIrqs extends Section {
  readonly irqs: readonly SysIrq[];
}

/** Reads sys-kernel-irq.txt. */
export function parseSysKernelIrq(text: string, file = 'sys-kernel-irq.txt'): Parsed<SysIrqs[]> {
  const unread: Unread[] = [];
  const value = sectionsOf(text).map(section => {
    const irqs = section.lines.flatMap((line, i) => {
      const irq = sysIrqOf(line);
      if (!irq) unread.push({ file, line: section.firstLine + i, text: line });
      return irq ?? [];
    });
    return { ...section, irqs };
  });
  return { value, unread };
}

function sysIrqOf(source: string): SysIrq | undefined {
  const [irq, ...pairs] = source.split('|');
  if (!/^\d+$/.test(irq)) return undefined;
  const fields = new Map(pairs.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  const field = (name: string): string => fields.get(name) ?? '';
  const counts = field('per_cpu_count').split(',').map(Number);
  const affinity = listOf(field('smp_affinity_list'));
  if (!fields.has('chip_name') || !fields.has('effective_affinity_list') || !affinity || counts.some(Number.isNaN)) return undefined;
  return {
    irq: Number(irq),
    chip_name: field('chip_name'),
    hwirq: field('hwirq') === '' ? null : Number(field('hwirq')),
    type: field('type'),
    name: field('name'),
    actions: field('actions') === '' ? [] : field('actions').split(','),
    per_cpu_count: counts,
    smp_affinity: field('smp_affinity_list') === '' ? null : affinity,
    source,
  };
}
