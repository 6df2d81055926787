// An HVM guest of Xen's that is saved and restored. What is asserted is what xen_irq_resume() and the code around it say, in v5.9 as in v5.10.
import assert from 'node:assert/strict';
import { xen_arch_post_suspend } from '../../src/kernel/arch/x86/xen/suspend';
import { xen_irq_resume } from '../../src/kernel/drivers/xen/events/events_resume';
import { info_for_irq, type irq_info, IRQT } from '../../src/kernel/drivers/xen/events/irq_info';
import { IRQF_EARLY_RESUME } from '../../src/kernel/include/interrupt';
import type { PciDev } from '../../src/kernel/include/pci';
import { enterWorld } from '../../src/kernel/world';
import { procInterrupts } from '../../src/text/proc-interrupts';
import { play, type Played } from './play';
import { see } from './seen';

const KERNELS = ['v5.9', 'v5.10.223'];
const EXAMPLE = 'examples/xen/hvm-restore.irq.yaml';
const ABIS = ['xen: hvm', 'xen: hvm, without: [fifo]'];

const head = (xen: string): string => `machine:
  cpus: 2
  hypervisor: { ${xen} }
  devices:
    - { name: card, kind: custom, address: 00:05.0, msix: 2 }
    - { name: old, kind: edu, address: 00:06.0 }`;
const MESSAGE = ['alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }', 'request: { device: card }'];
const LINE = ['alloc: { device: old, min: 1, max: 1, flags: [PCI_IRQ_LEGACY] }', 'request: { device: old }'];

const run = async (steps: readonly string[], kernel: string, xen = ABIS[0]): Promise<Played> => {
  const p = await play(head(xen), steps, { kernel });
  assert.equal(p.stop.reason, 'end', JSON.stringify(p.stop));
  return p;
};
const kernelOf = (p: Played) => p.guest.world.kernel;
const dev = (p: Played, name: string): PciDev => kernelOf(p).pci_devices.find(d => d.hw.config.name === name)!;
const counted = (p: Played, irq: number): number => [...p.desc(irq).kstat_irqs.values()].reduce((a, b) => a + b, 0);
const dropped = (p: Played): string[] => p.guest.world.machine.events.flatMap(e => (e.kind === 'dropped' ? [e.why] : []));
function infoOf(p: Played, irq: number): irq_info {
  enterWorld(p.guest.world, 0);
  return info_for_irq(irq)!;
}
/** Hypercalls since the guest is another one: "op arg". */
function afterwards(p: Played): string[] {
  const calls = p.guest.world.machine.events.flatMap(e => (e.kind === 'hypercall' ? [e] : []));
  const first = calls.map(({ op, arg }) => op === 'EVTCHNOP_bind_virq' && arg['vcpu'] === 0 && arg['virq'] === 0).lastIndexOf(true);
  return calls.slice(first).map(({ op, arg }) => `${op.replace(/^.*OP_/, '')}${'index' in arg ? ` gsi ${arg['index']} pirq ${arg['pirq']}` : ''}`);
}

