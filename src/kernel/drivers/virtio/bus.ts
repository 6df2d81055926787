import type { Op } from '../../../stepper/op';
import { virtio_devices, type virtio_device } from './pci';

/** A driver for devices of the virtio bus. */
export interface virtio_driver {
  readonly name: string;
  /** the devices that it is for */
  readonly id: number;
  /** @returns 0 or an errno */
  readonly probe: (vdev: virtio_device) => Op<number>;
  readonly remove: (vdev: virtio_device) => Op;
}

/** Source: drivers/virtio/virtio.c, register_virtio_driver() */
export function* register_virtio_driver(drv: virtio_driver): Op {
  for (const vdev of virtio_devices()) {
    if (vdev.driver !== null || vdev.id !== drv.id) continue;
    if ((yield* drv.probe(vdev)) === 0) vdev.driver = drv.name;
  }
}

/** Source: drivers/virtio/virtio.c, unregister_virtio_driver() */
export function* unregister_virtio_driver(drv: virtio_driver): Op {
  for (const vdev of virtio_devices().reverse()) {
    if (vdev.driver !== drv.name) continue;
    yield* drv.remove(vdev);
    vdev.driver = null;
  }
}
