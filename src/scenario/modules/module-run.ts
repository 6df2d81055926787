import type { pci_driver } from '../../kernel/drivers/pci/pci-driver';
import type { Op } from '../../stepper/op';
import type { CallSection } from '../module-sections';
import { checkedCall, checkedDriver, NUMBER_OR_NOTHING, ZERO_OR_ERRNO } from './contracts';
import { ModuleError, type Place } from './module-error';
import type { Exports, Program } from './program';
import { placeIn, type ModuleSource } from './module-source';

/** What a module's function is called that runs when it is loaded. */
const INIT = 'init';

/** The modules in one run, each evaluated once: what they keep is the run's own. */
export class ModuleRun {
  private readonly done = new Map<ModuleSource, Exports>();

  constructor(private readonly program: Program) {
    program.register();
  }

  /** Loads the n-th module that the scenario names, as insmod does. @returns what its init() returns, 0 without one */
  *load(n: number): Op<number> {
    const exports = this.program.evaluate(this.program.named[n], this.done);
    if (!exports.has(INIT)) return 0;
    return (yield* checkedCall(exports.get(INIT), INIT, ZERO_OR_ERRNO, placeIn(this.program.named[n], INIT))()) as number;
  }

  /** @returns what the function returns, 0 for nothing */
  *call({ function: name, args = [] }: CallSection): Op<number> {
    const { value: fn, place } = this.exported(name);
    const value = yield* checkedCall(fn, name, NUMBER_OR_NOTHING, place)(...args);
    return (value as number | undefined) ?? 0;
  }

  /** The driver that a module exports by this name. */
  driver(name: string): pci_driver {
    const { value, place } = this.exported(name);
    return checkedDriver(value, name, place);
  }

  private exported(name: string): { readonly value: unknown; readonly place: Place } {
    const owner = this.program.named.find(({ exports, reexports }) => exports.has(name) || reexports.has(name));
    const exports = owner && this.done.get(owner);
    if (!exports) throw new ModuleError(`${name} is not there: its module could not be loaded`);
    return { value: exports.get(name), place: placeIn(owner, name) };
  }
}
