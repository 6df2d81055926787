import type { Op } from '../../../stepper/op';
import { cpu_device_down, cpu_device_up } from '../../cpu';
import { EACCES, EINVAL, ENOENT } from '../../lib/errno';
import { kernel } from '../../world';

// /sys/devices/system/cpu: drivers/base/cpu.c and the part of drivers/base/core.c below it.

/** The boot CPU has no file `online`, unless the kernel is told that it may go. Source: arch/x86/kernel/topology.c, arch_register_cpu() */
export const cpu_is_hotpluggable = (cpu: number): boolean =>
  kernel.cpu_present_mask.test(cpu) && (cpu > 0 || kernel.config.cmdline.includes('cpu0_hotplug'));

/** @returns 0; 1 when it is up already; as cpu_device_up(). Source: drivers/base/core.c, device_online() */
function* device_online(cpu: number): Op<number> {
  return kernel.cpu_online_mask.test(cpu) ? 1 : yield* cpu_device_up(cpu);
}

/** @returns 0; 1 when it is down already; as cpu_device_down(). Source: drivers/base/core.c, device_offline() */
function* device_offline(cpu: number): Op<number> {
  return kernel.cpu_online_mask.test(cpu) ? yield* cpu_device_down(cpu) : 1;
}

/** What a shell finds where there is no file: in a directory that is there nobody may make one. */
const no_file = (cpu: number): number => (kernel.cpu_present_mask.test(cpu) ? -EACCES : -ENOENT);

/**
 * As `echo BUF > /sys/devices/system/cpu/cpuN/online`, by a task on another CPU.
 * @param buf "0" or "1", as kstrtobool() takes them
 * @returns the length written; -EACCES for a CPU that may not go, -ENOENT for one that is not there; -EINVAL; as cpu_device_down(). Source: drivers/base/core.c, online_store()
 */
export function* online_store(cpu: number, buf: string): Op<number> {
  if (!cpu_is_hotpluggable(cpu)) return no_file(cpu);
  const val = kstrtobool(buf);
  if (val === undefined) return -EINVAL;

  const ret = val ? yield* device_online(cpu) : yield* device_offline(cpu);
  return ret < 0 ? ret : buf.length;
}

/** Source: lib/kstrtox.c, kstrtobool() */
function kstrtobool(s: string): boolean | undefined {
  if (/^(y|Y|1|o[nN]|O[nN])/.test(s)) return true;
  if (/^(n|N|0|o[fF]|O[fF])/.test(s)) return false;
  return undefined;
}
