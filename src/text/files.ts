import type { World } from '../kernel/world';
import { debugfsDefaultDomain, debugfsDomain, debugfsIrq } from './debugfs-irq';
import { dmesg } from './dmesg';
import { bitsHex } from './format';
import { intelIrFiles } from './intel-ir';
import { procInterrupts } from './proc-interrupts';
import { procIrqFiles } from './proc-irq';
import { sysCpuFiles } from './sys-cpu';
import { SYS_IRQ } from './sys-irq';
import { sysPciFiles } from './sys-pci';
import { KernelReadError, type TextFile } from './text-file';
import { traceText } from './trace';

/** Every file that `world` has now, those that are many last. */
export function textFiles(world: World): TextFile[] {
  const { irq_desc_tree, irq_domain_list } = world.kernel;
  const irqs = [...irq_desc_tree].sort(([a], [b]) => a - b);
  return [
    { path: '/proc/interrupts', read: () => procInterrupts(world) },
    { path: '/proc/irq/default_smp_affinity', read: () => `${bitsHex(world.kernel.irq_default_affinity)}\n` },
    { path: '/sys/kernel/debug/irq/domains/default', read: () => debugfsDefaultDomain(world) },
    ...[...irq_domain_list].map(domain => ({ path: `/sys/kernel/debug/irq/domains/${domain.name}`, read: () => debugfsDomain(world, domain) })),
    ...irqs.map(([irq, desc]) => ({ path: `/sys/kernel/debug/irq/irqs/${irq}`, read: () => debugfsIrq(world, desc) })),
    ...intelIrFiles(world),
    ...sysCpuFiles(world),
    { path: '/sys/kernel/tracing/trace', read: () => traceText(world) },
    { path: 'dmesg', read: () => dmesg(world) },
    ...sysPciFiles(world),
    ...irqs.flatMap(([irq, desc]) => procIrqFiles(irq, desc)),
    ...irqs.flatMap(([irq, desc]) => Object.entries(SYS_IRQ).map(([name, print]) => ({ path: `/sys/kernel/irq/${irq}/${name}`, read: () => print(desc, world) }))),
  ];
}

/** Short names of files that have long ones. */
const ALIASES: Record<string, string> = { trace: '/sys/kernel/tracing/trace', '/sys/kernel/debug/tracing/trace': '/sys/kernel/tracing/trace', '/dev/kmsg': 'dmesg' };

/**
 * The text of one file.
 * @throws KernelReadError with the kernel's errno; for ENOENT it names the nearest files
 */
export function readTextFile(world: World, path: string): string {
  const files = textFiles(world);
  const wanted = ALIASES[path] ?? path;
  const found = files.find(file => file.path === wanted);
  if (found) return found.read();
  if (wanted.startsWith('/') && files.some(file => file.path.startsWith(`${wanted.replace(/\/$/, '')}/`))) throw new KernelReadError(path, 'EISDIR', 'this is a directory');
  throw new KernelReadError(path, 'ENOENT', `the kernel shows no such file; the nearest are ${nearest(wanted, files.map(file => file.path)).join(', ')}`);
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
