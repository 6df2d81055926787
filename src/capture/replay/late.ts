import type { Kernel } from '../../kernel/globals';
import { ModelGuest } from '../../scenario/guest';
import type { Entry } from '../../stepper/guest';
import type { ScriptAction } from '../reading/script';
import type { TraceLine } from '../reading/trace';

// A CPU takes an interrupt some time after it was raised: the script may have gone on by then. When is known only from the capture.

/** A guest whose CPUs can be kept from taking their interrupts. */
export class HoldingGuest extends ModelGuest {
  readonly held = new Set<number>();
  private ticking: number | null = null;

  override pending(cpu: number): Entry | null {
    return this.held.has(cpu) ? null : super.pending(cpu);
  }

  /** Whether a timer waits on the CPU. */
  waitsForTick(cpu: number): boolean {
    return super.ticks(cpu);
  }

  /** When a CPU's own timer interrupts is known only from the capture, too. @param take has the CPU take its interrupts */
  tick(cpu: number, take: () => void): void {
    this.ticking = cpu;
    take();
    this.ticking = null;
  }

  protected override ticks(cpu: number): boolean {
    return this.ticking === cpu && super.ticks(cpu);
  }
}

/** Whether a command has a device raise its interrupt. */
export const fires = ({ kind, text }: ScriptAction): boolean => kind === 'CMD' && text.startsWith('fire ');

/** The irqs for which a command makes CPUs take interrupts: it fires one, or moves one that nothing else fires, whose old CPU then gets an IPI. */
export function raisedBy(action: ScriptAction, { pci_devices, irq_desc_tree }: Kernel): readonly number[] {
  const [word, bdf] = action.text.split(' ');
  if (fires(action)) return pci_devices.find(({ name }) => name === bdf)?.msi_irqs ?? [];
  const irq = Number(/^\/proc\/irq\/(\d+)\//.exec(word)?.[1]);
  return action.kind === 'WRITE' && irq_desc_tree.get(irq)?.action?.name === 'irqlens' ? [irq] : [];
}

/**
 * What hard interrupts did for an irq behind the command that raised it, and before anything else that may raise one: a command that fires, or one that moves an irq.
 * @param events all of the capture's, in order
 * @param span lines where the command begins, where what is behind it begins, and where the next one is that fires
 * @param irqs that the command raises
 * @returns the first event of each CPU that has none of them while the command ran
 */
export function lateEvents(events: readonly TraceLine[], [first, behind, next]: readonly [number, number, number], irqs: readonly number[]): TraceLine[] {
  const between = (from: number, to: number): TraceLine[] => events.filter(({ line }) => line >= from && line < to);
  const seen = new Set(ofIrqs(between(first, behind), irqs).map(({ cpu }) => cpu));
  return ofIrqs(until(between(behind, next), ({ hardirq }) => !hardirq), irqs).filter(({ cpu }) => !seen.has(cpu) && seen.add(cpu));
}

function until<T>(list: readonly T[], end: (element: T) => boolean): readonly T[] {
  const at = list.findIndex(end);
  return at < 0 ? list : list.slice(0, at);
}

const ofIrqs = (events: readonly TraceLine[], irqs: readonly number[]): TraceLine[] =>
  events.filter(({ hardirq, text }) => hardirq && irqs.includes(Number(/^irq=(\d+)/.exec(text)?.[1])));
