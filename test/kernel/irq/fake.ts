// Two domains, as small as they can be: ROOT gives out nothing but notes what it is asked; BUS sits on top of it.
import type { irq_chip } from '../../../src/kernel/include/irq';
import type { irq_domain, irq_domain_ops } from '../../../src/kernel/include/irqdomain';
import { irq_data_update_effective_affinity } from '../../../src/kernel/include/irq';
import { handle_edge_irq } from '../../../src/kernel/irq/chip';
import {
  irq_domain_alloc_irqs_parent, irq_domain_alloc_named_fwnode, irq_domain_create_hierarchy, irq_domain_create_tree, irq_domain_free_irqs_parent,
  irq_domain_set_hwirq_and_chip, irq_domain_set_info,
} from '../../../src/kernel/irq/irqdomain';
import { run } from '../run';

export interface Fake {
  readonly calls: string[];
  readonly root: irq_domain;
  readonly bus: irq_domain;
  readonly rootChip: irq_chip;
  readonly busChip: irq_chip;
  /** errno that a callback shall return, by "root.activate" and the like */
  readonly fail: Map<string, number>;
}

export function fakeDomains(): Fake {
  const calls: string[] = [];
  const fail = new Map<string, number>();
  const answer = (call: string): number => {
    calls.push(call);
    return fail.get(call.split(' ')[0]) ?? 0;
  };

  const rootChip: irq_chip = { name: 'ROOT', flags: 0, *irq_ack() { calls.push('root.ack'); } };
  const busChip: irq_chip = {
    name: 'BUS', flags: 0,
    *irq_ack() { calls.push('bus.ack'); },
    *irq_mask() { calls.push('bus.mask'); },
    *irq_unmask() { calls.push('bus.unmask'); },
    *irq_set_affinity(data, mask) {
      const ret = answer(`bus.set_affinity ${mask.toString()}`);
      if (ret === 0) irq_data_update_effective_affinity(data, mask);
      return ret;
    },
  };

  const rootOps: irq_domain_ops = {
    *alloc(domain, virq, nr) {
      const ret = answer('root.alloc');
      if (ret === 0) for (let i = 0; i < nr; i++) yield* irq_domain_set_hwirq_and_chip(domain, virq + i, virq + i, rootChip, null);
      return ret;
    },
    *free(_domain, virq) { calls.push(`root.free ${virq}`); },
    *activate(_domain, _data, reserve) { return answer(reserve ? 'root.activate reserve' : 'root.activate'); },
    *deactivate() { calls.push('root.deactivate'); },
  };
  const busOps: irq_domain_ops = {
    *alloc(domain, virq, nr, arg) {
      const ret = answer('bus.alloc') || (yield* irq_domain_alloc_irqs_parent(domain, virq, nr, arg));
      if (ret === 0) for (let i = 0; i < nr; i++) yield* irq_domain_set_info(domain, virq + i, 100 + virq + i, busChip, null, handle_edge_irq, null, 'edge');
      return ret;
    },
    *free(domain, virq, nr) {
      calls.push(`bus.free ${virq}`);
      yield* irq_domain_free_irqs_parent(domain, virq, nr);
    },
    *activate(_domain, _data, reserve) { return answer(reserve ? 'bus.activate reserve' : 'bus.activate'); },
    *deactivate() { calls.push('bus.deactivate'); },
  };

  const root = run(irq_domain_create_tree(run(irq_domain_alloc_named_fwnode('ROOT')), rootOps, null));
  const bus = run(irq_domain_create_hierarchy(root, 0, 0, run(irq_domain_alloc_named_fwnode('BUS')), busOps, null));
  return { calls, root, bus, rootChip, busChip, fail };
}
