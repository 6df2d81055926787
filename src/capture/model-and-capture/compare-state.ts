import { mp_chip_data } from '../../kernel/arch/x86/apic/io_apic';
import { hpet_channel } from '../../kernel/arch/x86/hpet';
import { IRQD } from '../../kernel/include/irq';
import { dev_is_pci, type PciDev } from '../../kernel/include/pci';
import type { irq_desc } from '../../kernel/include/irqdesc';
import type { World } from '../../kernel/world';
import { PROC_IRQ } from '../../text/proc-irq';
import { procInterrupts } from '../../text/proc-interrupts';
import { SYS_IRQ } from '../../text/sys-irq';
import type { Capture } from '../capture';
import { debugfsFiles, irqOfFile, withoutProgress } from '../reading/debugfs';
import { parseProcInterrupts, type InterruptRow, type InterruptTable, type SysIrq } from '../reading/interrupts';
import { Words } from '../later-kernels/rewordings';
import { lensBlocks, lensFormatOf, lensLines } from './lens-text';

// Compares the model's state with what a capture shows under one label.

/** A line that is compared. */
export interface StateLine {
  /** `irqlens.txt, snapshot msix4-req` */
  readonly where: string;
  /** the irq that it tells of */
  readonly irq: number | undefined;
  readonly captured: string | null;
  readonly model: string | null;
}

export const same = (line: StateLine): boolean => line.captured === line.model;

/** Parts of a snapshot, in the order in which the rig looks at them: an interrupt may come between two. */
export const PARTS = ['interrupts', 'tables', 'matrix', 'irqs'] as const;
export type Part = (typeof PARTS)[number];

/** Every line of a part of the snapshot `label`, the model's beside it in the words of the capture's kernel. */
export function partLines(world: World, capture: Capture, label: string, part: Part, words = new Words()): StateLine[] {
  const says = (line: string): string => words.stateLine(line);
  if (part === 'interrupts') return rowState(world, capture, label, says);
  if (part === 'tables') return sysState(world, capture, label, says);
  const lens = lensState(world, capture, label, says, key => key.startsWith('irq ') === (part === 'irqs'));
  return part === 'irqs' ? [...lens, ...debugfsState(world, capture, label)] : lens;
}

/** How many lines the capture has under `label`. */
export function capturedLines({ snapshots, interrupts, sysIrqs, debugfs }: Capture, label: string): number {
  const under = <T extends { readonly label: string }>(sections: readonly T[]): T | undefined => sections.find(s => s.label === label);
  return (under(snapshots)?.lines.length ?? 0) + (under(interrupts)?.lines.length ?? 0) + (under(sysIrqs)?.irqs.length ?? 0) + (under(debugfs)?.files.size ?? 0);
}

type Says = (line: string) => string;

/** irqlens.txt: by domain, matrix and irq, line by line. */
function lensState(world: World, capture: Capture, label: string, says: Says, isMeant: (key: string) => boolean): StateLine[] {
  const snapshot = capture.snapshots.find(s => s.label === label);
  if (!snapshot) return [];
  const clocked = clockedIrqs(world);
  const captured = new Map(lensBlocks(snapshot.lines).map(({ key, lines }) => [key, masked(key, lines, clocked)]));
  const own = lensBlocks(lensLines(world, lensFormatOf(snapshot.lines))).filter(({ key }) => isMeant(key)).flatMap(({ lines }) => lines.map(says));
  const model = new Map(lensBlocks(own).map(({ key, lines }) => [key, masked(key, lines, clocked)]));
  return [...new Set([...captured.keys(), ...model.keys()])].filter(isMeant).flatMap(key =>
    pairs(captured.get(key) ?? [], model.get(key) ?? [], { where: `irqlens.txt, snapshot ${label}, ${key}`, irq: irqOf(key) }),
  );
}

const irqOf = (key: string): number | undefined => (key.startsWith('irq ') ? Number(key.slice(4)) : undefined);

/** Actions of interrupts that the clock or the console raises. */
const CLOCKED = /^(timer|hpet\d+|ttyS\d+)$/;

function isClocked(desc: irq_desc): boolean {
  if (desc.irq_common_data.handler_data instanceof hpet_channel) return true;
  for (let action = desc.action; action; action = action.next) if (CLOCKED.test(action.name)) return true;
  return false;
}

const clockedIrqs = ({ kernel }: World): ReadonlySet<number> => new Set([...kernel.irq_desc_tree].flatMap(([irq, desc]) => (isClocked(desc) ? [irq] : [])));

/** Whether a clocked interrupt is being handled at the instant of the snapshot is masked. */
function masked(key: string, lines: readonly string[], clocked: ReadonlySet<number>): string[] {
  const irq = irqOf(key);
  return lines.map(line => {
    const state = irq !== undefined && clocked.has(irq) ? /^ {2}state (0x[\da-f]+)(.*)$/.exec(line) : null;
    return state ? `  state 0x${((Number(state[1]) & ~IRQD.IRQ_INPROGRESS) >>> 0).toString(16).padStart(8, '0')}${state[2]}` : line;
  });
}

function pairs(captured: readonly string[], model: readonly string[], place: { where: string; irq: number | undefined }): StateLine[] {
  return Array.from({ length: Math.max(captured.length, model.length) }, (_, i) => ({ ...place, captured: captured[i] ?? null, model: model[i] ?? null }));
}

