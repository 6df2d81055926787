import { UV_AFFINITY_ALL, UV_AFFINITY_CPU, UV_AFFINITY_NODE, uv_irq_2_mmr_pnode, uv_setup_irq, uv_teardown_irq } from '../kernel/arch/x86/platform/uv/uv_irq';
import { IRQ_HANDLED } from '../kernel/include/interrupt';
import type { irq_desc } from '../kernel/include/irqdesc';
import { free_irq, request_irq } from '../kernel/irq/manage';
import { ENOENT } from '../kernel/lib/errno';
import { kernel, machine } from '../kernel/world';
import type { Op } from '../stepper/op';
import type { StepMap } from './scenario-file';

// Interrupts of a UV hub: uvSetup, uvTeardown, uvRaise.

const LIMITS = { all: UV_AFFINITY_ALL, node: UV_AFFINITY_NODE, cpu: UV_AFFINITY_CPU };
/** The first of the hub's registers that route interrupts of the GRU. */
const UVH_GR0_TLB_INT0_CONFIG = 0x61b00;

function* hub_handler(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** As the driver of the hub's GRU does: the interrupt, then its handler. @returns the irq, or an errno */
export function* uvSetup({ name, cpu = 0, blade = 0, offset = UVH_GR0_TLB_INT0_CONFIG, limit = 'cpu' }: NonNullable<StepMap['uvSetup']>): Op<number> {
  const irq = yield* uv_setup_irq(name, cpu, blade, offset, LIMITS[limit]);
  if (irq < 0) return irq;
  const ret = yield* request_irq(irq, hub_handler, 0, name, name);
  if (ret) yield* uv_teardown_irq(irq);
  return ret || irq;
}

const named = (name: string): irq_desc | undefined => [...kernel.irq_desc_tree.values()].find(desc => desc.irq_data.domain === kernel.uv_domain && desc.action?.name === name);

export function* uvTeardown(name: string): Op<number> {
  const desc = named(name);
  if (!desc) return -ENOENT;
  const { irq } = desc.irq_data;
  yield* free_irq(irq, name);
  yield* uv_teardown_irq(irq);
  return 0;
}

/** The hub has something to say; the interrupt enters where a CPU takes it. */
export function* uvRaise(name: string): Op<number> {
  const desc = named(name);
  if (!desc) return -ENOENT;
  const { pnode, offset } = desc.irq_data.chip_data as uv_irq_2_mmr_pnode;
  machine.uvHubs.find(hub => hub.config.pnode === pnode)!.raise(offset);
  yield { wait: 'window' };
  return 0;
}
