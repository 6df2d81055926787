import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';
import { ENOENT } from '../../lib/errno';

/** Something that a driver has got for its device and need not give back itself. */
export interface devres {
  readonly release: (dev: PciDev, res: unknown) => Op;
  readonly res: unknown;
}

/** Source: drivers/base/devres.c, devres_add() */
export function* devres_add(dev: PciDev, release: devres['release'], res: unknown): Op {
  dev.devres.push({ release, res });
}

/** The driver is gone, or its probe has failed: what was got last goes first. Source: drivers/base/devres.c, devres_release_all() */
export function* devres_release_all(dev: PciDev): Op {
  for (let node = dev.devres.pop(); node; node = dev.devres.pop()) yield* node.release(dev, node.res);
}

/** The driver gives it back itself: the last one that matches, which is not released. @returns 0, or -ENOENT. Source: drivers/base/devres.c, devres_destroy() */
export function* devres_destroy(dev: PciDev, release: devres['release'], match: (res: unknown) => boolean): Op<number> {
  const found = dev.devres.map(node => node.release === release && match(node.res)).lastIndexOf(true);
  if (found < 0) return -ENOENT;
  dev.devres.splice(found, 1);
  return 0;
}
