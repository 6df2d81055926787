import type { Op } from '../../../stepper/op';
import type { PciDev } from '../../include/pci';

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
