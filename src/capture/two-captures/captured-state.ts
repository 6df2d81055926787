// What a capture's kernel says of itself in a snapshot, as texts by what they tell of, with names for irqs that are the same on any machine.
import type { Texts } from '../../compare/texts';
import type { Capture } from '../capture';
import { lensBlocks } from '../model-and-capture/lens-text';
import type { InterruptTable } from '../reading/interrupts';
import type { Snapshot } from '../reading/snapshot';
import { irqKey } from './irq-keys';

/** The domains, the vectors, each interrupt, and the rows of /proc/interrupts without their counts. */
export function stateTexts({ lines, irqs }: Snapshot, table: InterruptTable | undefined): Texts {
  const keys = new Map(irqs.map(irq => [`irq ${irq.irq}`, irqKey(irq)]));
  const blocks = lensBlocks(lines).map(({ key, lines: [first, ...rest] }): [string, string] => {
    const text = (keys.has(key) ? rest : [first, ...rest]).join('\n').replaceAll(/ base_irq \d+/g, '');
    return [keys.get(key) ?? key, text];
  });
  const rows = table?.rows.map(({ label, description }) => `${keys.get(`irq ${label}`) ?? label}: ${description}`) ?? [];
  return new Map([...blocks, ...(rows.length > 0 ? [['/proc/interrupts', rows.join('\n')] as const] : [])]);
}

/** The snapshot under a label. */
export function stateAt({ snapshots, interrupts }: Capture, label: string): Texts {
  const snapshot = snapshots.find(one => one.label === label);
  return snapshot ? stateTexts(snapshot, interrupts.find(one => one.label === label)) : new Map();
}

/** Labels of the snapshots to compare: the last one that both have, and before it the one with most interrupts. */
export function labelsToCompare(a: Capture, b: Capture): string[] {
  const common = a.snapshots.filter(({ label }) => b.snapshots.some(other => other.label === label));
  const most = Math.max(...common.map(({ irqs }) => irqs.length));
  const fullest = common.find(({ irqs }) => irqs.length === most);
  return [...new Set([fullest, common.at(-1)].flatMap(snapshot => snapshot?.label ?? []))];
}
