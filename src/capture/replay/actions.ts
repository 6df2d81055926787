import { online_store } from '../../kernel/drivers/base/cpu';
import { e1000e_open } from '../../kernel/drivers/e1000e';
import { delete_module, has_module, init_module } from '../../kernel/drivers/modules';
import { AFFINITY, AFFINITY_LIST, write_irq_affinity } from '../../kernel/irq/proc';
import { kernel } from '../../kernel/world';
import type { Op } from '../../stepper/op';
import { lens_command, type lens_slot } from './irqlens';
import type { PlannedItem } from './plan';
import { shellResult } from './shell';

/** What an item of the script does. @returns what the script gets; undefined where nobody looks at it */
export type Performed = Op<string | undefined>;

/**
 * The task that performs an item.
 * @param slots what the module irqlens knows of its devices
 * @returns undefined for an item that is not understood
 */
export function actionOf({ kind, text, command }: PlannedItem, slots: lens_slot[]): (() => Performed) | undefined {
  if (kind === 'command') {
    if (command!.kind === 'CMD') return () => lens_command(slots, text);
    return command!.kind === 'WRITE' ? written(text) : shellCommand(text);
  }
  const module = /^insmod (\w+)$/.exec(text)?.[1];
  if (module !== undefined) return has_module(module) ? () => silent(init_module(module)) : undefined;
  if (text === 'ip link set up') return () => silent(link_up());
  return text === 'traffic' ? () => silent(nothing()) : undefined;
}

/** `/proc/irq/24/smp_affinity_list <- 1` */
function written(text: string): (() => Performed) | undefined {
  const match = /^\/proc\/irq\/(\d+)\/(smp_affinity(?:_list)?) <-(.*)$/.exec(text);
  return match ? () => shell(write_irq_affinity(match[2] === 'smp_affinity' ? AFFINITY : AFFINITY_LIST, Number(match[1]), `${match[3].trimStart()}\n`)) : undefined;
}

function shellCommand(text: string): (() => Performed) | undefined {
  const online = /^echo (\S+) > \/sys\/devices\/system\/cpu\/cpu(\d+)\/online$/.exec(text);
  if (online) return () => shell(online_store(Number(online[2]), online[1]));
  const affinity = /^echo (.*) > (\/proc\/irq\/\d+\/smp_affinity(?:_list)?)$/.exec(text);
  if (affinity) return written(`${affinity[2]} <- ${affinity[1]}`);
  const [, command, module = ''] = /^(rmmod|insmod|modprobe) (?:\S*\/)?([\w-]+)(?:\.ko)?$/.exec(text) ?? [];
  const name = module.replaceAll('-', '_');
  if (!has_module(name)) return undefined;
  return () => shell(command === 'rmmod' ? delete_module(name) : init_module(name));
}

function* shell(op: Op<number>): Performed {
  return shellResult(yield* op);
}

function* silent(op: Op<number>): Performed {
  yield* op;
  return undefined;
}

function* nothing(): Op<number> {
  return 0;
}

/** The script brings up the network card whose name comes first. */
function* link_up(): Op<number> {
  const dev = kernel.pci_devices.find(({ driver }) => driver === 'e1000e');
  return dev ? yield* e1000e_open(dev) : 0;
}
