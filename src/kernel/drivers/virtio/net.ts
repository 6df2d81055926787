import type { Op } from '../../../stepper/op';
import { cpus_read_lock, cpus_read_unlock } from '../../cpu';
import { cpuhp_remove_multi_state, cpuhp_setup_state_multi, cpuhp_state_add_instance_nocalls, cpuhp_state_remove_instance_nocalls } from '../../cpuhp_setup';
import { CPUHP } from '../../include/cpuhotplug';
import { cpumask } from '../../lib/cpumask';
import { kernel } from '../../world';
import { register_virtio_driver, unregister_virtio_driver, type virtio_driver } from './bus';
import { type virtio_device, type virtqueue, vp_del_vqs, vp_find_vqs, vp_set_vq_affinity } from './pci';

// drivers/net/virtio_net.c as far as interrupts go: a vector for each receive and transmit queue, with hints where they are used.

/** Without the feature MQ there is one pair. */
const QUEUE_PAIRS = 1;

export const virtio_net_globals = () => ({
  /** the state in which a CPU that is up is told to the driver */
  virtionet_online: 0,
});

class virtnet_info {
  affinity_hint_set = false;
  constructor(readonly vdev: virtio_device) {}

  /** receive and transmit queue of each pair */
  get pairs(): virtqueue[][] {
    return Array.from({ length: QUEUE_PAIRS }, (_, i) => this.vdev.vqs.slice(2 * i, 2 * i + 2));
  }
}

function* virtnet_clean_affinity(vi: virtnet_info): Op {
  if (!vi.affinity_hint_set) return;
  for (const pair of vi.pairs) for (const vq of pair) yield* vp_set_vq_affinity(vi.vdev, vq, null);
  vi.affinity_hint_set = false;
}

/** Divides the CPUs that are online among the pairs. */
function* virtnet_set_affinity(vi: virtnet_info): Op {
  const online = [...kernel.cpu_online_mask];
  const stride = Math.max(Math.floor(online.length / QUEUE_PAIRS), 1);
  const stragglers = online.length >= QUEUE_PAIRS ? online.length % QUEUE_PAIRS : 0;
  let next = 0;
  for (const [i, pair] of vi.pairs.entries()) {
    const mask = new cpumask(kernel.nr_cpu_ids);
    const group_size = stride + (i < stragglers ? 1 : 0);
    for (let j = 0; j < group_size; j++) mask.set(online[next++ % online.length]);
    for (const vq of pair) yield* vp_set_vq_affinity(vi.vdev, vq, mask);
  }
  vi.affinity_hint_set = true;
}

function* virtnet_cpu_online(_cpu: number, node?: unknown): Op<number> {
  yield* virtnet_set_affinity(node as virtnet_info);
  return 0;
}

function* virtnet_cpu_dead(_cpu: number, node?: unknown): Op<number> {
  yield* virtnet_set_affinity(node as virtnet_info);
  return 0;
}

function* virtnet_cpu_down_prep(_cpu: number, node?: unknown): Op<number> {
  yield* virtnet_clean_affinity(node as virtnet_info);
  return 0;
}

/** @returns 0 or an errno */
function* init_vqs(vi: virtnet_info): Op<number> {
  const pairs = Array.from({ length: QUEUE_PAIRS }, (_, i) => [{ name: `input.${i}`, callback: true }, { name: `output.${i}`, callback: true }]);
  const ret = yield* vp_find_vqs(vi.vdev, [...pairs.flat(), { name: 'control', callback: false }], null);
  if (ret) return ret;
  yield* cpus_read_lock();
  yield* virtnet_set_affinity(vi);
  yield* cpus_read_unlock();
  return 0;
}

/** @returns 0 or an errno. Source: virtnet_probe() */
function* virtnet_probe(vdev: virtio_device): Op<number> {
  const vi = new virtnet_info(vdev);
  vdev.priv = vi;
  const err = yield* init_vqs(vi);
  if (err) return err;
  yield* cpuhp_state_add_instance_nocalls(kernel.virtionet_online, vi);
  yield* cpuhp_state_add_instance_nocalls(CPUHP.VIRT_NET_DEAD, vi);
  return 0;
}

/** Source: virtnet_remove() */
function* virtnet_remove(vdev: virtio_device): Op {
  const vi = vdev.priv as virtnet_info;
  yield* cpuhp_state_remove_instance_nocalls(kernel.virtionet_online, vi);
  yield* cpuhp_state_remove_instance_nocalls(CPUHP.VIRT_NET_DEAD, vi);
  yield* virtnet_clean_affinity(vi);
  yield* vp_del_vqs(vdev);
  vdev.priv = null;
}

const virtio_net_driver: virtio_driver = Object.freeze({ name: 'virtio_net', id: 1, probe: virtnet_probe, remove: virtnet_remove });

/** Source: virtio_net_driver_init() */
export function* virtio_net_driver_init(): Op {
  kernel.virtionet_online = yield* cpuhp_setup_state_multi(CPUHP.AP_ONLINE_DYN, 'virtio/net:online', virtnet_cpu_online, virtnet_cpu_down_prep);
  yield* cpuhp_setup_state_multi(CPUHP.VIRT_NET_DEAD, 'virtio/net:dead', undefined, virtnet_cpu_dead);
  yield* register_virtio_driver(virtio_net_driver);
}

/** Source: virtio_net_driver_exit() */
export function* virtio_net_driver_exit(): Op {
  yield* unregister_virtio_driver(virtio_net_driver);
  yield* cpuhp_remove_multi_state(CPUHP.VIRT_NET_DEAD);
  yield* cpuhp_remove_multi_state(kernel.virtionet_online);
}
