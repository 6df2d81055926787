import type { TraceEvent } from '../../kernel/trace/trace';

/** What the matrix of the modelled kernel counts wrongly, as its trace tells: by how much each counter must be off. */
export class Drift {
  /** bits too many in `available` of a CPU: set aside while it was offline, less those given back then */
  readonly available = new Map<number, number>();
  /** bits too many in total_allocated: freed on CPUs that were offline */
  total = 0;
  /** how often each CPU has come up */
  private readonly ups = new Map<number, number>();

  note({ event, cpu, text }: TraceEvent): void {
    if (event === 'irq_matrix_online') this.up(cpu);
    const [, on, online] = /\bcpu=(\d+) online=([01])\b/.exec(text) ?? [];
    if (online !== '0') return;
    if (event === 'irq_matrix_free') this.total++;
    if (event === 'irq_matrix_reserve_managed') this.count(Number(on), 1);
    if (event === 'irq_matrix_remove_managed') this.count(Number(on), -1);
  }

  /** Whether a CPU has been up before, and down since. */
  hasBeenDown(cpu: number, online: boolean): boolean {
    return (this.ups.get(cpu) ?? 0) > 1 || !online;
  }

  /** When it comes up for the first time, irq_matrix_online() counts what was set aside. */
  private up(cpu: number): void {
    const ups = this.ups.get(cpu) ?? 0;
    if (ups === 0) this.available.delete(cpu);
    this.ups.set(cpu, ups + 1);
  }

  private count(cpu: number, by: number): void {
    this.available.set(cpu, (this.available.get(cpu) ?? 0) + by);
  }
}