describe('an HVM guest of Xen that is saved and restored (1.14)', () => {
  it('gets new channels for virqs and IPIs of each CPU, then maps the pirqs of lines, then comes xenstore', async () => {
    for (const kernel of KERNELS) {
      const p = await run([...MESSAGE, ...LINE, 'suspend: xen'], kernel);
      const calls = afterwards(p).filter(call => /^(bind|map)/.test(call));
      const cpu = calls.slice(0, calls.findIndex(call => call.startsWith('map')));
      assert.deepEqual([...new Set(cpu)].sort(), ['bind_ipi', 'bind_virq']);
      // 1, 4, 8, 9, 12: of ISA; 22: the device's. Each has the pirq that it had, and is bound to a channel if it is requested
      const maps = calls.filter(call => call.startsWith('map'));
      assert.deepEqual(maps.map(call => call.split(' ')[2]), kernelOf(p).xen_irq_list_head.flatMap(({ type, u }) => (type === IRQT.PIRQ && u.pirq.gsi !== 0 ? [`${u.pirq.gsi}`] : [])));
      assert.ok(maps.some(call => call.startsWith('map_pirq gsi 22 ')));
      assert.equal(calls.filter(call => call.startsWith('bind_pirq')).length, maps.length);
      const seen = await see(EXAMPLE, kernel);
      const order = ['xen_vcpu_restore', 'xen_setup_callback_vector', 'xen_irq_resume', 'xen_evtchn_resume', 'clear_evtchn_to_irq_all', 'restore_cpu_virqs', 'restore_cpu_ipis', 'restore_pirqs', 'irq_pm_syscore_resume', 'resume_device_irqs', 'xs_resume', 'rebind_evtchn_irq'];
      const names = seen.calls.map(({ name }) => name);
      const begin = names.indexOf('xen_suspend');
      const places = order.filter(name => name !== 'xen_evtchn_resume').map(name => names.indexOf(name, begin));
      assert.ok(places.every(place => place > 0), `${kernel}: ${JSON.stringify(places)}`);
      assert.deepEqual(places, [...places].sort((a, b) => a - b));
    }
  });

  for (const xen of ABIS) {
    it(`has its lines, timers and IPIs back: ${xen}`, async () => {
      for (const kernel of KERNELS) {
        const p = await run([...LINE, 'assert: old', 'suspend: xen', 'assert: old', 'offline: 1', 'online: 1', 'assert: old'], kernel, xen);
        assert.deepEqual(p.results, [1, 0, 0, 0, 0, 0, 0, 0]);
        assert.equal(counted(p, dev(p, 'old').irq), 3);
        assert.deepEqual(p.guest.findings.violations, []);
        assert.match(procInterrupts(p.guest.world), / timer1\n/);
      }
    });

    it(`loses its messages: requested, and they never come, until they are allocated anew: ${xen}`, async () => {
      for (const kernel of KERNELS) {
        const p = await run([...MESSAGE, 'raise: card', 'suspend: xen', 'raise: card'], kernel, xen);
        const { irq } = dev(p, 'card').msi_list[0];
        assert.deepEqual([counted(p, irq), infoOf(p, irq).evtchn, p.desc(irq).depth], [1, 0, 0]);
        assert.deepEqual(dropped(p), ['there is no pirq 79 for messages']);
        assert.deepEqual(p.guest.findings.violations.map(({ violation }) => violation.message), [`irq ${irq}: Xen has no pirq 79`]);
        const q = await run([...MESSAGE, 'suspend: xen', 'free: { device: card }', 'freeVectors: card', ...MESSAGE, 'raise: card'], kernel, xen);
        assert.equal(counted(q, dev(q, 'card').msi_list[0].irq), 1);
      }
    });
  }

  it('has interrupts of devices disabled meanwhile, others forced on again early: IRQF_NO_SUSPEND, IRQF_EARLY_RESUME', async () => {
    for (const kernel of KERNELS) {
      const seen = await see(EXAMPLE, kernel);
      const under = (name: string, caller: string): number => seen.calls.filter(call => call.name === name && call.callers.includes(caller)).length;
      const requested = [...seen.guest.world.kernel.irq_desc_tree.values()].filter(({ action }) => action !== null);
      assert.equal(under('__disable_irq', 'suspend_device_irqs'), requested.filter(({ no_suspend_depth }) => no_suspend_depth === 0).length);
      const early = requested.filter(({ action }) => (action!.flags & IRQF_EARLY_RESUME) !== 0);
      assert.equal(under('__enable_irq', 'irq_pm_syscore_resume'), early.length);
      // those of locks are never enabled: they are polled
      assert.deepEqual(early.filter(({ depth }) => depth > 0).map(({ action }) => action!.name), ['spinlock0', 'spinlock1']);
    }
  });

  it('warns of a line that Xen gives no pirq, and forgets its irq: "xen map irq failed"', async () => {
    const p = await run(LINE, 'v5.10.223');
    const { kernel, machine } = p.guest.world;
    const { irq } = dev(p, 'old');
    enterWorld(p.guest.world, 0);
    (machine.config.xen!.deny as string[]).push('PHYSDEVOP_map_pirq');
    kernel.cpus[0].irqs_enabled = false;
    machine.xen!.suspend();
    for (const step of [xen_arch_post_suspend(0), xen_irq_resume()]) while (!step.next().done);
    assert.ok(kernel.log.some(({ text }) => text === `xen:events: xen map irq failed gsi=22 irq=${irq} pirq=21 rc=-1`), kernel.log.at(-1)!.text);
    assert.equal(kernel.irq_desc_tree.get(irq), undefined);
  });
});