/** /proc/interrupts, byte for byte: the header, and the rows with the counts of interrupts whose source is scripted. */
function rowState(world: World, capture: Capture, label: string, says: Says): StateLine[] {
  const table = capture.interrupts.find(t => t.label === label);
  if (!table) return [];
  const [own] = parseProcInterrupts(`##### SNAPSHOT ${label}\n${procInterrupts(world).split('\n').map(says).join('\n')}`).value;
  const text = (row: InterruptRow): string => (countsAreMasked(world, row.label) ? withoutCounts(row) : row.source);
  const lines = ({ lines: [header], rows }: InterruptTable): Map<string, string> => new Map([['header', header], ...rows.map(row => [row.label, text(row)] as const)]);
  return keyed(lines(table), lines(own), `proc-interrupts.txt, snapshot ${label}`);
}

/** Each count has ten columns and a blank; behind the last one of ERR and MIS there is nothing. */
function withoutCounts({ source, counts }: InterruptRow): string {
  const first = source.indexOf(':') + 2;
  return source.slice(0, first) + source.slice(first + 11 * counts.length);
}

/** Network, block and input devices, whose traffic no script makes: by PCI class, and by name where they are not on PCI. */
const TRAFFIC_CLASSES = [0x01, 0x02, 0x09];
const TRAFFIC_ACTIONS = /^(i8042|ata_|floppy)/;

export function countsAreMasked(world: World, label: string): boolean {
  const desc = world.kernel.irq_desc_tree.get(Number(label));
  if (!desc || isClocked(desc)) return true;
  const actions: string[] = [];
  for (let action = desc.action; action; action = action.next) actions.push(action.name);
  if (actions.length > 0 && actions.every(name => name === 'irqlens')) return false;
  if (actions.some(name => TRAFFIC_ACTIONS.test(name))) return true;
  return devicesOf(world, desc).some(({ hw }) => TRAFFIC_CLASSES.includes(hw.config.class >>> 16));
}

/** PCI functions that send an MSI, or whose INTx goes to a pin. */
function devicesOf({ kernel }: World, { irq_common_data, irq_data }: irq_desc): readonly PciDev[] {
  if (irq_common_data.msi_desc) return [irq_common_data.msi_desc.dev].filter(dev_is_pci);
  const { chip_data } = irq_data;
  if (!(chip_data instanceof mp_chip_data)) return [];
  const gsis = chip_data.irq_2_pin.map(({ apic, pin }) => kernel.ioapics[apic].gsi_config.gsi_base + pin);
  return kernel.pci_devices.filter(({ hw }) => gsis.includes(hw.config.gsi));
}

/** /sys/kernel/irq and /proc/irq. per_cpu_count and wakeup are masked. */
function sysState(world: World, capture: Capture, label: string, says: Says): StateLine[] {
  const captured = capture.sysIrqs.find(s => s.label === label);
  if (!captured) return [];
  const line = (irq: SysIrq): string => irq.source.replace(/\|(per_cpu_count|wakeup)=[^|]*/g, '');
  const irqs = new Map(captured.irqs.map(irq => [String(irq.irq), line(irq)]));
  const own = new Map([...world.kernel.irq_desc_tree].map(([irq, desc]) => [String(irq), says(sysLine(world, irq, desc))]));
  return keyed(irqs, own, `sys-kernel-irq.txt, snapshot ${label}`);
}

const SYS_FIELDS = ['chip_name', 'hwirq', 'type', 'name', 'actions'];
const PROC_FIELDS = ['smp_affinity_list', 'effective_affinity_list', 'node'];

/** As the rig writes it: what `cat` prints of each file, nothing for a file that is not there. */
function sysLine(world: World, irq: number, desc: irq_desc): string {
  const sys = SYS_FIELDS.map(name => `|${name}=${SYS_IRQ[name](desc, world).trimEnd()}`);
  const proc = PROC_FIELDS.map(name => `|${name}=${desc.dir ? PROC_IRQ[name](desc).trimEnd() : ''}`);
  return [irq, ...sys, ...proc].join('');
}

/** /sys/kernel/debug/irq, of a kernel that has it: byte for byte. */
function debugfsState(world: World, { debugfs }: Capture, label: string): StateLine[] {
  const captured = debugfs.find(s => s.label === label);
  if (!captured) return [];
  const clocked = clockedIrqs(world);
  const text = ([path, content]: readonly [string, string]): [string, string] => [path, clocked.has(irqOfFile(path) ?? -1) ? withoutProgress(content) : content];
  const files = keyed(new Map([...captured.files].map(text)), new Map([...debugfsFiles(world)].map(text)), `debugfs-irq.txt, snapshot ${label}`);
  return files.map(({ where, ...file }) => ({ ...file, where, irq: irqOfFile(where) }));
}

function keyed(captured: ReadonlyMap<string, string>, model: ReadonlyMap<string, string>, where: string): StateLine[] {
  return [...new Set([...captured.keys(), ...model.keys()])].map(key => ({
    where: `${where}, ${key}`,
    irq: /^\d+$/.test(key) ? Number(key) : undefined,
    captured: captured.get(key) ?? null,
    model: model.get(key) ?? null,
  }));
}
