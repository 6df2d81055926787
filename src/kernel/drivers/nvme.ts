import type { Op } from '../../stepper/op';
import { IRQ_HANDLED, type irq_affinity } from '../include/interrupt';
import { PCI_IRQ_AFFINITY, PCI_IRQ_ALL_TYPES, type PciDev } from '../include/pci';
import { disable_irq, enable_irq } from '../irq/manage';
import { complete, completion, wait_for_completion } from '../lib/completion';
import { EINTR, EIO, ENOMEM } from '../lib/errno';
import { pr_err, pr_info, pr_warn } from '../lib/printk';
import { kzalloc, should_fail } from '../lib/slab';
import { has, kernel, spawn } from '../world';
import { first_online_node, NUMA_NO_NODE } from '../include/topology';
import { pci_sriov_configure_simple } from './pci/iov';
import { pci_free_irq, pci_request_irq } from './pci/irq';
import { pci_alloc_irq_vectors, pci_alloc_irq_vectors_affinity, pci_free_irq_vectors, pci_irq_vector } from './pci/msi_api';
import { pci_disable_device, pci_enable_device, pci_is_enabled, pci_set_master } from './pci/pci';
import { device_release_driver, type pci_driver } from './pci/pci-driver';

// drivers/nvme/host/pci.c as far as interrupts go: one for the admin queue, and one spread over the CPUs for each I/O queue.

/** Indices of nvme_dev.io_queues (include/linux/blk-mq.h). */
const HCTX_TYPE_DEFAULT = 0;
const HCTX_TYPE_READ = 1;
const HCTX_TYPE_POLL = 2;

/** A pair of submission and completion queue. */
class nvme_queue {
  cq_vector = 0;
  enabled = false;
  /** it has no interrupt */
  polled = false;
  /** interrupts handled */
  completions = 0;
  constructor(
    readonly dev: nvme_dev,
    readonly qid: number,
  ) {}
}

class nvme_dev {
  readonly queues: nvme_queue[] = [];
  online_queues = 0;
  /** vectors allocated */
  num_vecs = 0;
  max_qid = 0;
  /** default, read, poll */
  readonly io_queues = [0, 0, 0];
  nr_write_queues = 0;
  nr_poll_queues = 0;
  constructor(
    readonly pdev: PciDev,
    /** n of nvmen */
    readonly instance: number,
  ) {}
}

/** The interrupt handler of a queue. Source: drivers/nvme/host/pci.c, nvme_irq() */
function* nvme_irq(irq: number, data: unknown): Op<number> {
  const nvmeq = data as nvme_queue;
  nvmeq.completions++;
  nvmeq.dev.pdev.hw.deassertIntx();
  return IRQ_HANDLED;
}

/** Source: drivers/nvme/host/pci.c, queue_request_irq() */
function* queue_request_irq(nvmeq: nvme_queue): Op<number> {
  const nr = nvmeq.dev.instance;
  return yield* pci_request_irq(nvmeq.dev.pdev, nvmeq.cq_vector, nvme_irq, null, nvmeq, `nvme${nr}q${nvmeq.qid}`);
}

/** Source: drivers/nvme/host/pci.c, nvme_alloc_queue() */
function* nvme_alloc_queue(dev: nvme_dev, qid: number): Op {
  if (dev.queues.length <= qid) dev.queues.push(new nvme_queue(dev, qid));
}

/** @returns 0 or an errno. Source: drivers/nvme/host/pci.c, nvme_create_queue() */
function* nvme_create_queue(nvmeq: nvme_queue, qid: number, polled: boolean): Op<number> {
  const dev = nvmeq.dev;
  // A queue's vector is its number, unless there is only one vector.
  nvmeq.polled = polled;
  nvmeq.cq_vector = polled || dev.num_vecs === 1 ? 0 : qid;

  dev.online_queues++;
  if (!polled) {
    const result = yield* queue_request_irq(nvmeq);
    if (result < 0) {
      dev.online_queues--;
      return result;
    }
  }
  nvmeq.enabled = true;
  return 0;
}

