import { IMS_AUXDATA_CONTROL_WORD, ims_ctrl_pasid_aux } from '../kernel/drivers/irqchip/irq-ims-msi';
import { ims_alloc_irqs, ims_free_irqs, ims_messages, slot_number, write_ctrl_directly } from '../kernel/drivers/misc/ims_device';
import type { subdevice } from '../kernel/include/device';
import { IRQ_HANDLED } from '../kernel/include/interrupt';
import type { msi_desc } from '../kernel/include/msi';
import { to_pci_dev } from '../kernel/include/pci';
import { irq_set_auxdata, msi_irq_vector } from '../kernel/irq/auxdata';
import { disable_irq, enable_irq, free_irq, request_irq } from '../kernel/irq/manage';
import { EINVAL, ENODEV, ENOSYS } from '../kernel/lib/errno';
import { has, kernel } from '../kernel/world';
import type { Op } from '../stepper/op';
import type { ActionKey } from './actions-of-step';
import type { Action } from './actions';
import { writeAffinity } from './affinity';
import { requestFlags } from './drivers';
import type { RaiseSection, SlotWord } from './ims-sections';
import { forEach } from './number-list';
import type { StepMap } from './scenario-file';

// Steps on a part of a device that has a message store: what its driver would do for it.

type Sections = { readonly [K in ActionKey]: NonNullable<StepMap[K]> };
type Build<K extends ActionKey> = (name: string, action: Sections[K]) => Action;

const BUILD = {
  msiAlloc: (name, { vectors, pasid }) => ({
    title: `msiAlloc ${vectors} vectors of ${name}${pasid === undefined ? '' : ` for pasid ${pasid}`}`,
    run: () => withPart(name, dev => ims_alloc_irqs(dev, vectors, pasid)),
  }),
  msiFree: name => ({ title: `msiFree ${name}`, run: () => withPart(name, freeVectors) }),
  auxdata: (name, { vector = 0, pasid, value = ims_ctrl_pasid_aux(pasid!, true), which = IMS_AUXDATA_CONTROL_WORD, direct = false }) => ({
    title: `auxdata of ${name} vector ${vector}: ${pasid === undefined ? `value ${value}` : `pasid ${pasid}`}${which === IMS_AUXDATA_CONTROL_WORD ? '' : ` of word ${which}`}${direct ? ', directly' : ''}`,
    run: () => withMessage(name, vector, desc => (direct ? write_ctrl_directly(desc, vector, value) : setAuxdata(desc, which, value))),
  }),
  request: (name, { vector = 0, name: shown = name, flags }) => ({
    title: `request vector ${vector} of ${name}`,
    run: () => withMessage(name, vector, ({ irq, dev }) => request_irq(irq, part_handler, requestFlags(flags), shown, dev)),
  }),
  free: (name, { vector = 0 }) => ({ title: `free vector ${vector} of ${name}`, run: () => withMessage(name, vector, freeVector) }),
  disable: (name, { vector = 0 }) => ({ title: `disable vector ${vector} of ${name}`, run: () => withMessage(name, vector, ({ irq }) => done(disable_irq(irq))) }),
  enable: (name, { vector = 0 }) => ({ title: `enable vector ${vector} of ${name}`, run: () => withMessage(name, vector, ({ irq }) => done(enable_irq(irq))) }),
  affinity: (name, { vector = 0, cpus }) => ({ title: `affinity of ${name} vector ${vector}: ${cpus}`, run: () => forEach(vector, number => withMessage(name, number, ({ irq }) => writeAffinity(irq, String(cpus)))) }),
  raise(name, action) {
    const { entry = 0, at }: Partial<RaiseSection> = typeof action === 'string' ? {} : action;
    return { title: `raise ${name} entry ${entry}${at === undefined ? '' : ` at ${at}`}`, run: () => withPart(name, dev => forEach(entry, number => raise(dev, number, at))) };
  },
} satisfies { readonly [K in ActionKey]?: Build<K> };

type PartKey = keyof typeof BUILD;
/** Actions that a part of a device knows. */
export const PART_ACTIONS = Object.keys(BUILD) as readonly PartKey[];

/** @param key one of PART_ACTIONS */
export const subdeviceAction = (name: string, key: ActionKey, action: NonNullable<StepMap[ActionKey]>): Action => (BUILD[key as PartKey] as Build<ActionKey>)(name, action);

/** @returns -ENODEV while no driver has made the part a device */
function* withPart(name: string, run: (dev: subdevice) => Op<number>): Op<number> {
  const dev = kernel.ims_devices.flatMap(({ subdevices }) => subdevices).find(sub => sub.name === name);
  return dev ? yield* run(dev) : -ENODEV;
}

/** @returns -EINVAL for a message that is not allocated */
const withMessage = (name: string, vector: number, run: (desc: msi_desc) => Op<number>): Op<number> =>
  withPart(name, function* message(dev) {
    const irq = has('repost-auxdata') ? yield* msi_irq_vector(dev, vector) : (ims_messages(dev).at(vector)?.irq ?? -EINVAL);
    return irq > 0 ? yield* run(ims_messages(dev)[vector]) : -EINVAL;
  });

function* part_handler(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

function* done(op: Op): Op<number> {
  yield* op;
  return 0;
}

function* freeVector({ irq, dev }: msi_desc): Op<number> {
  yield* free_irq(irq, dev);
  return 0;
}

function* freeVectors(dev: subdevice): Op<number> {
  yield* ims_free_irqs(dev);
  return 0;
}

/** @returns as irq_set_auxdata(); -ENOSYS on a kernel without it */
function* setAuxdata({ irq }: msi_desc, which: number, auxval: number): Op<number> {
  return has('repost-auxdata') ? yield* irq_set_auxdata(irq, which, auxval) : -ENOSYS;
}

/** The part's interrupt comes now, or right behind the next access to a word of its slot. */
function* raise(dev: subdevice, entry: number, at: SlotWord | undefined): Op<number> {
  const desc = ims_messages(dev).at(entry);
  if (!desc) return -EINVAL;
  const store = to_pci_dev(dev.parent).hw.ims!;
  if (at === undefined) store.raise(slot_number(desc));
  else store.raiseAt(slot_number(desc), at);
  yield { wait: 'window' };
  return 0;
}
