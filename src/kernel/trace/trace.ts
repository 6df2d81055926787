import { kernel } from '../world';

/** One line of the kernel's trace buffer. */
export interface TraceEvent {
  readonly event: string;
  readonly cpu: number;
  /** in a hard interrupt: the 'h' column */
  readonly hardirq: boolean;
  /** interrupts off: the 'd' column */
  readonly irqs_off: boolean;
  /** what stands behind "event: " */
  readonly text: string;
}

/** Records an event of the running CPU. A CPU that is no longer marked online records none, as tracepoints do. */
export function trace_event(event: string, text: string): void {
  const cpu = kernel.this_cpu;
  if (!kernel.cpu_online_mask.test(cpu)) return;
  const { hardirq_count, irqs_enabled } = kernel.cpus[cpu];
  kernel.trace.push({ event, cpu, hardirq: hardirq_count > 0, irqs_off: !irqs_enabled, text });
}

/** C's %d of a bool. */
export const flag = (value: boolean): number => (value ? 1 : 0);

/** C's %u of an int: counters that went below zero show as they do in the kernel. */
export const unsigned = (value: number): number => value >>> 0;
