import type { World } from '../kernel/world';
import { Drift } from './invariants/drift';
import { checkHardware } from './invariants/hardware';
import { checkHyperv } from './invariants/hyperv';
import { checkIrqs } from './invariants/irqs';
import { checkLines } from './invariants/lines';
import { checkMatrix } from './invariants/matrix';
import { vectorIrqs } from './invariants/owners';
import { Report, type Violation } from './invariants/report';
import { checkStores } from './invariants/stores';
import { checkVmds } from './invariants/vmd';
import { checkXen } from './invariants/xen';

export type { Violation } from './invariants/report';

/** What must hold of a World between two steps, whatever they do. One of these goes with a World: some of it compares with what was before. */
export class Invariants {
  private readonly drift = new Drift();
  /** trace events that were looked at */
  private seen = 0;

  /** Looks at a World of which no part is in the middle of something. */
  check(world: World): Violation[] {
    const report = new Report();
    this.follow(world, report);
    // Before its boot has got there, a machine has no vectors.
    if ((world.kernel.vector_matrix as unknown) === null) return report.violations;
    const irqs = vectorIrqs(world.kernel);
    checkMatrix(world, irqs, this.drift, report);
    checkIrqs(world, irqs, this.drift, report);
    checkLines(world, irqs, report);
    checkHardware(world, irqs, report);
    checkVmds(world, report);
    checkStores(world, report);
    checkHyperv(world, irqs, report);
    checkXen(world, report);
    return report.violations;
  }

  /** What has happened since the last time. I14: a move always leads to another CPU. */
  private follow({ kernel: { trace } }: World, report: Report): void {
    for (; this.seen < trace.length; this.seen++) {
      this.drift.note(trace[this.seen]);
      const { event, text } = trace[this.seen];
      if (event !== 'vector_update') continue;
      const [irq, vector, cpu, prev_vector, prev_cpu] = (text.match(/\d+/g) ?? []).map(Number);
      report.expect(prev_vector === 0 || prev_cpu !== cpu, 'I14', () => `irq ${irq} moved from vector ${prev_vector} to ${vector} of the same CPU ${cpu}`);
    }
  }
}

/** The same for a World that was not looked at before. */
export const checkInvariants = (world: World): Violation[] => new Invariants().check(world);
