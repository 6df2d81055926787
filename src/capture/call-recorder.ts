import type { Probes } from '../scenario/drain';
import { entryOf, functionOf, functionsNamed, registrySize } from '../stepper/registry';
import { $ } from '../stepper/runtime';
import type { Runner } from './conductor';
import { counts } from './counted-functions';

/** Functions from which the rig's function graph starts (init/init, GFUNCS). */
const ROOTS = new Set(
  `pci_alloc_irq_vectors_affinity __pci_enable_msix_range pci_enable_msi pci_free_irq_vectors pci_disable_msix pci_disable_msi request_threaded_irq free_irq
  irq_set_affinity __irq_set_affinity irq_do_set_affinity write_irq_affinity irq_migrate_all_off_this_cpu fixup_irqs irq_matrix_offline lapic_online lapic_offline
  irq_affinity_online_cpu acpi_register_gsi irq_move_masked_irq __sysvec_irq_move_cleanup apic_ack_irq apic_ack_edge irq_startup irq_activate`.split(/\s+/),
);

/** The kernel's name of a function that is not called so here. */
const RENAMED: Record<string, string> = { sysvec_irq_move_cleanup: '__sysvec_irq_move_cleanup' };

/** Functions that the compiler has put into one of their callers (or made a jump of, where they call themselves at their end): there they do not show. */
const INLINED: Record<string, string> = {
  __irq_set_affinity: 'irq_set_affinity_hint',
  __irq_set_handler: 'irq_set_chip_and_handler_name',
  __irq_domain_deactivate_irq: '__irq_domain_deactivate_irq',
  io_apic_modify_irq: 'mask_ioapic_irq',
  irq_domain_alloc_irqs_hierarchy: 'irq_domain_alloc_irqs_parent',
  irq_domain_reset_irq_data: 'irq_domain_free_irqs_common',
};

/** A function that counts, and how many of those that count it was called by, in its tree. */
export interface Called {
  readonly name: string;
  readonly depth: number;
}

/** What one task, or the interrupts of one CPU, called: one list a tree. */
export type Calls = Called[][];

/** Notes the functions that count as they are called, by who calls them. */
export class CallRecorder implements Probes {
  readonly marks = new Uint8Array(registrySize());
  readonly calls = new Map<Runner, Calls>();
  private readonly names = new Map<number, string>();

  /**
   * @param who runs now
   * @param noRoots functions at which no tree begins
   */
  constructor(
    private readonly who: () => Runner,
    private readonly noRoots: ReadonlySet<string>,
  ) {
    for (const name of [...counts, ...ROOTS, ...Object.keys(RENAMED)]) {
      for (const fn of functionsNamed(name)) {
        const entry = fn.name === name ? entryOf(fn) : undefined;
        if (entry) this.marks[entry.id] = 1;
      }
    }
  }

  readonly pass = (): void => {
    let root = 1;
    while (root <= $.sp && !this.isRoot(root)) root++;
    if (root > $.sp) return;
    const key = this.who();
    const trees = this.calls.get(key) ?? [];
    this.calls.set(key, trees);
    if (root === $.sp) trees.push([]);
    if (!this.shows($.sp)) return;
    let depth = 0;
    for (let at = root; at < $.sp; at++) if (this.shows(at)) depth++;
    trees.at(-1)?.push({ name: this.nameAt($.sp), depth });
  };

  private shows(depth: number): boolean {
    return counts.has(this.nameAt(depth)) && !this.isInlined(depth);
  }

  private isInlined(depth: number): boolean {
    return depth > 1 && INLINED[this.nameAt(depth)] === this.nameAt(depth - 1);
  }

  private isRoot(depth: number): boolean {
    const name = this.nameAt(depth);
    return ROOTS.has(name) && !this.noRoots.has(name) && !this.isInlined(depth);
  }

  private nameAt(depth: number): string {
    const id = $.fn[depth];
    let name = this.names.get(id);
    if (name === undefined) {
      const own = functionOf(id).name;
      name = RENAMED[own] ?? own;
      this.names.set(id, name);
    }
    return name;
  }
}
