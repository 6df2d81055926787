import { guidBytes } from '../../../hardware/guid';
import { relidOf } from '../../../hardware/hyperv-vmbus';
import type { VpciBus } from '../../../hardware/hyperv-vpci-bus';
import type { Op } from '../../../stepper/op';
import { HYPERVISOR_CALLBACK_VECTOR } from '../../arch/x86/hw_irq';
import { hv_setup_vmbus_irq, hypervisor_is_type } from '../../arch/x86/mshyperv';
import { hv_device, type hv_driver, vmbus_channel } from '../../include/hyperv';
import { mutex_lock, mutex_unlock, raw_spin_lock, raw_spin_unlock } from '../../lib/locking';
import { pr_err } from '../../lib/printk';
import { tasklet_schedule, tasklet_struct } from '../../lib/tasklet';
import { kernel, machine } from '../../world';
import { queue_work, workqueue_struct } from '../../workqueue';
import { hv_process_channel_removal, vmbus_onmessage } from './channel_mgmt';

// The bus of what a Hyper-V host offers: drivers/hv/vmbus_drv.c and connection.c. All that it offers here are PCI buses.

export const vmbus_globals = () => ({
  /** in the order of the host's offers */
  vmbus_devices: [] as hv_device[],
  /** what the host says of channels is read behind its interrupt */
  vmbus_msg_dpc: new tasklet_struct('msg_dpc', vmbus_on_msg_dpc),
  /** the system's workqueue, as far as it serves this bus */
  vmbus_wq: new workqueue_struct('events'),
});

/** Source: drivers/hv/vmbus_drv.c, hv_acpi_init() */
export function* hv_acpi_init(): Op {
  if (!hypervisor_is_type('X86_HYPER_MS_HYPERV')) return;
  yield* vmbus_bus_init();
}

/** Source: drivers/hv/vmbus_drv.c, vmbus_bus_init() */
function* vmbus_bus_init(): Op {
  yield* hv_setup_vmbus_irq(vmbus_isr);
  // hv_synic_enable_regs() on each CPU
  for (const cpu of kernel.cpu_possible_mask) machine.hyperv!.sint[cpu] = HYPERVISOR_CALLBACK_VECTOR;
  for (const [i, offer] of machine.hyperv!.buses.entries()) yield* vmbus_device_register(offer, relidOf(i));
}

/** Source: drivers/hv/vmbus_drv.c, vmbus_device_create(), vmbus_device_register() */
function* vmbus_device_register(offer: VpciBus, child_relid: number): Op {
  const { instance } = offer.config;
  const channel: vmbus_channel = new vmbus_channel(child_relid, offer, new tasklet_struct('callback_event', () => vmbus_on_event(channel)));
  kernel.vmbus_devices.push(new hv_device(instance, guidBytes(instance), channel));
}

/** The host has put packets into rings, or says something of channels. Source: drivers/hv/vmbus_drv.c, vmbus_isr() */
function* vmbus_isr(): Op {
  yield* vmbus_chan_sched();
  if (machine.hyperv!.messages.length > 0) yield* tasklet_schedule(kernel.vmbus_msg_dpc);
}

/** A worker does what is said: it may wait. Source: drivers/hv/vmbus_drv.c, vmbus_on_msg_dpc(), vmbus_onmessage_work() */
function* vmbus_on_msg_dpc(): Op {
  for (const msg of machine.hyperv!.messages.splice(0)) yield* queue_work(kernel.vmbus_wq, () => vmbus_onmessage(msg));
}

/** Who has packets reads them right behind this interrupt. Source: drivers/hv/vmbus_drv.c, vmbus_chan_sched() */
function* vmbus_chan_sched(): Op {
  for (const { channel } of kernel.vmbus_devices) {
    if (channel.hw.toGuest.length === 0 || channel.rescind) continue;
    yield* raw_spin_lock(channel.sched_lock);
    if (channel.onchannel_callback) yield* tasklet_schedule(channel.callback_event);
    yield* raw_spin_unlock(channel.sched_lock);
  }
}

/** Source: drivers/hv/connection.c, vmbus_on_event() */
function* vmbus_on_event(channel: vmbus_channel): Op {
  if (!channel.onchannel_callback) return;
  yield* channel.onchannel_callback(channel.channel_callback_context);
}

/** Bind a driver. @returns 0 or the errno of its probe. Source: drivers/hv/vmbus_drv.c, vmbus_probe(); drivers/base/dd.c, device_driver_attach() */
export function* vmbus_probe(hdev: hv_device, drv: hv_driver): Op<number> {
  yield* mutex_lock(hdev.lock);
  hdev.driver = drv.name;
  hdev.drv = drv;
  const ret = yield* drv.probe(hdev);
  if (ret) {
    pr_err(`hv_vmbus: probe failed for device ${hdev.name} (${ret})`);
    hdev.driver = hdev.drv = null;
  }
  yield* mutex_unlock(hdev.lock);
  return ret;
}

/** Unbind its driver. Source: drivers/hv/vmbus_drv.c, vmbus_remove(); drivers/base/dd.c, device_release_driver() */
export function* vmbus_remove(hdev: hv_device): Op {
  yield* mutex_lock(hdev.lock);
  if (hdev.drv) yield* hdev.drv.remove(hdev);
  hdev.driver = hdev.drv = null;
  yield* mutex_unlock(hdev.lock);
}

/** The device goes, its driver first. Source: drivers/hv/vmbus_drv.c, vmbus_device_unregister(), vmbus_device_release() */
export function* vmbus_device_unregister(hdev: hv_device): Op {
  yield* vmbus_remove(hdev);
  yield* hv_process_channel_removal(hdev.channel);
}

/** The machine is going to hibernate. @returns as the driver. Source: drivers/hv/vmbus_drv.c, vmbus_suspend() */
export function* vmbus_suspend(hdev: hv_device): Op<number> {
  yield* mutex_lock(hdev.lock);
  const ret = hdev.drv ? yield* hdev.drv.suspend(hdev) : 0;
  yield* mutex_unlock(hdev.lock);
  return ret;
}

/** It has come back. @returns as the driver. Source: drivers/hv/vmbus_drv.c, vmbus_resume() */
export function* vmbus_resume(hdev: hv_device): Op<number> {
  yield* mutex_lock(hdev.lock);
  const ret = hdev.drv ? yield* hdev.drv.resume(hdev) : 0;
  yield* mutex_unlock(hdev.lock);
  return ret;
}