/** @returns 1 when the queue was down already, else 0. Source: drivers/nvme/host/pci.c, nvme_suspend_queue() */
function* nvme_suspend_queue(nvmeq: nvme_queue): Op<number> {
  if (!nvmeq.enabled) return 1;
  nvmeq.enabled = false;

  nvmeq.dev.online_queues--;
  if (!nvmeq.polled) yield* pci_free_irq(nvmeq.dev.pdev, nvmeq.cq_vector, nvmeq);
  nvmeq.polled = false;
  return 0;
}

/** From the last queue down to the first. Source: drivers/nvme/host/pci.c, nvme_suspend_io_queues() */
function* nvme_suspend_io_queues(dev: nvme_dev): Op {
  for (let i = dev.queues.length - 1; i > 0; i--) yield* nvme_suspend_queue(dev.queues[i]);
}

/** Look for completions while the queue's interrupt is off. Source: drivers/nvme/host/pci.c, nvme_poll_irqdisable() */
function* nvme_poll_irqdisable(nvmeq: nvme_queue): Op {
  yield* disable_irq(yield* pci_irq_vector(nvmeq.dev.pdev, nvmeq.cq_vector));
  yield* enable_irq(yield* pci_irq_vector(nvmeq.dev.pdev, nvmeq.cq_vector));
}

/** @returns 0 or an errno. Source: drivers/nvme/host/pci.c, nvme_pci_enable() */
function* nvme_pci_enable(dev: nvme_dev): Op<number> {
  const pdev = dev.pdev;
  if (yield* pci_enable_device(pdev)) return -ENOMEM;

  yield* pci_set_master(pdev);

  // One vector to set up with; the real number follows.
  const result = yield* pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_ALL_TYPES);
  return result < 0 ? result : 0;
}

/** @returns 0 or an errno. Source: drivers/nvme/host/pci.c, nvme_pci_configure_admin_queue() */
function* nvme_pci_configure_admin_queue(dev: nvme_dev): Op<number> {
  yield* nvme_alloc_queue(dev, 0);
  const nvmeq = dev.queues[0];
  nvmeq.cq_vector = 0;
  dev.online_queues++;

  const result = yield* queue_request_irq(nvmeq);
  if (result) {
    dev.online_queues--;
    return result;
  }
  nvmeq.enabled = true;
  return 0;
}

/** Split the vectors among queues that write and queues that read. Source: drivers/nvme/host/pci.c, nvme_calc_irq_sets() */
function* nvme_calc_irq_sets(affd: irq_affinity, nrirqs: number): Op {
  const dev = affd.priv as nvme_dev;
  const nr_write_queues = dev.nr_write_queues;
  let nr_read_queues = 0;

  if (nrirqs === 0) nrirqs = 1;
  else if (nrirqs === 1 || nr_write_queues === 0) nr_read_queues = 0;
  else if (nr_write_queues >= nrirqs) nr_read_queues = 1;
  else nr_read_queues = nrirqs - nr_write_queues;

  dev.io_queues[HCTX_TYPE_DEFAULT] = nrirqs - nr_read_queues;
  affd.set_size[HCTX_TYPE_DEFAULT] = nrirqs - nr_read_queues;
  dev.io_queues[HCTX_TYPE_READ] = nr_read_queues;
  affd.set_size[HCTX_TYPE_READ] = nr_read_queues;
  affd.nr_sets = nr_read_queues ? 2 : 1;
}

/** @returns the vectors or an errno. Source: drivers/nvme/host/pci.c, nvme_setup_irqs() */
function* nvme_setup_irqs(dev: nvme_dev, nr_io_queues: number): Op<number> {
  const affd: irq_affinity = { pre_vectors: 1, post_vectors: 0, nr_sets: 0, set_size: [0, 0, 0, 0], calc_sets: nvme_calc_irq_sets, priv: dev };

  const poll_queues = Math.min(dev.nr_poll_queues, nr_io_queues - 1);
  dev.io_queues[HCTX_TYPE_POLL] = poll_queues;

  // For one vector; nvme_calc_irq_sets() says it for more.
  dev.io_queues[HCTX_TYPE_DEFAULT] = 1;
  dev.io_queues[HCTX_TYPE_READ] = 0;

  const irq_queues = 1 + nr_io_queues - poll_queues;
  return yield* pci_alloc_irq_vectors_affinity(dev.pdev, 1, irq_queues, PCI_IRQ_ALL_TYPES | PCI_IRQ_AFFINITY, affd);
}

