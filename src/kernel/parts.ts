import type { ChangeId } from './changes';

/** Functions that came when a body was split, by the change that did it: before, what they do is done in the function that calls them. */
const CAME_WITH: Readonly<Record<string, ChangeId>> = {
  __msi_domain_alloc_irqs: 'v2-29',
  __msi_domain_free_irqs: 'v2-29',
  vmd_alloc_irqs: 'vmd-helpers',
  vmd_create_irq_domain: 'vmd-helpers',
  vmd_remove_irq_domain: 'vmd-helpers',
  bind_evtchn_to_irq_chip: 'xen-lateeoi',
  xen_pcibk_do_one_op: 'xen-lateeoi',
};

/** Whether a kernel with these changes has the function only as a part of the one that calls it. */
export function isPartOfCaller(name: string, changes: ReadonlySet<ChangeId>): boolean {
  if (!Object.hasOwn(CAME_WITH, name)) return false;
  return !changes.has(CAME_WITH[name]);
}
