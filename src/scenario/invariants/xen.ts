import type { Channel } from '../../hardware/xen/event-channels';
import type { XenHypervisor } from '../../hardware/xen/hypervisor';
import { DOMID_SELF } from '../../hardware/xen/interface';
import type { Pirq } from '../../hardware/xen/pirqs';
import { IRQT, type irq_info } from '../../kernel/drivers/xen/events/irq_info';
import { irqd_irq_masked, irqd_is_started } from '../../kernel/include/irq';
import type { World } from '../../kernel/world';
import { KNOWN, type Report } from './report';

const CHANNELS_OF: Record<irq_info['type'], readonly Channel['state'][]> = { [IRQT.UNBOUND]: [], [IRQT.PIRQ]: ['pirq'], [IRQT.VIRQ]: ['virq'], [IRQT.IPI]: ['ipi'], [IRQT.EVTCHN]: ['unbound', 'interdomain'] };

/** What a guest of Xen's keeps of pirqs, event channels and irqs, against what Xen does. */
export function checkXen(world: World, report: Report): void {
  const { xen } = world.machine;
  if (!xen || world.kernel.evtchn_ops === null) return;
  for (const info of world.kernel.xen_irq_list_head) checkInfo(world, xen, info, report);
  checkTable(world, xen, report);
  checkPirqs(world, xen, report);
}

function checkInfo({ kernel }: World, xen: XenHypervisor, { irq, type, evtchn, cpu, u }: irq_info, report: Report): void {
  const expect = (holds: boolean, message: string): void => report.expect(holds, 'xen', () => `irq ${irq}: ${message}`);
  const desc = kernel.irq_desc_tree.get(irq);
  expect(desc !== undefined, 'it has an irq_info, and no descriptor');
  // What a guest that is gone has left goes when pciback hears of it.
  const pirqs = u.pirq.domid === DOMID_SELF ? xen.pirqs : xen.others.get(u.pirq.domid)?.pirqs;
  if (type === IRQT.PIRQ && pirqs) report.expect(pirqs.pirqs.has(u.pirq.pirq), 'xen', () => `irq ${irq}: Xen has no pirq ${u.pirq.pirq}`, xen.rebuilt && u.pirq.gsi === 0 ? KNOWN.XEN_SAVED_MESSAGES : undefined);
  if (evtchn === 0 || !desc) return;

  const channel = xen.channels.channels.get(evtchn);
  expect(channel !== undefined && CHANNELS_OF[type].includes(channel.state), `its event channel ${evtchn} is ${channel ? `of kind ${channel.state}` : 'not there'}; expected ${CHANNELS_OF[type].join(' or ')}`);
  if (!channel) return;
  expect(channel.vcpu === cpu, `its events come to CPU ${channel.vcpu}; expected ${cpu}`);
  expect(type !== IRQT.PIRQ || channel.of === u.pirq.pirq, `event channel ${evtchn} is that of pirq ${channel.of}; expected ${u.pirq.pirq}`);
  expect(kernel.virq_to_irq[cpu].get(u.virq) === irq || type !== IRQT.VIRQ, `virq ${u.virq} of CPU ${cpu} leads elsewhere`);
  expect(kernel.ipi_to_irq[cpu].get(u.ipi) === irq || type !== IRQT.IPI, `IPI ${u.ipi} of CPU ${cpu} leads elsewhere`);
  if (irqd_is_started(desc.irq_data) && !irqd_irq_masked(desc.irq_data)) expect(!xen.channels.abi.isMasked(evtchn), `it is not masked, and event channel ${evtchn} is`);
}

/** Each port leads to the irq that has it; the entry of port 0 is that of whoever has none. */
function checkTable({ kernel }: World, xen: XenHypervisor, report: Report): void {
  const owners = new Map(kernel.xen_irq_list_head.filter(({ evtchn }) => evtchn !== 0).map(({ evtchn, irq }) => [evtchn, irq]));
  const listed = new Map(kernel.evtchn_to_irq.flatMap((row, r) => (row ?? []).flatMap((irq, c): [number, number][] => (irq === -1 || r + c === 0 ? [] : [[r * 1024 + c, irq]]))));
  for (const port of new Set([...owners.keys(), ...listed.keys()])) {
    report.expect(owners.get(port) === listed.get(port), 'xen', () => `event channel ${port} leads to ${listed.get(port) ?? 'no irq'}; expected ${owners.get(port) ?? 'none'}`);
  }
  for (const { port, state } of xen.channels.channels.values()) report.expect(state === 'unbound' || owners.has(port), 'xen', () => `event channel ${port}, of kind ${state}, is no irq's`);
}

/** A pirq belongs to one irq; one that a guest has got for a message and given up stays at Xen. */
function checkPirqs({ kernel }: World, xen: XenHypervisor, report: Report): void {
  const owners = new Map<string, number>();
  const key = (domid: number, pirq: number): string => `${domid === DOMID_SELF ? '' : `domain ${domid}'s `}pirq ${pirq}`;
  for (const { type, irq, u } of kernel.xen_irq_list_head) {
    if (type !== IRQT.PIRQ) continue;
    const pirq = key(u.pirq.domid, u.pirq.pirq);
    report.expect(!owners.has(pirq), 'xen', () => `${pirq} belongs to irq ${owners.get(pirq)!} and to irq ${irq}`);
    owners.set(pirq, irq);
  }
  for (const { pirqs } of [xen, ...xen.others.values()]) for (const pirq of pirqs.pirqs.values()) checkPirq(xen, pirq, owners.has(key(pirq.domid, pirq.number)), key(pirq.domid, pirq.number), report);
}

function checkPirq(xen: XenHypervisor, { number, domid, kind, port }: Pirq, owned: boolean, name: string, report: Report): void {
  const known = kind === 'reserved' || kind === 'emulated msi' ? KNOWN.XEN_PIRQ_KEPT : undefined;
  report.expect(owned || kind === 'gsi', 'orphan', () => `${name}, of kind ${kind}, is no irq's`, known);
  if (domid === DOMID_SELF) report.expect(port === 0 || xen.channels.channels.get(port)?.of === number, 'xen', () => `${name} is bound to event channel ${port}, which is another's`);
}
