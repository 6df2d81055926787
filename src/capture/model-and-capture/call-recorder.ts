import type { Probes } from '../../scenario/drain';
import { entryOf, functionOf, functionsNamed, registrySize } from '../../stepper/registry';
import { $ } from '../../stepper/runtime';
import type { Runner } from '../replay/conductor';
import type { Compiled, NamedFunction } from './compiled';
import { isCompared, names } from './counted-functions';

/** Functions from which the rig's function graph starts (init/init, GFUNCS). */
export const ROOTS: ReadonlySet<string> = new Set(
  `pci_alloc_irq_vectors_affinity __pci_enable_msix_range pci_enable_msi pci_free_irq_vectors pci_disable_msix pci_disable_msi request_threaded_irq free_irq
  irq_set_affinity __irq_set_affinity irq_do_set_affinity write_irq_affinity irq_migrate_all_off_this_cpu fixup_irqs irq_matrix_offline lapic_online lapic_offline
  irq_affinity_online_cpu acpi_register_gsi irq_move_masked_irq __sysvec_irq_move_cleanup apic_ack_irq apic_ack_edge irq_startup irq_activate`.split(/\s+/),
);

/** The kernel's name of a function that is not called so here. */
const RENAMED: Record<string, string> = { sysvec_irq_move_cleanup: '__sysvec_irq_move_cleanup' };

/** A function that counts and shows, and by how many such ones it was called, in its tree. */
export interface Called {
  readonly name: string;
  readonly depth: number;
  /** it shows only in part, or not at all */
  readonly isSplit: boolean;
}

/** What one task, or the interrupts of one CPU, called: one list a tree. */
export type Calls = Called[][];

/** Notes the functions that count as they are called, by who calls them. */
export class CallRecorder implements Probes {
  readonly marks = new Uint8Array(registrySize());
  readonly calls = new Map<Runner, Calls>();
  private readonly functions = new Map<number, NamedFunction>();

  /**
   * @param who runs now
   * @param hit functions of the task that the running interrupt has hit, by their ids, outermost first
   */
  constructor(
    private readonly who: () => Runner,
    private readonly hit: () => readonly number[],
    private readonly compiled: Compiled,
  ) {
    for (const name of [...names, ...ROOTS, ...Object.keys(RENAMED)]) {
      for (const fn of functionsNamed(name)) {
        const entry = fn.name === name ? entryOf(fn) : undefined;
        if (entry) this.marks[entry.id] = 1;
      }
    }
  }

  readonly pass = (): void => {
    let root = 1;
    while (root <= $.sp && !this.isRoot($.fn, root)) root++;
    if (root > $.sp || this.isHidden()) return;
    const key = this.who();
    const trees = this.calls.get(key) ?? [];
    this.calls.set(key, trees);
    if (root === $.sp) trees.push([]);
    if (!this.isCompared($.sp)) return;
    let depth = 0;
    for (let at = root; at < $.sp; at++) if (this.isCompared(at)) depth++;
    const { name } = this.at($.fn, $.sp);
    trees.at(-1)?.push({ name, depth, isSplit: this.compiled.isSplit(name) });
  };

  /** The tracer begins no tree in an interrupt that hits a task within one (kernel/trace/trace.h, ftrace_graph_addr()). */
  private isHidden(): boolean {
    const fns = this.hit();
    return fns.some((_, depth) => depth > 0 && this.isRoot(fns, depth));
  }

  private isCompared(depth: number): boolean {
    return isCompared(this.at($.fn, depth).name) && this.shows($.fn, depth);
  }

  private isRoot(fns: readonly number[], depth: number): boolean {
    const { name } = this.at(fns, depth);
    return ROOTS.has(name) && this.compiled.isStart(name) && this.shows(fns, depth);
  }

  private shows(fns: readonly number[], depth: number): boolean {
    return this.compiled.shows(this.at(fns, depth).name, depth > 1 ? this.at(fns, depth - 1) : undefined);
  }

  private at(fns: readonly number[], depth: number): NamedFunction {
    const id = fns[depth];
    let fn = this.functions.get(id);
    if (fn === undefined) {
      const { name, module } = functionOf(id);
      fn = { name: RENAMED[name] ?? name, file: /(\w+)\.ts$/.exec(module.path)?.[1] ?? '' };
      this.functions.set(id, fn);
    }
    return fn;
  }
}
