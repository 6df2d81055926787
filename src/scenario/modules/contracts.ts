// What callbacks may return. C's compiler would see most of it; a module that breaks it is told where, before the kernel runs into the consequences.
import type { pci_driver } from '../../kernel/drivers/pci/pci-driver';
import type { irq_chip, irq_data } from '../../kernel/include/irq';
import { irq_domain, type irq_domain_ops } from '../../kernel/include/irqdomain';
import type { irq_handler_t } from '../../kernel/include/interrupt';
import type { msi_domain_ops, msi_msg } from '../../kernel/include/msi';
import { no_irq_chip } from '../../kernel/irq/dummychip';
import { irq_get_irq_data } from '../../kernel/irq/irqdesc';
import { functionOf, functionsNamed, type FunctionInfo } from '../../stepper/registry';
import { $ } from '../../stepper/runtime';
import { isOp, shown } from '../../stepper/shown';
import type { Op } from '../../stepper/op';
import { at, ModuleError, type Place } from './module-error';
import { refused } from './thrown';

interface Contract {
  /** of the value */
  readonly expected: string;
  readonly holds: (value: unknown) => boolean;
  /** @returns what is wrong with what it left behind */
  readonly after?: (value: unknown, ...args: never[]) => string | undefined;
}

type Contracts<T> = { readonly [K in keyof T]?: Contract };

const isErrno = (value: unknown): boolean => Number.isInteger(value) && (value as number) < 0 && (value as number) >= -4095;
const nothing: Contract = { expected: 'nothing', holds: () => true };
const zeroOrErrno: Contract = { expected: '0 or a negative errno such as -ENOSPC', holds: value => value === 0 || isErrno(value) };
const countOrErrno: Contract = { expected: '0, a number of vectors or a negative errno', holds: value => Number.isInteger(value) && ((value as number) >= 0 || isErrno(value)) };
const flag: Contract = { expected: '0 or 1, or a negative errno', holds: value => value === 0 || value === 1 || isErrno(value) };
const setMask: Contract = { expected: 'IRQ_SET_MASK_OK (0), IRQ_SET_MASK_OK_NOCOPY (1), IRQ_SET_MASK_OK_DONE (2) or a negative errno', holds: value => value === 0 || value === 1 || value === 2 || isErrno(value) };

const DOMAIN: Contracts<irq_domain_ops> = {
  map: { ...zeroOrErrno, after: (value, domain: irq_domain, virq: number) => withoutChip(value, domain, virq, 1) },
  unmap: nothing,
  alloc: { ...zeroOrErrno, after: withoutChip },
  free: nothing,
  activate: zeroOrErrno,
  deactivate: nothing,
};

const CHIP: Contracts<irq_chip> = {
  irq_startup: { expected: '0, IRQ_STARTUP_* or a negative errno', holds: value => Number.isInteger(value) },
  irq_shutdown: nothing,
  irq_enable: nothing,
  irq_disable: nothing,
  irq_ack: nothing,
  irq_mask: nothing,
  irq_mask_ack: nothing,
  irq_unmask: nothing,
  irq_eoi: nothing,
  irq_set_affinity: setMask,
  irq_retrigger: flag,
  irq_set_type: setMask,
  irq_bus_lock: nothing,
  irq_bus_sync_unlock: nothing,
  irq_request_resources: zeroOrErrno,
  irq_release_resources: nothing,
  irq_compose_msi_msg: { ...nothing, after: withoutMessage },
  irq_write_msi_msg: nothing,
  irq_get_irqchip_state: { expected: 'a boolean or a negative errno', holds: value => typeof value === 'boolean' || isErrno(value) },
  irq_set_vcpu_affinity: zeroOrErrno,
};

const MSI: Contracts<msi_domain_ops> = {
  get_hwirq: { expected: 'a hwirq from 0 on', holds: value => Number.isInteger(value) && (value as number) >= 0 },
  msi_init: zeroOrErrno,
  msi_free: nothing,
  msi_check: countOrErrno,
  msi_prepare: countOrErrno,
  msi_finish: nothing,
  set_desc: nothing,
  handle_error: countOrErrno,
  domain_alloc_irqs: countOrErrno,
  domain_free_irqs: nothing,
};

const HANDLER: Contract = { expected: 'IRQ_NONE (0), IRQ_HANDLED (1) or IRQ_WAKE_THREAD (2)', holds: value => Number.isInteger(value) };

/** Of domains, chips and MSI domains. */
export const callbackNames: ReadonlySet<string> = new Set([DOMAIN, CHIP, MSI].flatMap(table => Object.keys(table)));

/** An alloc that succeeded has given each interrupt a chip on its level, or has cut the level off. */
function withoutChip(value: unknown, domain: irq_domain, virq: number, nr_irqs: number): string | undefined {
  if (value !== 0) return undefined;
  for (let irq = virq; irq < virq + nr_irqs; irq++) {
    let level: irq_data | null = irq_get_irq_data(irq);
    while (level && level.domain !== domain) level = level.parent_data;
    const chip = level?.chip as irq_chip | null | undefined;
    if (chip && chip !== no_irq_chip) level!.chip = checkedChip(chip)!;
    else return `returned 0, and irq ${irq} has no chip in ${domain.name}; expected ${domain.ops.alloc ? `irq_domain_set_hwirq_and_chip() or irq_domain_set_info() for each of ${nr_irqs}` : 'irq_set_chip_and_handler()'}`;
  }
  return undefined;
}