/** One for each CPU that may come. Source: drivers/nvme/host/pci.c, nvme_max_io_queues() */
function* nvme_max_io_queues(dev: nvme_dev): Op<number> {
  return kernel.cpu_possible_mask.weight + dev.nr_write_queues + dev.nr_poll_queues;
}

/** @returns 0 or an errno. Source: drivers/nvme/host/pci.c, nvme_create_io_queues() */
function* nvme_create_io_queues(dev: nvme_dev): Op<number> {
  for (let i = dev.queues.length; i <= dev.max_qid; i++) yield* nvme_alloc_queue(dev, i);

  const max = Math.min(dev.max_qid, dev.queues.length - 1);
  const rw_queues = max !== 1 && dev.io_queues[HCTX_TYPE_POLL] ? dev.io_queues[HCTX_TYPE_DEFAULT] + dev.io_queues[HCTX_TYPE_READ] : max;

  for (let i = dev.online_queues; i <= max; i++) {
    const ret = yield* nvme_create_queue(dev.queues[i], i, i > rw_queues);
    if (ret) return ret;
  }
  return 0;
}

/** @returns 0 or an errno. Source: drivers/nvme/host/pci.c, nvme_setup_io_queues() */
function* nvme_setup_io_queues(dev: nvme_dev): Op<number> {
  const adminq = dev.queues[0];
  const nr_io_queues = yield* nvme_max_io_queues(dev);

  adminq.enabled = false;
  yield* pci_free_irq(dev.pdev, 0, adminq);
  yield* pci_free_irq_vectors(dev.pdev);

  const vectors = yield* nvme_setup_irqs(dev, nr_io_queues);
  if (vectors <= 0) return -EIO;

  dev.num_vecs = vectors;
  dev.max_qid = Math.max(vectors - 1, 1) + dev.io_queues[HCTX_TYPE_POLL];

  const result = yield* queue_request_irq(adminq);
  if (result) return result;
  adminq.enabled = true;

  const created = yield* nvme_create_io_queues(dev);
  if (created || dev.online_queues < 2) return created;

  pr_info(`nvme nvme${dev.instance}: ${dev.io_queues.join('/')} default/read/poll queues`);
  return 0;
}

/** Source: drivers/nvme/host/pci.c, nvme_pci_disable() */
function* nvme_pci_disable(dev: nvme_dev): Op {
  yield* pci_free_irq_vectors(dev.pdev);
  if (pci_is_enabled(dev.pdev)) yield* pci_disable_device(dev.pdev);
}

/** Source: drivers/nvme/host/pci.c, nvme_dev_disable() */
function* nvme_dev_disable(dev: nvme_dev): Op {
  const adminq = dev.queues.at(0);
  if (adminq?.enabled) yield* nvme_poll_irqdisable(adminq);
  yield* nvme_suspend_io_queues(dev);
  if (adminq) yield* nvme_suspend_queue(adminq);
  yield* nvme_pci_disable(dev);
}

/** A command of the admin queue was not answered while the controller is set up: it is looked for once more, then the controller is taken down. Source: drivers/nvme/host/pci.c, nvme_timeout() */
function* nvme_timeout(nvmeq: nvme_queue): Op {
  const { dev, qid } = nvmeq;
  yield* nvme_poll_irqdisable(nvmeq);
  pr_warn(`nvme nvme${dev.instance}: I/O 0 QID ${qid} timeout, disable controller`);
  yield* nvme_dev_disable(dev);
}

/** The block layer's worker waits for the answer with the caller. @returns 0, or -EINTR after a time-out. Source: drivers/nvme/host/core.c, __nvme_submit_sync_cmd() */
function* nvme_submit_sync_cmd(dev: nvme_dev): Op<number> {
  if (!dev.pdev.hw.config.silent) return 0;

  const done = new completion('blk_execute_rq');
  spawn({
    name: `kworker/${kernel.this_cpu}:1H`,
    cpu: kernel.this_cpu,
    *run() {
      yield* nvme_timeout(dev.queues[0]);
      yield* complete(done);
    },
  });
  yield* wait_for_completion(done);
  return -EINTR;
}

