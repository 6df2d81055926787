// What a name in an expression means at a place of the run.
import type { World } from '../../src/kernel/world';
import type { Names } from './expression';
import { CONSTANTS } from '../variables/flags';
import type { Variables } from '../variables/interrupt';

/** Pure helpers. */
const HELPERS: Readonly<Record<string, (world: World, arg: unknown) => unknown>> = {
  irq: ({ kernel }, irq) => kernel.irq_desc_tree.get(Number(irq)) ?? null,
  cpu: ({ machine }, cpu) => machine.cpus[Number(cpu)] ?? null,
  domain: ({ kernel }, name) => kernel.irq_domain_list.find(d => d.name === name) ?? null,
};

export const HELPER_NAMES = Object.keys(HELPERS);

/** The innermost variable of the frame, then kernel globals, then the constants of its headers. */
export function namesOf(frame: Variables | undefined, world: World): Names {
  return {
    lookup(name) {
      const at = frame?.names.lastIndexOf(name) ?? -1;
      if (at >= 0) return { value: frame!.values[at] };
      return globalNamed(name, world);
    },
    all: () => [...(frame?.names ?? []), ...Object.keys(world.kernel), 'kernel', 'machine', ...Object.keys(CONSTANTS)],
    call: (helper, args) => HELPERS[helper](world, args[0]),
  };
}

export function globalNamed(name: string, { kernel, machine }: World): { value: unknown } | undefined {
  if (Object.hasOwn(kernel, name)) return { value: (kernel as Readonly<Record<string, unknown>>)[name] };
  if (name === 'kernel') return { value: kernel };
  if (name === 'machine') return { value: machine };
  return Object.hasOwn(CONSTANTS, name) ? { value: CONSTANTS[name] } : undefined;
}
