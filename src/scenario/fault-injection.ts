import { isGuid } from '../hardware/guid';
import type { ChangeId } from '../kernel/changes';
import { online_store } from '../kernel/drivers/base/cpu';
import { vmbus_remove } from '../kernel/drivers/hv/vmbus_drv';
import { pci_device_remove } from '../kernel/drivers/pci/pci-driver';
import { pci_free_irq_vectors } from '../kernel/drivers/pci/msi_api';
import { pci_disable_device, pci_is_enabled } from '../kernel/drivers/pci/pci';
import type { PciDev } from '../kernel/include/pci';
import { free_irq } from '../kernel/irq/manage';
import { kernel_death } from '../kernel/lib/printk';
import { kernel } from '../kernel/world';
import type { Op } from '../stepper/op';
import { DeadlockError } from '../stepper/run';
import { fullAddress } from './devices';
import { drain } from './drain';
import { checkInvariants } from './invariants';
import { KNOWN } from './invariants/report';
import { inventory } from './inventory';
import type { MakeScenario, Scenario, ScenarioGuest } from './load';
import { isOfModule, placed } from './modules/thrown';
import type { Fault } from './script';
import { type Ended, toEnd } from './to-end';

/** What became of a run in which one allocation failed. */
export interface FaultRun {
  /** which one, counted from 1 behind the boot */
  readonly nth: number;
  /** where it failed, in which step, and what that returned */
  readonly fault: Fault;
  /** the kernel gave up, or a task of its waits for ever: what it said last, or what for */
  readonly died: string | undefined;
  /** what is there after everything was removed, and is not there when no allocation fails */
  readonly leaks: readonly string[];
  /** the bug of the modelled kernel that loses it; undefined: nobody knows of one */
  readonly known: string | undefined;
}

/** Leaks that are the modelled kernel's own, by where the allocation failed and what is left. */
const KNOWN_LEAKS: readonly { readonly step?: RegExp; readonly site: RegExp; readonly leak: RegExp; readonly mendedBy?: ChangeId; readonly bug: string }[] = [
  {
    site: /^populate_msi_sysfs:/,
    leak: /^devices with MSI on in their registers: /,
    mendedBy: 'msix-enable-early',
    bug: KNOWN.MSIX_LEFT_ON,
  },
  {
    site: /^irq_remapping_alloc:/,
    leak: /^memory of irq_remapping_alloc: data->entry$/,
    bug: 'the error path of irq_remapping_alloc() in drivers/iommu/amd/iommu.c frees each amd_ir_data and not its entry',
  },
  {
    step: /^online /,
    site: /^request_threaded_irq:/,
    leak: /^reservations: /,
    bug: 'init_one_hpet_msi_clockevent() in arch/x86/kernel/hpet.c uses the timer though hpet_setup_msi_irq() failed: its interrupt keeps its reservation and has no handler',
  },
  {
    site: /./,
    leak: /^memory of vmd_alloc_irqs: struct srcu_data$/,
    bug: 'vmd_probe() in drivers/pci/controller/vmd.c does not clean up its srcu structures when it fails',
  },
  {
    site: /^alloc_(desc|masks): /,
    leak: /^orphan: pirq \d+, of kind msi, is no irq's$/,
    bug: 'xen_initdom_setup_msi_irqs() in arch/x86/pci/xen.c does not give a pirq back to Xen when no irq can be had for it',
  },
  {
    site: /^alloc_(desc|masks): /,
    leak: /^xen: event channel \d+, of kind interdomain, is no irq's$/,
    bug: 'bind_interdomain_evtchn_to_irq_chip() in drivers/xen/events/events_base.c leaves the event channel open when no irq can be had for it',
  },
  {
    step: /^msiAlloc /,
    site: /./,
    leak: /^(interrupt numbers|descriptors|reservations|CPU vectors|remapping entries of \S+|AMD remapping entries|interrupts of \S+): /,
    bug: 'device_msi_alloc_irqs() of the posted series, and platform_msi_domain_alloc_irqs(), free the msi_descs of an allocation that failed midway, and not the interrupts that it had',
  },
];

/** In a guest of Xen's a line that a driver has fallen back on keeps its irq, whatever failed. */
const KEPT_LINE = { leak: /^directories in \/proc\/irq: /, bug: 'pci_xen_initial_domain() and pci_xen_hvm_init() leave nobody to unregister a line: __acpi_unregister_gsi is NULL' };

