// The interrupt that a frame is about, and its levels.
import { irq_alloc_info } from '../../src/kernel/arch/x86/hw_irq';
import { slot_number, store_of_message } from '../../src/kernel/drivers/misc/ims_device';
import type { Kernel } from '../../src/kernel/globals';
import { irq_data, type irq_chip } from '../../src/kernel/include/irq';
import { irq_desc } from '../../src/kernel/include/irqdesc';
import { msi_desc, msi_msg } from '../../src/kernel/include/msi';
import type { irq_matrix } from '../../src/kernel/irq/matrix';

/** The variables of a frame. */
export interface Variables {
  readonly names: readonly string[];
  readonly values: readonly unknown[];
}

/** The Linux irq that the innermost frame with one is about. */
export function irqOf(frames: readonly Variables[], kernel: Kernel): number | undefined {
  for (const frame of frames) {
    const found = irqOfFrame(frame, kernel);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Structures before numbers; the innermost scope before the outer ones. */
function irqOfFrame({ names, values }: Variables, kernel: Kernel): number | undefined {
  for (let i = values.length - 1; i >= 0; i--) {
    const value = values[i];
    if (value instanceof irq_desc) return value.irq_data.irq;
    if (value instanceof irq_data) return value.irq;
  }
  for (let i = values.length - 1; i >= 0; i--) {
    const value = values[i];
    if (/^v?irq$/.test(names[i]) && typeof value === 'number' && kernel.irq_desc_tree.has(value)) return value;
    if (value instanceof msi_desc && value.irq > 0) return value.irq;
  }
  return undefined;
}

/** Arrays of C on the stack, such as `msg[2]`, count as their elements. */
const inFew = (value: unknown): unknown => (Array.isArray(value) && value.length <= 2 ? (value as unknown[]) : [value]);

/** The innermost variable that is such a structure. */
function innermost<T>(frames: readonly Variables[], type: abstract new (...args: never) => T): T | undefined {
  for (const { values } of frames) {
    const found = [...values].reverse().flatMap(inFew).find(value => value instanceof type);
    if (found !== undefined) return found as T;
  }
  return undefined;
}

export const allocInfoOf = (frames: readonly Variables[]): irq_alloc_info | undefined => innermost(frames, irq_alloc_info);

/** Of the frames, or else of the interrupt. */
export const msiDescOf = (frames: readonly Variables[], kernel: Kernel, irq: number | undefined): msi_desc | undefined =>
  innermost(frames, msi_desc) ?? descOf(kernel, irq)?.irq_common_data.msi_desc ?? undefined;

/** The message being composed in the frames, or else the one last written. */
export function messageOf(frames: readonly Variables[], kernel: Kernel, irq: number | undefined): msi_msg | undefined {
  const composed = innermost(frames, msi_msg);
  if (composed) return composed;
  const desc = msiDescOf(frames, kernel, irq);
  return desc?.device_msi ?? desc?.platform ?? desc?.data ? storedMessage(desc) : desc?.msg;
}

/** Of a part of a device the kernel keeps no copy: what its device has. */
function storedMessage(desc: msi_desc): msi_msg {
  const { lo, hi, data } = store_of_message(desc).message(slot_number(desc));
  return Object.assign(new msi_msg(), { address_lo: lo, address_hi: hi, data });
}

export const descOf = (kernel: Kernel, irq: number | undefined): irq_desc | undefined => (irq === undefined ? undefined : (kernel.irq_desc_tree.get(irq) ?? undefined));

/** Null before the kernel has booted so far. */
export const vectorMatrix = (kernel: Kernel): irq_matrix | null => kernel.vector_matrix;

/** Its levels, the outermost first. */
export function levelsOf(desc: irq_desc): irq_data[] {
  const levels: irq_data[] = [];
  for (let at: irq_data | null = desc.irq_data; at; at = at.parent_data) levels.push(at);
  return levels;
}

/** A level that is being set up has no chip, and no domain, yet. */
export const chipOf = (level: irq_data): irq_chip | null => level.chip;
export const chipName = (level: irq_data): string => chipOf(level)?.name ?? 'NULL';
export const levelName = (level: irq_data): string => level.domain?.name ?? chipName(level);

/** Its handlers, as /proc/interrupts lists them. */
export function actionsOf(desc: irq_desc): string {
  const names: string[] = [];
  for (let action = desc.action; action; action = action.next) names.push(action.name);
  return names.join(', ');
}
