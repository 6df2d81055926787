import type { LocalApic } from '../hardware/local-apic';
import { LOCAL_TIMER_VECTOR } from '../kernel/arch/x86/hw_irq';
import { do_IRQ_entry } from '../kernel/arch/x86/irq';
import { isPartOfCaller } from '../kernel/parts';
import { xen_evtchn_do_upcall } from '../kernel/drivers/xen/events/events_base';
import { enterWorld, type World } from '../kernel/world';
import { callsNow } from '../stepper/frames';
import type { Entry, Guest, Host, ScriptStep, TaskSpec } from '../stepper/guest';
import type { Op } from '../stepper/op';
import type { FunctionInfo } from '../stepper/registry';
import { structuralHash } from './world-hash';

/** The timer of a local APIC runs out. */
function tick(lapic: LocalApic): Op {
  lapic.accept(LOCAL_TIMER_VECTOR);
  return do_IRQ_entry(LOCAL_TIMER_VECTOR);
}

/** A World with a script: what the stepper runs. */
export class ModelGuest implements Guest {
  readonly cpus: number;
  private done = 0;

  /**
   * @param script made for this guest alone
   * @param host runs the tasks that the model starts; undefined: drain() only does
   */
  constructor(
    public world: World,
    private script: readonly ScriptStep[],
    public host?: Host,
  ) {
    this.cpus = world.kernel.nr_cpu_ids;
    this.begin(world, script);
  }

  /** Stands at the beginning, of another World too if it is on the same machine. */
  protected begin(world: World, script: readonly ScriptStep[]): void {
    this.world = world;
    this.script = script;
    this.done = 0;
    world.spawn = task => this.spawn(task);
    world.calls = () => callsNow().flatMap(fn => (this.isPart(fn) ? [] : [fn.name]));
  }

  private spawn(task: TaskSpec): void {
    if (!this.host) throw new Error(`nobody runs this guest: the task ${task.name} cannot start`);
    this.host.spawn(task);
  }

  enter(cpu: number): void {
    enterWorld(this.world, cpu);
  }

  /** What the CPU's local APIC offers, while the kernel has interrupts on there. */
  pending(cpu: number): Entry | null {
    const { kernel, machine } = this.world;
    if (!kernel.cpus[cpu].irqs_enabled) return null;
    const upcall = this.upcall(cpu);
    if (upcall) return upcall;
    const vector = machine.cpus[cpu].lapic.deliverable();
    if (vector === null) return this.ticks(cpu) ? { name: kernel.idt_table[LOCAL_TIMER_VECTOR]!.name, run: () => tick(machine.cpus[cpu].lapic) } : null;
    return { name: kernel.idt_table[vector]?.name ?? `vector ${vector}`, run: () => do_IRQ_entry(vector) };
  }

  /** Whether the CPU's own timer interrupts: there is no clock, so it does as soon as it is waited for. */
  protected ticks(cpu: number): boolean {
    return this.world.kernel.timers[cpu].length > 0;
  }

  /** What Xen wants of the CPU. It comes before what a local APIC offers. */
  private upcall(cpu: number): Entry | null {
    const { kernel, machine } = this.world;
    if (!machine.xen?.upcallWaiting(cpu)) return null;
    const { callbackVector } = machine.xen;
    if (callbackVector === null) return { name: 'xen_evtchn_do_upcall', run: () => do_IRQ_entry(0, xen_evtchn_do_upcall) };
    const { name, entry } = kernel.idt_table[callbackVector]!;
    return { name, run: () => do_IRQ_entry(callbackVector, entry) };
  }

  nextStep(): ScriptStep | null {
    return this.script[this.done++] ?? null;
  }

  steps(): readonly ScriptStep[] {
    return this.script;
  }

  isPart({ name }: FunctionInfo): boolean {
    return isPartOfCaller(name, this.world.changes);
  }

  hash(): string {
    return structuralHash([this.world, this.done]);
  }
}
