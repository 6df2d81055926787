import { irqOf, isOfInterrupt, taskOf, type TraceLine } from '../reading/trace';

/** The captured events of one interrupt: those of one CPU up to another event or another irq; the interrupt that moves an irq is not the one that frees its old vector. */
export function burstOf(lines: Iterable<TraceLine>): readonly TraceLine[] {
  const burst: TraceLine[] = [];
  const irqs = new Set<number>();
  for (const line of lines) {
    const irq = irqOf(line);
    if (line.event.endsWith('_free_moved') && burst.some(({ event }) => event === 'vector_update')) break;
    if (!line.hardirq || line.cpu !== (burst[0] ?? line).cpu || (irq !== undefined && irqs.size > 0 && !irqs.has(irq))) break;
    if (irq !== undefined) irqs.add(irq);
    burst.push(line);
  }
  return burst;
}

/** A task's first captured event, of those before line `until`. @param is one that is looked for */
export function firstOf(lines: Iterable<TraceLine>, until: number, task: string, is: (line: TraceLine) => boolean = () => true): TraceLine | undefined {
  for (const line of lines) {
    if (line.line >= until) return undefined;
    if (!isOfInterrupt(line) && taskOf(line) === task && is(line)) return line;
  }
  return undefined;
}
