import type { World } from '../kernel/world';
import { debugfsDomain, debugfsIrq } from './debugfs-irq';
import { dmesg } from './dmesg';
import { bitsHex } from './format';
import { PROC_IRQ } from './proc-irq';
import { procInterrupts } from './proc-interrupts';
import { sysCpuFiles } from './sys-cpu';
import { traceText } from './trace';

/** A file that the modelled kernel shows. */
export interface TextFile {
  readonly path: string;
  read(): string;
}

/** Every file that `world` has now, those that are many last. */
export function textFiles(world: World): TextFile[] {
  const { irq_desc_tree, irq_domain_list } = world.kernel;
  const irqs = [...irq_desc_tree].sort(([a], [b]) => a - b);
  return [
    { path: '/proc/interrupts', read: () => procInterrupts(world) },
    { path: '/proc/irq/default_smp_affinity', read: () => `${bitsHex(world.kernel.irq_default_affinity)}\n` },
    ...[...irq_domain_list].map(domain => ({ path: `/sys/kernel/debug/irq/domains/${domain.name}`, read: () => debugfsDomain(world, domain) })),
    ...irqs.map(([irq, desc]) => ({ path: `/sys/kernel/debug/irq/irqs/${irq}`, read: () => debugfsIrq(world, desc) })),
    ...sysCpuFiles(world),
    { path: '/sys/kernel/tracing/trace', read: () => traceText(world) },
    { path: 'dmesg', read: () => dmesg(world) },
    ...irqs.filter(([, desc]) => desc.dir !== null).flatMap(([irq, desc]) => Object.entries(PROC_IRQ).map(([name, print]) => ({ path: `/proc/irq/${irq}/${name}`, read: () => print(desc) }))),
  ];
}

/** Short names of files that have long ones. */
const ALIASES: Record<string, string> = { trace: '/sys/kernel/tracing/trace', '/dev/kmsg': 'dmesg' };

/**
 * The text of one file.
 * @throws Error that names the nearest files when there is none of this path
 */
export function readTextFile(world: World, path: string): string {
  const files = textFiles(world);
  const wanted = ALIASES[path] ?? path;
  const found = files.find(file => file.path === wanted);
  if (found) return found.read();
  throw new Error(`the kernel shows no file ${path}; the nearest are ${nearest(wanted, files.map(file => file.path)).join(', ')}`);
}

/** Those that end with the path: "VECTOR", "irqs/25". Else those that begin as it does. */
function nearest(path: string, existing: readonly string[]): string[] {
  const ending = existing.filter(other => other.endsWith(`/${path.replace(/^\//, '')}`));
  if (ending.length > 0) return ending.slice(0, 3);
  const ranked = existing.map(other => ({ other, alike: commonPrefix(path, other) })).sort((a, b) => b.alike - a.alike || a.other.length - b.other.length);
  return ranked.slice(0, 3).map(({ other }) => other);
}

function commonPrefix(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
