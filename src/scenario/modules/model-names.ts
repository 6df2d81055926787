import { checkedArguments } from './arguments';
import * as model from './model';

/** What a module can import from irqstep/model and has when it runs; types are not among it. */
export const modelNames: readonly string[] = Object.keys(model);

export const modelValue = (name: string): unknown => (Object.hasOwn(model, name) ? (model as Record<string, unknown>)[name] : undefined);

/** What a module gets by each name. */
export const modelValues: Readonly<Record<string, unknown>> = Object.freeze(Object.fromEntries(Object.entries(model).map(([name, value]) => [name, checkedArguments(name, value)])));

/** Inlines of the kernel's headers: they hand on another function's Op. */
const HAND_ON: ReadonlySet<string> = new Set<keyof typeof model>([
  'irq_domain_alloc_named_fwnode', 'irq_domain_alloc_named_id_fwnode', 'irq_domain_alloc_irqs', 'irq_set_status_flags', 'irq_clear_status_flags', 'irq_set_affinity',
]);

const GENERATOR: unknown = Object.getPrototypeOf(function* (): Generator<undefined> {
  yield;
});

/** Does a call of this one make an Op? */
export const isOpFunction = (name: string): boolean => Object.getPrototypeOf(modelValue(name)) === GENERATOR || HAND_ON.has(name);
