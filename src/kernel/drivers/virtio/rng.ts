import type { Op } from '../../../stepper/op';
import type { virtio_driver } from './bus';
import { type virtio_device, vp_del_vqs, vp_find_vqs } from './pci';

/** @returns 0 or an errno. Source: drivers/char/hw_random/virtio-rng.c, probe_common() */
function* virtrng_probe(vdev: virtio_device): Op<number> {
  return yield* vp_find_vqs(vdev, [{ name: 'input', callback: true }], null);
}

export const virtio_rng_driver: virtio_driver = Object.freeze({ name: 'virtio_rng', id: 4, probe: virtrng_probe, remove: vp_del_vqs });
