import type { Op } from '../../stepper/op';
import { devres_add } from '../drivers/base/devres';
import type { PciDev } from '../include/pci';

// What a device of later kernels keeps for its messages. It is one of its resources: it stays until a driver goes.

function* msi_device_data_release(dev: PciDev): Op {
  dev.msi_data = false;
}

/** Before a device's first message. Source: kernel/irq/msi.c (v5.17), msi_setup_device_data() */
export function* msi_setup_device_data(dev: PciDev): Op {
  if (dev.msi_data) return;
  yield* devres_add(dev, msi_device_data_release, null);
  dev.msi_data = true;
}
