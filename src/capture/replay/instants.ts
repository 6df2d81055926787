import type { Capture } from '../capture';
import type { Part } from '../model-and-capture/compare-state';
import type { TraceLine } from '../reading/trace';

// A snapshot takes its time: which of its parts were taken behind an interrupt shows in them.

const field = ({ text }: TraceLine, name: string): number => Number(new RegExp(`\\b${name}=(\\d+)`).exec(text)?.[1]);

/** Whether a part of the snapshot `label` was taken behind an interrupt that did `burst`: it shows what the interrupt gave, and no longer what it freed. */
export function shows(capture: Capture, label: string, part: Part, burst: readonly TraceLine[]): boolean {
  return burst.every(line => {
    if (line.event === 'vector_update') return showsUpdate(capture, label, part, line);
    return line.event !== 'vector_free_moved' || showsFree(capture, label, part, line);
  });
}

function showsUpdate(capture: Capture, label: string, part: Part, line: TraceLine): boolean {
  const [irq, vector, cpu] = ['irq', 'vector', 'cpu'].map(name => field(line, name));
  if (part === 'interrupts' || part === 'tables') {
    const effective = effectiveOf(capture, label, irq);
    if (effective !== undefined && effective !== '') return effective === String(cpu);
  }
  if (part === 'matrix') return mapOf(capture, label, cpu).includes(vector);
  const own = vectorOf(capture, label, irq);
  return own?.vector === vector && own.cpu === cpu;
}

function showsFree(capture: Capture, label: string, part: Part, line: TraceLine): boolean {
  if (part === 'matrix') return !mapOf(capture, label, field(line, 'cpu')).includes(field(line, 'vector'));
  return vectorOf(capture, label, field(line, 'irq'))?.prev_vector !== field(line, 'vector');
}

const snapshotOf = ({ snapshots }: Capture, label: string): Capture['snapshots'][number] | undefined => snapshots.find(s => s.label === label);

const mapOf = (capture: Capture, label: string, cpu: number): readonly number[] => snapshotOf(capture, label)?.matrix?.cpus.find(map => map.cpu === cpu)?.alloc_map ?? [];

const vectorOf = (capture: Capture, label: string, irq: number) => snapshotOf(capture, label)?.irqs.find(other => other.irq === irq)?.chain.at(-1)?.vector;

function effectiveOf({ sysIrqs }: Capture, label: string, irq: number): string | undefined {
  const source = sysIrqs.find(s => s.label === label)?.irqs.find(other => other.irq === irq)?.source;
  return /\|effective_affinity_list=([^|]*)/.exec(source ?? '')?.[1];
}
