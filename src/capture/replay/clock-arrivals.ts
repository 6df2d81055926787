import { type apic_chip_data, apic_chip_data_of } from '../../kernel/arch/x86/apic/apic_chip_data';
import { hpet_channel } from '../../kernel/arch/x86/hpet';
import type { World } from '../../kernel/world';
import type { Probes } from '../../scenario/drain';
import { entryOf, functionsNamed, registrySize } from '../../stepper/registry';
import { $ } from '../../stepper/runtime';
import type { SysIrq } from '../reading/interrupts';

// A clock's interrupts leave no events. Few of them show: one that came before its timer had a user makes a line in the log, and one
// that came on a CPU that has the irq only for a while makes the difference between a row of /proc/interrupts and none.

/** Channels that interrupted before they had a user, each once for each line of the log. */
export function spuriousChannels(log: readonly string[]): number[] {
  return log.flatMap(line => /hpet: Spurious interrupt HPET channel (\d+)$/.exec(line)?.[1] ?? []).map(Number);
}

const allCame = ({ log }: World['kernel'], spurious: readonly number[], channel: number): boolean => {
  const times = (channels: readonly number[]): number => channels.filter(other => other === channel).length;
  return times(spuriousChannels(log.map(({ text }) => text))) >= times(spurious);
};

/** Whether an irq would make a line in the log that is not there. */
export function isTooEarly({ kernel }: World, spurious: readonly number[], irq: number): boolean {
  const hc = kernel.irq_desc_tree.get(irq)?.irq_common_data.handler_data;
  return hc instanceof hpet_channel && hc.event_handler === null && allCame(kernel, spurious, hc.num);
}

/**
 * Watches for the last moment at which such an interrupt can have come: before its timer gets a user, and before its irq is freed.
 * @param spurious channels, as the captured log has them
 * @param counts what the next snapshot shows
 * @param arrive has the irq come
 * @param moved is told of an irq whose first interrupt at its new place that is
 */
export function clockArrivals({ kernel }: World, spurious: readonly number[], counts: ReadonlyMap<number, SysIrq>, arrive: (irq: number, why: string) => void, moved: (irq: number) => void): Probes {
  const marks = new Uint8Array(registrySize());
  const byProbe = new Map<number, (arg: unknown) => void>();
  const watch = (symbol: string, pass: (arg: unknown) => void): void => {
    for (const fn of functionsNamed(symbol)) {
      const entry = entryOf(fn);
      if (!entry) continue;
      marks[entry.id] = 1;
      byProbe.set(entry.id, pass);
    }
  };

  const chipDataOf = (irq: number): apic_chip_data | null => apic_chip_data_of(kernel.irq_desc_tree.get(irq)!.irq_data);

  watch('clockevents_config_and_register', dev => {
    if (!(dev instanceof hpet_channel)) return;
    if (allCame(kernel, spurious, dev.num)) return;
    if (chipDataOf(dev.irq)?.move_in_progress) moved(dev.irq);
    arrive(dev.irq, 'before its timer had a user (dmesg.txt)');
  });
  watch('free_irq', arg => {
    const irq = Number(arg);
    const desc = kernel.irq_desc_tree.get(irq);
    if (!desc || !(desc.irq_common_data.handler_data instanceof hpet_channel)) return;
    const cpu = chipDataOf(irq)?.cpu;
    if (cpu !== undefined && (counts.get(irq)?.per_cpu_count[cpu] ?? 0) > (desc.kstat_irqs.get(cpu) ?? 0)) arrive(irq, `on CPU ${cpu} before it was freed`);
  });
  return { marks, pass: probe => byProbe.get(probe)!($.vals[$.sp][0]) };
}
