import { cpu_is_hotpluggable } from '../kernel/drivers/base/cpu';
import { cpumask } from '../kernel/lib/cpumask';
import type { World } from '../kernel/world';
import type { TextFile } from './text-file';

/** The files below /sys/devices/system/cpu that tell which CPUs there are. Source: drivers/base/cpu.c */
export function sysCpuFiles({ kernel }: World): TextFile[] {
  const { cpu_online_mask: online, cpu_possible_mask, cpu_present_mask, nr_cpu_ids } = kernel;
  const folder = '/sys/devices/system/cpu';
  const offline = new cpumask(nr_cpu_ids).copyFrom(cpu_possible_mask.andNot(online));
  const lists = Object.entries({ offline, online, possible: cpu_possible_mask, present: cpu_present_mask });
  return [
    ...lists.map(([name, mask]) => ({ path: `${folder}/${name}`, read: () => `${mask.toString()}\n` })),
    ...[...cpu_present_mask].filter(cpu_is_hotpluggable).map(cpu => ({ path: `${folder}/cpu${cpu}/online`, read: () => `${online.test(cpu) ? 1 : 0}\n` })),
  ];
}
