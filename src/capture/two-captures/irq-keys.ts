// Irq numbers differ between machines: an interrupt is the same one on both when it is the same entry of the same device.
import type { Capture } from '../capture';
import type { IrqState } from '../reading/snapshot';
import { planOf } from '../replay/plan';

/** What a captured irq is called, whatever its number: "0000:00:04.0[1]", "IO-APIC-0 pin 20", "irq 9" for one without a domain. */
export function irqKey({ irq, chain, msi }: IrqState): string {
  if (msi) return `${msi.dev}[${msi.index + irq - msi.base_irq}]`;
  const [{ domain, hwirq } = { domain: null, hwirq: 0 }] = chain;
  return domain === null ? `irq ${irq}` : `${domain} pin ${hwirq}`;
}

/** Replaces irq numbers in texts. */
export type Rename = (text: string) => string;

/** Irqs below are those of pins: their numbers are the same on machines with the same IOAPICs. */
export const gsisOf = ({ machine }: Capture): number => Math.max(NR_LEGACY, ...machine.ioapics.map(({ gsiBase, pins }) => gsiBase + pins));

const NR_LEGACY = 16;

/** Where a text names an irq. */
const NAMED = /(\birq[ =]|\/irq\/)(\d+)\b/g;

/** @param gsis irqs below are pins @param known keys by irq; an irq without one is named by its place among those that appeared */
export function renames(gsis: number, known: ReadonlyMap<number, string> = new Map()): Rename {
  const appeared: number[] = [];
  const nameOf = (irq: number): string => {
    const key = known.get(irq);
    if (key !== undefined || irq < gsis) return key ?? String(irq);
    if (!appeared.includes(irq)) appeared.push(irq);
    return `#${appeared.indexOf(irq) + 1}`;
  };
  return text => text.replaceAll(NAMED, (_, before: string, irq: string) => before + nameOf(Number(irq)));
}

/** For each step of a capture the names of its irqs, from the snapshots that were taken in it and the last one before. */
export function renamesByStep(capture: Capture): ReadonlyMap<string, Rename> {
  const snapshots = new Map(capture.snapshots.map(snapshot => [snapshot.label, snapshot]));
  const byStep = new Map<string, Rename>();
  let before: readonly IrqState[] = [];
  const items = planOf(capture).items;
  for (const step of new Set(items.map(item => item.step))) {
    const taken = items.flatMap(item => (item.step === step && item.kind === 'snapshot' ? (snapshots.get(item.text) ?? []) : []));
    const here = [...before, ...taken.flatMap(({ irqs }) => irqs)];
    byStep.set(step, renames(gsisOf(capture), new Map(here.map(irq => [irq.irq, irqKey(irq)]))));
    before = taken.at(-1)?.irqs ?? before;
  }
  return byStep;
}