/** @returns the one bug that explains all of it */
function knownLeak({ world }: ScenarioGuest, { step, site }: Fault, leaks: readonly string[]): string | undefined {
  const lost = world.machine.xen ? leaks.filter(leak => !KEPT_LINE.leak.test(leak)) : leaks;
  if (lost.length === 0) return KEPT_LINE.bug;
  const here = KNOWN_LEAKS.filter(({ mendedBy }) => mendedBy === undefined || !world.changes.has(mendedBy));
  return here.find(known => (known.step?.test(step) ?? true) && known.site.test(site) && lost.every(leak => known.leak.test(leak)))?.bug;
}

/** Beyond every allocation of a run: nothing fails, and they are counted. */
const NEVER = Number.MAX_SAFE_INTEGER;

/**
 * The same run again and again, each time with more allocations that succeed before one fails.
 * @param every so many more each time
 * @throws what is wrong with the model: an error that is no kernel's, and no module's
 */
export function* faultRuns(scenario: Scenario, make: MakeScenario, every = 1): Generator<FaultRun> {
  const whole = ended(toEnd(host => make(host, NEVER)));
  const { nth: armed, count: counted } = whole.guest.world.kernel.fail_nth;
  // a kernel that dies while it boots comes to none of them
  const count = armed === NEVER ? counted : 0;
  // a kernel that dies anyway leaves nothing to compare with
  const before = whole.error ? undefined : inventoryAfterRemoval(scenario, whole.guest);
  for (let nth = 1; nth <= count; nth += every) {
    const { guest, error } = ended(toEnd(host => make(host, nth)));
    const fault = guest.findings.faults.at(0) ?? unfinished(guest);
    const late = error || !before ? undefined : afterRemoval(scenario, guest);
    const end = error ?? (late instanceof kernel_death ? late : undefined);
    const left = before && late && !(late instanceof kernel_death) ? additions(before, late) : [];
    const leaks = end ? [] : [...fault.lost.map(what => `memory of ${what}`), ...left, ...brokenIn(guest)];
    yield { nth, fault, died: end && placed(end).message, leaks, known: leaks.length > 0 ? knownLeak(guest, fault, leaks) : undefined };
  }
}

function ended(run: Ended): Ended {
  if (run.error && !(run.error instanceof kernel_death || run.error instanceof DeadlockError || isOfModule(run.error))) throw run.error;
  return run;
}

/** The step did not end. */
const unfinished = ({ world, findings }: ScenarioGuest): Fault => ({ step: findings.action, site: world.kernel.fail_nth.failed!, lost: [], value: undefined });

/** The same of a run in which something failed: the kernel may give up only now. */
function afterRemoval(scenario: Scenario, guest: ScenarioGuest): ReadonlyMap<string, number> | kernel_death {
  try {
    return inventoryAfterRemoval(scenario, guest);
  } catch (error) {
    if (error instanceof kernel_death) return error;
    throw error;
  }
}

/** What the kernel has, when no driver has a device any more and all CPUs run. */
function inventoryAfterRemoval({ file }: Scenario, guest: ScenarioGuest): ReadonlyMap<string, number> {
  const addresses = (file.machine?.devices ?? []).map(({ address }) => fullAddress(address));
  drain(guest, 0, function* removeAll(): Op {
    for (const cpu of kernel.cpu_present_mask) if (!kernel.cpu_online_mask.test(cpu)) yield* online_store(cpu, '1');
    for (const dev of kernel.pci_devices) if (addresses.includes(dev.name) || isGuid(dev.hw.config.behind ?? '')) yield* removeDevice(dev);
    for (const hdev of kernel.vmbus_devices) yield* vmbus_remove(hdev);
  });
  return inventory(guest.world);
}

/** The driver lets go; where the scenario was the driver, it does so in its place. */
function* removeDevice(dev: PciDev): Op {
  if (dev.drv !== null) {
    yield* pci_device_remove(dev, dev.drv);
    return;
  }
  for (const [irq, desc] of kernel.irq_desc_tree) {
    let own = 0;
    for (let action = desc.action; action; action = action.next) if (action.dev_id === dev) own++;
    for (; own > 0; own--) yield* free_irq(irq, dev);
  }
  yield* pci_free_irq_vectors(dev);
  while (pci_is_enabled(dev)) yield* pci_disable_device(dev);
}

function additions(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...after].flatMap(([what, is]) => {
    const was = before.get(what) ?? 0;
    return is > was ? [`${what}: ${is} instead of ${was}`] : [];
  });
}

const brokenIn = ({ world }: ScenarioGuest): string[] => checkInvariants(world).flatMap(({ invariant, message, known }) => (known === undefined ? [`${invariant}: ${message}`] : []));
