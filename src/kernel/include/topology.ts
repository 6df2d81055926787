import { cpumask } from '../lib/cpumask';
import { kernel, machine } from '../world';

// Inlines of include/linux/topology.h and arch/x86/include/asm/topology.h.

/** include/linux/numa.h */
export const NUMA_NO_NODE = -1;

/** Nodes with memory (node_online_map), ascending. */
export const node_online_map = (): number[] =>
  [...new Set(machine.config.memoryNodes ?? machine.cpus.map(({ node }) => node))].sort((a, b) => a - b);

/** num_possible_nodes(), num_online_nodes(): those that have memory or a CPU. */
export const num_possible_nodes = (): number => new Set([...node_online_map(), ...kernel.cpu_to_node]).size;

export const first_online_node = (): number => node_online_map()[0];

/** CPUs of `node` that are up; empty before the node's first CPU has been identified. */
export const cpumask_of_node = (node: number): cpumask => kernel.node_to_cpumask_map.get(node) ?? new cpumask(kernel.nr_cpu_ids);

export const topology_sibling_cpumask = (cpu: number): cpumask => kernel.cpu_sibling_map[cpu];

export const cpu_to_node = (cpu: number): number => kernel.cpu_to_node[cpu];

/** Highest possible node, plus one: one that has memory or a CPU. */
export const nr_node_ids = (): number => [...(machine.config.memoryNodes ?? []), ...kernel.cpu_to_node].reduce((most, node) => Math.max(most, node + 1), 1);

/** `cpu` comes up in its node. Source: arch/x86/mm/numa.c, numa_add_cpu() */
export function numa_add_cpu(cpu: number): void {
  const node = kernel.cpu_to_node[cpu];
  const mask = cpumask_of_node(node);
  mask.set(cpu);
  kernel.node_to_cpumask_map.set(node, mask);
}

/** `cpu` goes down. Source: arch/x86/mm/numa.c, numa_remove_cpu() */
export const numa_remove_cpu = (cpu: number): void => cpumask_of_node(kernel.cpu_to_node[cpu]).clear(cpu);
