import type { Op } from '../../../stepper/op';
import { IRQF_SHARED, IRQ_HANDLED, IRQ_NONE, type irq_affinity } from '../../include/interrupt';
import { PCI_IRQ_AFFINITY, PCI_IRQ_MSIX, type PciDev } from '../../include/pci';
import { free_irq, irq_set_affinity_hint, request_irq } from '../../irq/manage';
import type { cpumask } from '../../lib/cpumask';
import { kernel } from '../../world';
import { pci_read_config_word } from '../pci/access';
import { pci_alloc_irq_vectors_affinity, pci_free_irq_vectors, pci_irq_vector } from '../pci/msi_api';
import { pci_disable_device, pci_enable_device, pci_set_master } from '../pci/pci';
import type { pci_driver } from '../pci/pci-driver';

// drivers/virtio/virtio_pci_common.c and virtio_pci_modern.c: a PCI function becomes a device of the virtio bus, and its queues get interrupts.

/** Subsystem id of a transitional device, and the base of a modern one's device id. */
const PCI_SUBSYSTEM_ID = 0x2e;
const MODERN_BASE = 0x1040;
const VIRTIO_MSI_NO_VECTOR = 0xffff;

/** A queue that a driver asks for. */
export interface virtqueue_request {
  readonly name: string;
  /** has a callback, so that it needs an interrupt */
  readonly callback: boolean;
}

export class virtqueue {
  constructor(
    readonly request: virtqueue_request,
    readonly msix_vector: number,
  ) {}
}

/** A device of the virtio bus. */
export class virtio_device {
  /** name of the driver that has it */
  driver: string | null = null;
  /** what the driver keeps */
  priv: unknown = null;
  vqs: virtqueue[] = [];
  msix_enabled = false;
  intx_enabled = false;
  per_vq_vectors = false;
  msix_used_vectors = 0;

  constructor(
    readonly pci_dev: PciDev,
    /** n of virtion */
    readonly index: number,
    /** 1 network, 2 block, 4 entropy */
    readonly id: number,
  ) {}

  get name(): string {
    return `virtio${this.index}`;
  }
}