/** Ask the controller what it is. @returns 0 or -EIO. Source: drivers/nvme/host/core.c, nvme_init_identify() */
function* nvme_init_identify(dev: nvme_dev): Op<number> {
  const ret = yield* nvme_submit_sync_cmd(dev);
  if (!ret) return 0;

  pr_err(`nvme nvme${dev.instance}: Identify Controller failed (${ret})`);
  return -EIO;
}

/** Set the controller up; a kworker's work. @returns 0 or an errno, after which the controller is down. Source: drivers/nvme/host/pci.c, nvme_reset_work() */
function* nvme_reset_work(dev: nvme_dev): Op<number> {
  let result = yield* nvme_pci_enable(dev);
  if (result === 0) result = yield* nvme_pci_configure_admin_queue(dev);
  if (result === 0) result = yield* nvme_init_identify(dev);
  if (result === 0) result = yield* nvme_setup_io_queues(dev);
  if (result !== 0) {
    pr_warn(`nvme nvme${dev.instance}: Removing after probe failure status: ${result}`);
    yield* nvme_dev_disable(dev);
  }
  return result;
}

/** The lowest number that no other controller has. */
function* nvme_instance(): Op<number> {
  const taken = new Set(kernel.pci_devices.map(d => (d.drvdata instanceof nvme_dev ? d.drvdata.instance : -1)));
  let instance = 0;
  while (taken.has(instance)) instance++;
  return instance;
}

function* nvme_init_ctrl(pdev: PciDev): Op<nvme_dev | null> {
  if (pdev.numa_node === NUMA_NO_NODE && !has('nvme-no-default-node')) pdev.numa_node = first_online_node();
  const instance = yield* nvme_instance();
  const dev = kzalloc('nvme_probe: struct nvme_dev', () => new nvme_dev(pdev, instance));
  if (!dev || should_fail('nvme_probe: queues')) return null;
  pdev.drvdata = dev;
  return dev;
}

/** The controller is set up when this returns. @returns 0 or an errno. Source: drivers/nvme/host/pci.c, nvme_probe() */
function* nvme_probe(pdev: PciDev): Op<number> {
  const dev = yield* nvme_init_ctrl(pdev);
  if (!dev) return -ENOMEM;
  const result = yield* nvme_reset_work(dev);
  if (result !== 0) pdev.drvdata = null;
  return result;
}

/** Source: drivers/nvme/host/pci.c, nvme_remove() */
function* nvme_remove(pdev: PciDev): Op {
  const dev = pdev.drvdata as nvme_dev;
  pdev.drvdata = null;
  yield* nvme_dev_disable(dev);
}

export const nvme_driver: pci_driver = Object.freeze({ name: 'nvme', probe: nvme_probe, remove: nvme_remove, sriov_configure: pci_sriov_configure_simple });

/** The controller is set up by a kworker of its own, as the kernel has it. @returns 0. Source: drivers/nvme/host/pci.c, nvme_probe(); nvme_reset_ctrl() */
function* nvme_queue_probe(pdev: PciDev): Op<number> {
  if (has('nvme-probe-waits')) return yield* nvme_probe(pdev);
  const dev = yield* nvme_init_ctrl(pdev);
  if (!dev) return -ENOMEM;
  queue_work(dev, () => reset(dev));
  return 0;
}

/** On the driver's own workqueue. */
function queue_work(dev: nvme_dev, run: () => Op): void {
  spawn({ name: `kworker/u${2 * kernel.nr_cpu_ids}:${dev.instance}`, cpu: kernel.this_cpu, run });
}

function* reset(dev: nvme_dev): Op {
  if (yield* nvme_reset_work(dev)) queue_work(dev, () => nvme_remove_dead_ctrl_work(dev));
}

/** The driver lets go of a controller that is down for good. Source: drivers/nvme/host/pci.c, nvme_remove_dead_ctrl_work() */
function* nvme_remove_dead_ctrl_work({ pdev }: nvme_dev): Op {
  if (pdev.drvdata) yield* device_release_driver(pdev);
}

/** The same driver where devices are probed side by side. */
export const nvme_queued_driver: pci_driver = Object.freeze({ ...nvme_driver, probe: nvme_queue_probe, is_async: () => has('nvme-probe-waits') });
