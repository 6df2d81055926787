import type { Op } from '../../../../stepper/op';
import { node_online_map } from '../../../include/topology';
import { kernel, machine } from '../../../world';

// Which node a CPU belongs to: arch/x86/mm/numa.c.

/** For CPUs that the firmware puts nowhere: the nodes with memory in turn. Source: arch/x86/mm/numa.c, numa_init_array() */
export function* numa_init_array(): Op {
  const online = node_online_map();
  for (let cpu = 0; cpu < kernel.nr_cpu_ids; cpu++) kernel.cpu_to_node[cpu] = online[cpu % online.length];
}

/** A CPU's node is known by its APIC id; a place without a CPU has none. Source: arch/x86/mm/numa.c, init_cpu_to_node() */
export function* init_cpu_to_node(): Op {
  for (const [cpu, { node, present = true }] of machine.cpus.entries()) if (present && cpu < kernel.nr_cpu_ids) kernel.cpu_to_node[cpu] = node;
}