function* vp_config_changed(_irq: number, _opaque: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* vring_interrupt(_irq: number, _vq: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* vp_vring_interrupt(_irq: number, _opaque: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** The pin: reading the status register lets go of it. */
function* vp_interrupt(_irq: number, opaque: unknown): Op<number> {
  const { hw } = (opaque as virtio_device).pci_dev;
  if (!hw.intxDriven) return IRQ_NONE;
  hw.deassertIntx();
  return IRQ_HANDLED;
}

/** One vector for changes of the configuration; one for all queues unless each has its own. @returns 0 or an errno */
function* vp_request_msix_vectors(vdev: virtio_device, nvectors: number, per_vq_vectors: boolean, desc: irq_affinity | null): Op<number> {
  const pdev = vdev.pci_dev;
  if (desc) desc.pre_vectors++;
  const flags = PCI_IRQ_MSIX | (desc ? PCI_IRQ_AFFINITY : 0);
  let err = yield* pci_alloc_irq_vectors_affinity(pdev, nvectors, nvectors, flags, desc);
  if (err < 0) return err;
  vdev.msix_enabled = true;

  err = yield* request_irq(yield* pci_irq_vector(pdev, vdev.msix_used_vectors), vp_config_changed, 0, `${vdev.name}-config`, vdev);
  if (err) return err;
  vdev.msix_used_vectors++;

  if (per_vq_vectors) return 0;
  err = yield* request_irq(yield* pci_irq_vector(pdev, vdev.msix_used_vectors), vp_vring_interrupt, 0, `${vdev.name}-virtqueues`, vdev);
  if (!err) vdev.msix_used_vectors++;
  return err;
}

/** @returns 0 or an errno */
function* vp_find_vqs_msix(vdev: virtio_device, requests: readonly virtqueue_request[], per_vq_vectors: boolean, desc: irq_affinity | null): Op<number> {
  const nvectors = per_vq_vectors ? 1 + requests.filter(({ callback }) => callback).length : 2;
  const err = yield* vp_request_msix_vectors(vdev, nvectors, per_vq_vectors, per_vq_vectors ? desc : null);
  if (err) {
    yield* vp_del_vqs(vdev);
    return err;
  }
  vdev.per_vq_vectors = per_vq_vectors;

  let allocated_vectors = vdev.msix_used_vectors;
  for (const request of requests) {
    const msix_vector = !request.callback ? VIRTIO_MSI_NO_VECTOR : per_vq_vectors ? allocated_vectors++ : 1;
    const vq = new virtqueue(request, msix_vector);
    vdev.vqs.push(vq);
    if (!per_vq_vectors || msix_vector === VIRTIO_MSI_NO_VECTOR) continue;
    const failed = yield* request_irq(yield* pci_irq_vector(vdev.pci_dev, msix_vector), vring_interrupt, 0, `${vdev.name}-${request.name}`, vq);
    if (failed) {
      vdev.vqs.pop();
      yield* vp_del_vqs(vdev);
      return failed;
    }
  }
  return 0;
}

/** @returns 0 or an errno */
function* vp_find_vqs_intx(vdev: virtio_device, requests: readonly virtqueue_request[]): Op<number> {
  const err = yield* request_irq(vdev.pci_dev.irq, vp_interrupt, IRQF_SHARED, vdev.name, vdev);
  if (err) return err;
  vdev.intx_enabled = true;
  vdev.vqs = requests.map(request => new virtqueue(request, VIRTIO_MSI_NO_VECTOR));
  return 0;
}

/** Sets a device's queues up. @param desc spreads the queues' vectors over the CPUs @returns 0 or an errno. Source: vp_find_vqs() */
export function* vp_find_vqs(vdev: virtio_device, requests: readonly virtqueue_request[], desc: irq_affinity | null): Op<number> {
  let err = yield* vp_find_vqs_msix(vdev, requests, true, desc);
  if (err) err = yield* vp_find_vqs_msix(vdev, requests, false, desc);
  if (err) err = yield* vp_find_vqs_intx(vdev, requests);
  return err;
}

/** Source: vp_del_vqs() */
export function* vp_del_vqs(vdev: virtio_device): Op {
  const pdev = vdev.pci_dev;
  for (const vq of vdev.vqs) {
    if (!vdev.per_vq_vectors || vq.msix_vector === VIRTIO_MSI_NO_VECTOR) continue;
    const irq = yield* pci_irq_vector(pdev, vq.msix_vector);
    yield* irq_set_affinity_hint(irq, null);
    yield* free_irq(irq, vq);
  }
  vdev.vqs = [];
  vdev.per_vq_vectors = false;

  if (vdev.intx_enabled) {
    yield* free_irq(pdev.irq, vdev);
    vdev.intx_enabled = false;
  }
  for (let i = 0; i < vdev.msix_used_vectors; i++) yield* free_irq(yield* pci_irq_vector(pdev, i), vdev);
  if (vdev.msix_enabled) {
    yield* pci_free_irq_vectors(pdev);
    vdev.msix_enabled = false;
  }
  vdev.msix_used_vectors = 0;
}

/** A driver says on which CPUs it uses a queue. @param cpu_mask null: nowhere in particular. Source: vp_set_vq_affinity() */
export function* vp_set_vq_affinity(vdev: virtio_device, vq: virtqueue, cpu_mask: cpumask | null): Op {
  if (!vq.request.callback || !vdev.msix_enabled) return;
  yield* irq_set_affinity_hint(yield* pci_irq_vector(vdev.pci_dev, vq.msix_vector), cpu_mask ? cpu_mask.copy() : null);
}

/** @returns the virtio id of a function, transitional or modern */
function virtio_id(pdev: PciDev): number {
  const { device } = pdev.hw.config;
  return device < MODERN_BASE ? pci_read_config_word(pdev, PCI_SUBSYSTEM_ID) : device - MODERN_BASE;
}

/** The devices of the virtio bus, by what their functions keep. */
export const virtio_devices = (): virtio_device[] => kernel.pci_devices.flatMap(({ drvdata }) => (drvdata instanceof virtio_device ? [drvdata] : []));

/** @returns 0 or an errno. Source: virtio_pci_probe() */
function* virtio_pci_probe(pdev: PciDev): Op<number> {
  const rc = yield* pci_enable_device(pdev);
  if (rc) return rc;
  yield* pci_set_master(pdev);

  const taken = new Set(virtio_devices().map(({ index }) => index));
  let index = 0;
  while (taken.has(index)) index++;
  pdev.drvdata = new virtio_device(pdev, index, virtio_id(pdev));
  return 0;
}

/** Source: virtio_pci_remove() */
function* virtio_pci_remove(pdev: PciDev): Op {
  pdev.drvdata = null;
  yield* pci_disable_device(pdev);
}

export const virtio_pci_driver: pci_driver = Object.freeze({ name: 'virtio-pci', probe: virtio_pci_probe, remove: virtio_pci_remove });
