import type { Op } from '../../../stepper/op';
import type { irq_affinity } from '../../include/interrupt';
import { kernel } from '../../world';
import { pci_msix_vec_count } from '../pci/msi';
import type { virtio_driver } from './bus';
import { type virtio_device, vp_del_vqs, vp_find_vqs } from './pci';

/** How many queues the device has: its configuration is in a BAR, but it has a vector for each queue and one more. */
function* num_queues(vdev: virtio_device): Op<number> {
  return Math.max((yield* pci_msix_vec_count(vdev.pci_dev)) - 1, 1);
}

/** A queue for each CPU at most, spread over the CPUs. @returns 0 or an errno. Source: drivers/block/virtio_blk.c, init_vq() */
function* init_vq(vdev: virtio_device): Op<number> {
  const desc: irq_affinity = { pre_vectors: 0, post_vectors: 0, nr_sets: 0, set_size: [0, 0, 0, 0] };
  const num_vqs = Math.min(kernel.nr_cpu_ids, yield* num_queues(vdev));
  const requests = Array.from({ length: num_vqs }, (_, i) => ({ name: `req.${i}`, callback: true }));
  return yield* vp_find_vqs(vdev, requests, desc);
}

/** @returns 0 or an errno. Source: drivers/block/virtio_blk.c, virtblk_probe() */
function* virtblk_probe(vdev: virtio_device): Op<number> {
  return yield* init_vq(vdev);
}

export const virtio_blk_driver: virtio_driver = Object.freeze({ name: 'virtio_blk', id: 2, probe: virtblk_probe, remove: vp_del_vqs });
