// Operations by chance, as steps of a scenario that a sane driver might be in.
import fc from 'fast-check';
import { deviceKind } from '../../src/scenario/devices';
import type { AllocSection } from '../../src/scenario/driver-sections';
import type { DeviceSection } from '../../src/scenario/machine-sections';
import type { StepMap } from '../../src/scenario/scenario-file';
import type { Head } from './machines';

/** An operation before it is known on which machine: every number is taken modulo what is there. */
export interface Draw {
  readonly kind: Kind;
  readonly device: number;
  readonly vector: number;
  readonly cpu: number;
  readonly choice: number;
}

/** What the scenario has done to a device, as far as that is known without running it: what may have failed counts as done. */
class Usage {
  state: 'unused' | 'driver' | 'by hand' = 'unused';
  vectors = 0;
  line = false;
  readonly requested = new Set<number>();
  constructor(readonly device: DeviceSection) {}
}

type Step = StepMap | undefined;

interface Place {
  readonly head: Head;
  readonly usage: Usage;
  readonly draw: Draw;
}

const ALLOCS: readonly AllocSection[] = [
  { min: 1, max: 4 },
  { min: 1, max: 1, flags: ['PCI_IRQ_MSI'] },
  { min: 2, max: 32, flags: ['PCI_IRQ_MSI'] },
  { min: 1, max: 80, flags: ['PCI_IRQ_MSIX'] },
  { min: 3, max: 20, flags: ['PCI_IRQ_MSIX', 'PCI_IRQ_AFFINITY'], pre: 1, post: 1 },
  { min: 2, max: 8, flags: ['PCI_IRQ_MSI', 'PCI_IRQ_AFFINITY'] },
  { min: 250, max: 300, flags: ['PCI_IRQ_MSIX'] },
  { min: 1, max: 1, flags: ['PCI_IRQ_LEGACY'] },
];

const REQUESTS = [{}, {}, { flags: ['IRQF_NOBALANCING'] }, { handler: 'IRQ_WAKE_THREAD', flags: ['IRQF_ONESHOT'] }, { handler: 'IRQ_WAKE_THREAD' }, { flags: ['IRQF_NO_THREAD'] }] as const;

/** CPUs that an affinity names: one, a range, or all. */
function cpus(draw: Draw, count: number): string {
  const one = draw.cpu % count;
  if (draw.choice % 4 < 2) return String(one);
  return draw.choice % 4 === 2 ? `${one}-${count - 1}` : `0-${count - 1}`;
}

