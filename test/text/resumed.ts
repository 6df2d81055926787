import { readCapture, type Capture } from '../../src/capture/capture';
import { resume } from '../../src/capture/resume';
import type { World } from '../../src/kernel/world';
import { ModelGuest } from '../../src/scenario/guest';
import { boot, powerOn } from '../../src/scenario/power-on';

/** A world in the state of a snapshot. @param kernel for a capture of a kernel that the model does not have */
export function resumed(folder: string, label: string, kernel?: string): { world: World; capture: Capture } {
  const capture = readCapture(folder);
  const world = powerOn({ machine: capture.machine, kernel: kernel ?? capture.kernel!, cmdline: capture.cmdline, config: capture.config });
  const guest = new ModelGuest(world, []);
  boot(guest);
  guest.enter(0);
  resume(world, capture, label, []);
  return { world, capture };
}
