import type { apic_chip_data } from '../../kernel/arch/x86/apic/apic_chip_data';
import type { irq_data } from '../../kernel/include/irq';
import type { cpumask } from '../../kernel/lib/cpumask';
import type { World } from '../../kernel/world';
import type { Probes } from '../../scenario/drain';
import { entryOf, functionsNamed, registrySize } from '../../stepper/registry';
import { $ } from '../../stepper/runtime';

/** An event at the entry of a function, as the rig that made the captures defines it (init/init). */
interface Kprobe {
  readonly event: string;
  readonly symbol: string;
  /** @param args of the function */
  readonly text?: (args: readonly unknown[]) => string;
  /** most kernels have the function within its callers, where no probe can be */
  readonly isRare?: true;
}

const KPROBES: readonly Kprobe[] = [
  { event: 'kp_update_vector', symbol: 'apic_update_vector', text: ([irqd, vector, cpu]) => `irq=${(irqd as irq_data).irq} vector=${Number(vector)} cpu=${Number(cpu)}` },
  { event: 'kp_clear_vector', symbol: 'clear_irq_vector', text: ([irqd]) => `irq=${(irqd as irq_data).irq}` },
  { event: 'kp_free_moved', symbol: 'free_moved_vector', text: ([apicd]) => freeMoved(apicd as apic_chip_data) },
  { event: 'kp_matrix_offline', symbol: 'irq_matrix_offline' },
  {
    event: 'kp_do_set_affinity',
    symbol: 'irq_do_set_affinity',
    text: ([data, mask, force]) => `irq=${(data as irq_data).irq} mask=0x${firstWord(mask as cpumask).toString(16)} force=${force === true ? 1 : 0}`,
  },
  { event: 'kp_force_complete', symbol: 'irq_force_complete_move' },
  { event: 'kp_managed_shutdown', symbol: 'vector_assign_managed_shutdown', text: ([irqd]) => `irq=${(irqd as irq_data).irq}`, isRare: true },
];

const freeMoved = ({ irq, prev_vector, prev_cpu }: apic_chip_data): string => `irq=${irq} prev_vector=${prev_vector} prev_cpu=${prev_cpu}`;

/** The 64 bits that the rig fetches of a mask. */
const firstWord = ({ words }: cpumask): bigint => BigInt(words[0]) | (BigInt(words.at(1) ?? 0) << 32n);

/** `(symbol+0x0/0x1f0) irq=1`, or +0x4 where a function begins with ENDBR64, without what depends on how the kernel was compiled: `(symbol) irq=1`. */
export const kprobeText = (captured: string): string => captured.replace(/^\((\w+)\+0x[04]\/0x[0-9a-f]+\)/, '($1)').trim();

/** Makes the model record the rig's kprobe events in its trace, on CPUs that are not online too. For drain(). @param seen names of events in the capture */
export function kprobes({ kernel }: World, seen: ReadonlySet<string>): Probes {
  const marks = new Uint8Array(registrySize());
  const byProbe = new Map<number, Kprobe>();
  for (const kprobe of KPROBES.filter(({ event, isRare }) => !isRare || seen.has(event))) {
    for (const fn of functionsNamed(kprobe.symbol)) {
      const entry = entryOf(fn);
      if (!entry) continue;
      marks[entry.id] = 1;
      byProbe.set(entry.id, kprobe);
    }
  }
  return {
    marks,
    pass(probe) {
      const { event, symbol, text } = byProbe.get(probe)!;
      const { this_cpu: cpu, cpus } = kernel;
      const { hardirq_count, irqs_enabled } = cpus[cpu];
      kernel.trace.push({ event, cpu, hardirq: hardirq_count > 0, irqs_off: !irqs_enabled, text: `(${symbol}) ${text?.($.vals[$.sp]) ?? ''}`.trim() });
    },
  };
}
