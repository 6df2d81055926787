// Who runs next: deterministic, from the order of events alone.
import type { Guest, TaskSpec } from './guest';
import type { Wait } from './op';
import { findLast, Task, type Context } from './task';

export class Scheduler {
  /** Contexts on CPUs, in the order they began or took over: the last that can goes on first. */
  private readonly running: Context[] = [];
  /** Tasks without a CPU: new ones and sleepers, those who wait longest first. */
  private readonly waiting: Task[] = [];
  private readonly idle: Task[];
  private lastId: number;

  constructor(private readonly guest: Guest) {
    this.idle = Array.from({ length: guest.cpus }, (_, cpu) => new Task(cpu, `swapper/${cpu}`, cpu, true));
    this.lastId = guest.cpus;
  }

  spawn(spec: TaskSpec): void {
    if (!(spec.cpu in this.idle)) throw new RangeError(`task ${spec.name} wants CPU ${spec.cpu}; there are CPUs 0 to ${this.idle.length - 1}`);
    const task = new Task(this.lastId++, spec.name, spec.cpu, spec.daemon ?? false);
    task.push(spec.name, spec.run);
    this.waiting.push(task);
  }

  /** Entries first, lowest CPU first; then who was interrupted last; then who waits longest for a free CPU. */
  next(): Context | undefined {
    return this.takeEntry() ?? this.interrupted() ?? this.dispatch();
  }

  ended(context: Context): void {
    const { task } = context;
    task.contexts.pop();
    task.stack.sp = context.base;
    this.remove(context);
  }

  waits(context: Context, wait: Wait): void {
    context.wait = wait;
    // An entry keeps its CPU: it waits as an interrupt handler does, by spinning.
    if (wait.wait === 'window' || context.task.contexts.length > 1 || this.isIdle(context.task)) return;
    this.remove(context);
    this.waiting.push(context.task);
  }

  /** The task on a CPU, unless it idles. */
  taskOn(cpu: number): Task | undefined {
    return findLast(this.running, c => c.task.cpu === cpu)?.task;
  }

  /** Tasks that have run and wait for something. */
  get sleepers(): Task[] {
    return this.waiting.filter(task => task.top?.sleeping);
  }

  /** Contexts that nothing will wake, when nothing can run: all but the sleeping daemons. */
  get stuck(): Context[] {
    const tasks = this.waiting.filter(task => !task.daemon).map(task => task.top!);
    return [...this.running.filter(c => c.task.top === c), ...tasks];
  }

  private takeEntry(): Context | undefined {
    for (const idle of this.idle) {
      const task = this.taskOn(idle.cpu) ?? idle;
      if (task.top?.sleeping) continue;
      this.guest.enter(idle.cpu);
      const entry = this.guest.pending(idle.cpu);
      if (!entry) continue;
      const context = task.push(entry.name, entry.run);
      this.running.push(context);
      return context;
    }
    return undefined;
  }

  private interrupted(): Context | undefined {
    return findLast(this.running, c => c.task.top === c && this.canRun(c));
  }

  private dispatch(): Context | undefined {
    const index = this.waiting.findIndex(task => !this.taskOn(task.cpu) && this.canRun(task.top!));
    if (index < 0) return undefined;
    const [task] = this.waiting.splice(index, 1);
    const context = task.top!;
    this.running.push(context);
    return context;
  }

  private canRun(context: Context): boolean {
    this.guest.enter(context.task.cpu);
    return context.runnable;
  }

  private isIdle(task: Task): boolean {
    return this.idle[task.cpu] === task;
  }

  private remove(context: Context): void {
    const index = this.running.indexOf(context);
    if (index >= 0) this.running.splice(index, 1);
  }
}