function withoutMessage(_value: unknown, data: irq_data, msg: msi_msg): string | undefined {
  if (msg.address_lo !== 0 || msg.address_hi !== 0 || msg.data !== 0) return undefined;
  return `left no message for irq ${data.irq}: address and data are 0; expected msg.address_lo, msg.address_hi and msg.data to say where it goes`;
}

type Callback = (...args: unknown[]) => Op<unknown>;

/** Tables that were seen, and what stands for them: themselves, or a copy of a frozen one. */
const checkedTables = new WeakMap<object, object>();
const wrappers = new WeakSet<Callback>();

function checked<T extends object>(table: T, contracts: Contracts<T>): T {
  const known = checkedTables.get(table);
  // The kernel may have completed it since.
  const target = (known ?? (Object.isFrozen(table) ? { ...table } : table)) as Record<string, unknown>;
  checkedTables.set(table, target);
  checkedTables.set(target, target);
  for (const [op, contract] of Object.entries(contracts) as [string, Contract][]) {
    const fn = target[op];
    if (fn === undefined || wrappers.has(fn as Callback)) continue;
    if (typeof fn !== 'function') throw refused(`${op} is ${shown(fn)}; expected a generator function, or nothing`);
    target[op] = wrapped(fn as Callback, op, contract);
  }
  return target as T;
}

export const checkedDomainOps = (ops: irq_domain_ops): irq_domain_ops => checked(ops, DOMAIN);
export const checkedChip = (chip: irq_chip | null): irq_chip | null => chip && checked(chip, CHIP);
export const checkedMsiOps = (ops: msi_domain_ops): msi_domain_ops => checked(ops, MSI);
export const checkedHandler = (handler: irq_handler_t | null): irq_handler_t | null => handler && (wrapped(handler as Callback, 'handler', HANDLER) as irq_handler_t);
/** What a scenario calls by name. @param place where the module declares it */
export const checkedCall = (fn: unknown, name: string, contract: Contract, place: Place): Callback => {
  if (typeof fn === 'function') return wrapped(fn as Callback, name, contract);
  throw new ModuleError(`${at(place)}${name} is ${shown(fn)}; expected a generator function: export function* ${name}(...)`);
};
export const ZERO_OR_ERRNO = zeroOrErrno;

/** Of a driver. */
const DRIVER: Contracts<pci_driver> = { probe: zeroOrErrno, remove: nothing };

/** @param place where the module declares it */
export function checkedDriver(driver: unknown, name: string, place: Place): pci_driver {
  const { name: own, probe, remove } = (driver ?? {}) as Partial<Record<keyof pci_driver, unknown>>;
  if (typeof own !== 'string' || typeof probe !== 'function' || typeof remove !== 'function') throw new ModuleError(`${at(place)}${name} is ${shown(driver)}; expected a driver: { name: 'text', *probe(pdev) {...}, *remove(pdev) {...} }`);
  return checked(driver as pci_driver, DRIVER);
}

export const NUMBER_OR_NOTHING: Contract = { expected: 'a number (an errno, a count) or nothing', holds: value => value === undefined || Number.isInteger(value) };

/** The same function, by name too, that looks at what it returns. */
function wrapped(fn: Callback, op: string, { expected, holds, after }: Contract): Callback {
  const wrapper = function* (this: unknown, ...args: unknown[]): Op<unknown> {
    const called = $.plainly(() => fn.apply(this, args));
    if (!isOp(called.value)) throw broken(fn, op, `is a plain function and returned ${shown(called.value)}; expected a generator function: function* ${fn.name || op}(...)`, called.place);
    const value = yield* called.value;
    const wrong = holds(value) ? after?.(value, ...(args as never[])) : `returned ${shown(value)}; expected ${expected}`;
    if (wrong !== undefined) throw broken(fn, op, wrong);
    return value;
  };
  Object.defineProperty(wrapper, 'name', { value: fn.name });
  wrappers.add(wrapper);
  return wrapper;
}

function broken(fn: Callback, op: string, what: string, place: Place | undefined = placeOf(fn)): ModuleError {
  const name = fn.name && fn.name !== op ? `${op}, ${fn.name}(),` : `${op}()`;
  return new ModuleError(`${place ? at(place) : ''}${name} ${what}`);
}

/** The frame that has just been left was its; a plain function has none. */
function placeOf(fn: Callback): Place | undefined {
  const id = $.fn[$.sp + 1] as number | undefined;
  const last = id === undefined ? undefined : functionOf(id < 0 ? ~id : id);
  const isIt = ({ name }: FunctionInfo): boolean => name === fn.name || name.endsWith(`.${fn.name}`);
  const found = last && isIt(last) ? last : functionsNamed(fn.name).find(isIt);
  return found && { path: found.module.path, line: found.line, column: found.column };
}
