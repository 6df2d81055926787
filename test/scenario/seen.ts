// A scenario run on one kernel, and what a person who steps through it sees: each call, who made it, and its arguments.
import assert from 'node:assert/strict';
import { membersOf } from '../../debug-adapter/variables/layout';
import { type Call, recordCalls } from '../../src/recording/call-tree';
import { irq_alloc_info } from '../../src/kernel/arch/x86/hw_irq';
import type { irq_data } from '../../src/kernel/include/irq';
import type { irq_domain } from '../../src/kernel/include/irqdomain';
import { irq_alloc_type_name } from '../../src/kernel/include/msi';
import type { PciDev } from '../../src/kernel/include/pci';
import { kernel_death } from '../../src/kernel/lib/printk';
import { loadScenario, type ScenarioGuest } from '../../src/scenario/load';

interface SeenCall {
  readonly name: string;
  /** innermost first */
  readonly callers: readonly string[];
  readonly args: Readonly<Record<string, unknown>>;
}

/** What an irq_alloc_info looks like in the chosen kernel when it is handed on. */
export interface SeenInfo {
  readonly type: string | undefined;
  readonly members: readonly string[];
}

export class Seen {
  constructor(
    readonly guest: ScenarioGuest,
    readonly calls: readonly SeenCall[],
    /** the kernel's own words where it failed; empty where it did not */
    readonly report: readonly string[],
  ) {}

  get log(): string[] {
    return this.guest.world.kernel.log.map(({ text }) => text);
  }

  get results(): number[] {
    return this.guest.results.map(({ value }) => value);
  }

  called(name: string): boolean {
    return this.calls.some(call => call.name === name);
  }

  /** Of these functions those that were called. */
  which(...names: string[]): string[] {
    return names.filter(name => this.called(name));
  }

  private first(name: string): SeenCall {
    const found = this.calls.find(call => call.name === name);
    assert.ok(found, `${name}() is called`);
    return found;
  }

  /** Of the first call, innermost first. */
  callersOf(name: string, count: number): readonly string[] {
    return this.first(name).callers.slice(0, count);
  }

  /** The same, and nobody where it is not called. */
  callersIfCalled(name: string, count: number): readonly string[] {
    return this.called(name) ? this.callersOf(name, count) : [];
  }

  /** What the first call was handed. */
  info(name: string, param: string): SeenInfo {
    return this.first(name).args[param] as SeenInfo;
  }

  /** Types that the function was asked with, each once. */
  types(name: string): (string | undefined)[] {
    return [...new Set(this.calls.filter(call => call.name === name).map(({ args }) => (args['info'] as SeenInfo).type))];
  }

  device(name: string): PciDev {
    return this.guest.world.kernel.pci_devices.find(({ hw }) => hw.config.name === name)!;
  }

  domainOf(device: string): string | undefined {
    return this.device(device).msi_domain?.name;
  }

  /** Domains of an interrupt of the device, the outermost first. */
  chain(device: string, entry = 0): string[] {
    const { irq } = this.device(device).msi_list[entry];
    const names = [];
    for (let data: irq_data | null = this.guest.world.kernel.irq_desc_tree.get(irq)!.irq_data; data; data = data.parent_data) names.push((data.domain as irq_domain).name);
    return names;
  }

  /** Reasons of the remapping units' faults, each once. */
  get faults(): number[] {
    return [...new Set(this.guest.world.machine.events.flatMap(event => (event.kind === 'fault' ? [event.reason] : [])))];
  }

  /** How often hardware did this. */
  count(kind: string): number {
    return this.guest.world.machine.events.filter(event => event.kind === kind).length;
  }
}

function describe(name: string, value: unknown): unknown {
  if (!(value instanceof irq_alloc_info)) return undefined;
  return { type: irq_alloc_type_name(value.type), members: membersOf(value, 'irq_alloc_info').map(member => member.name) } satisfies SeenInfo;
}

/** @param kernel as parseKernel() reads it */
export async function see(path: string, kernel: string): Promise<Seen> {
  const loaded = loadScenario(path, undefined, { kernel, expect: false });
  assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.diagnostics));
  const { steps, stop, guest } = await recordCalls(loaded.make, describe);
  const { error } = stop;
  assert.ok(!error || error instanceof kernel_death, error?.stack);
  return new Seen(guest, steps.flatMap(({ call }) => flat(call, [])), error?.report ?? []);
}

const flat = (call: Call, callers: readonly string[]): SeenCall[] => {
  const args = Object.fromEntries(call.args.map(({ name, value }) => [name, value]));
  const own = { name: call.name, callers, args };
  return [own, ...call.items.flatMap(item => ('call' in item ? flat(item.call, [call.name, ...callers]) : []))];
};