/** What each kind of operation is here; undefined: nothing that anybody would do now. */
const KINDS = {
  probe({ head, usage, draw }: Place): Step {
    if (usage.state !== 'unused') return undefined;
    const names = Object.keys(head.drivers);
    const own = deviceKind(usage.device).driver;
    usage.state = 'driver';
    return { probe: own !== undefined && draw.choice % 2 ? usage.device.name : { device: usage.device.name, driver: names[draw.choice % names.length] } };
  },
  remove({ usage }: Place): Step {
    if (usage.state !== 'driver') return undefined;
    usage.state = 'unused';
    return { remove: usage.device.name };
  },
  alloc({ usage, draw }: Place): Step {
    if (usage.state === 'driver' || usage.requested.size > 0) return undefined;
    const alloc = ALLOCS[draw.choice % ALLOCS.length];
    usage.state = 'by hand';
    usage.vectors = Math.max(usage.vectors, alloc.max);
    usage.line = alloc.flags?.includes('PCI_IRQ_LEGACY') ?? false;
    return { alloc: { device: usage.device.name, ...alloc, ...(alloc.flags && { flags: [...alloc.flags] }) } };
  },
  freeVectors({ usage }: Place): Step {
    // the kernel has a BUG_ON() for what is still requested
    if (usage.state !== 'by hand' || usage.requested.size > 0) return undefined;
    usage.state = 'unused';
    usage.vectors = 0;
    usage.line = false;
    return { freeVectors: usage.device.name };
  },
  request({ usage, draw }: Place): Step {
    const vector = draw.vector % (usage.vectors || 1);
    if (usage.state !== 'by hand' || usage.requested.has(vector)) return undefined;
    usage.requested.add(vector);
    const { flags = [], ...rest } = { ...REQUESTS[draw.choice % REQUESTS.length] } as Partial<NonNullable<StepMap['request']>>;
    return { request: { device: usage.device.name, vector, ...rest, flags: usage.line ? [...flags, 'IRQF_SHARED'] : [...flags] } };
  },
  free({ usage, draw }: Place): Step {
    const vector = anyOf(usage.requested, draw.vector);
    if (vector === undefined) return undefined;
    usage.requested.delete(vector);
    return { free: { device: usage.device.name, vector } };
  },
  disable({ usage, draw }: Place): Step {
    const vector = anyOf(usage.requested, draw.vector);
    return vector === undefined ? undefined : { disable: { device: usage.device.name, vector } };
  },
  enable({ usage, draw }: Place): Step {
    const vector = anyOf(usage.requested, draw.vector);
    return vector === undefined ? undefined : { enable: { device: usage.device.name, vector } };
  },
  raise({ usage: { device }, draw }: Place): Step {
    const { msix, msi } = deviceKind(device);
    const entries = Math.max(msix || 0, msi ? msi.vectors : 0);
    return entries === 0 ? undefined : { raise: { device: device.name, entry: draw.vector % entries } };
  },
  assert: ({ usage }: Place): Step => (usage.line && usage.requested.has(0) ? { assert: usage.device.name } : undefined),
  deassert: ({ usage }: Place): Step => (usage.line ? { deassert: usage.device.name } : undefined),
  affinity({ head, usage, draw }: Place): Step {
    if (usage.state === 'unused') return undefined;
    return { affinity: { device: usage.device.name, vector: draw.vector % (usage.state === 'by hand' ? usage.vectors || 1 : 4), cpus: cpus(draw, head.machine.cpus) } };
  },
  irqAffinity: ({ head, draw }: Place): Step => ({ affinity: { irq: draw.vector % 32, cpus: cpus(draw, head.machine.cpus) } }),
  offline: ({ head, draw }: Place): Step => ({ offline: draw.cpu % head.machine.cpus }),
  online: ({ head, draw }: Place): Step => ({ online: draw.cpu % head.machine.cpus }),
} satisfies Record<string, (place: Place) => Step>;

type Kind = keyof typeof KINDS;

const anyOf = (set: ReadonlySet<number>, choice: number): number | undefined => [...set][choice % set.size];

/** How often each kind is drawn. */
const WEIGHTS: Record<Kind, number> = {
  probe: 4, remove: 2, alloc: 5, freeVectors: 2, request: 10, free: 5, disable: 2, enable: 2, raise: 12, assert: 2, deassert: 1, affinity: 10, irqAffinity: 1, offline: 4, online: 5,
};

const KIND_NAMES = Object.keys(KINDS) as Kind[];

export const draws: fc.Arbitrary<Draw> = fc.record({
  kind: fc.oneof(...KIND_NAMES.map(kind => ({ arbitrary: fc.constant(kind), weight: WEIGHTS[kind] }))),
  device: fc.nat(4),
  vector: fc.oneof(fc.nat(3), fc.nat(299)),
  cpu: fc.nat(63),
  choice: fc.nat(23),
});

/** The steps that the draws come to on this machine. */
export function stepsOf(head: Head, drawn: readonly Draw[]): StepMap[] {
  const usages = head.machine.devices.map(device => new Usage(device));
  return drawn.flatMap(draw => {
    const step = KINDS[draw.kind]({ head, usage: usages[draw.device % usages.length], draw });
    return step ? [{ ...step, cpu: (draw.cpu >> 1) % head.machine.cpus }] : [];
  });
}
