// An MSI domain of the module's own, for parts of a device, on top of whatever the device's messages go through: as the docs of irqstep/model say.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { irq_data } from '../../../src/kernel/include/irq';
import { playFile } from '../play';

const MODULE = `
import { DOMAIN_BUS, ENOMEM, IRQ_HANDLED, MSI_FLAG, alloc_msi_entry, device_raise, device_slots, free_irq, handle_edge_irq, init_msi_alloc_info, irq_chip_ack_parent, irq_domain_alloc_named_fwnode,
  irq_domain_remove, irq_domain_update_bus_token, msi_create_irq_domain, msi_domain_alloc_irqs, msi_domain_free_irqs, msi_get_domain_info, msi_parent_domain, pci_device, pci_enable_device,
  pci_set_master, readl, request_irq, subdevice, writel } from 'irqstep/model';
import type { Op, PciDev, irq_chip, irq_data, irq_domain, msi_domain_info, msi_msg } from 'irqstep/model';

let domain: irq_domain;
let queues: subdevice;
const slot = (data: irq_data): number => device_slots(pci_device('card')).address + data.hwirq * 16;
const chip: irq_chip = {
  name: 'QUEUE', irq_ack: irq_chip_ack_parent, flags: 0,
  *irq_mask(data) { writel(readl(slot(data) + 12) | 1, slot(data) + 12); },
  *irq_unmask(data) { writel(readl(slot(data) + 12) & ~1, slot(data) + 12); },
  *irq_write_msi_msg(data, msg: msi_msg) {
    writel(msg.address_lo, slot(data));
    writel(msg.address_hi, slot(data) + 4);
    writel(msg.data, slot(data) + 8);
  },
};
const info: msi_domain_info = {
  flags: MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS | MSI_FLAG.ACTIVATE_EARLY,
  ops: {
    *msi_prepare(_domain, _dev, _nvec, arg) {
      const like = yield* init_msi_alloc_info(pci_device('card'));
      if (!like) return -ENOMEM;
      Object.assign(arg, like);
      return 0;
    },
    *set_desc(arg, desc) { arg.hwirq = desc.dev.msi_list.indexOf(desc); },
  },
  chip, handler: handle_edge_irq, handler_name: 'edge',
};
export function* init(): Op<number> {
  const pdev: PciDev = pci_device('card');
  const err = yield* pci_enable_device(pdev);
  if (err < 0) return err;
  yield* pci_set_master(pdev);
  queues = new subdevice('queues', pdev, 0);
  domain = yield* msi_create_irq_domain(yield* irq_domain_alloc_named_fwnode('QUEUES'), info, yield* msi_parent_domain(pdev));
  yield* irq_domain_update_bus_token(domain, DOMAIN_BUS.PLATFORM_MSI);
  return (yield* msi_get_domain_info(domain)) === info ? 0 : -1;
}
function* handler(): Op<number> { return IRQ_HANDLED; }
export function* start(n: number): Op<number> {
  for (let i = 0; i < n; i++) {
    const desc = yield* alloc_msi_entry(queues, 1, null);
    if (!desc) return -ENOMEM;
    queues.msi_list.push(desc);
  }
  const err = yield* msi_domain_alloc_irqs(domain, queues, n);
  if (err !== 0) return err;
  for (const { irq } of queues.msi_list) yield* request_irq(irq, handler, 0, 'q', queues);
  return queues.msi_list[1].irq;
}
export function* raise(entry: number): Op { yield* device_raise(pci_device('card'), entry); }
export function* stop(): Op {
  for (const { irq } of queues.msi_list) yield* free_irq(irq, queues);
  yield* msi_domain_free_irqs(domain, queues);
  queues.msi_list = [];
  yield* irq_domain_remove(domain);
}
`;
const scenario = (remap: string, irq: number, more = ''): string => `modules: [./m.ts]
machine: { cpus: 4, remap: ${remap}, devices: [{ name: card, kind: ims, address: 00:05.0, ims: { slots: 4, subdevices: [part] } }] }
steps:
  - call: { function: start, args: [3] }
    expect: ${irq}
  - call: { function: raise, args: [1] }
  - affinity: { irq: ${irq}, cpus: 2 }
  - call: { function: raise, args: [1] }
  - call: { function: raise, args: [1] }
${more}`;
const chain = (data: irq_data | null): string[] => (data ? [`${data.domain!.name} ${data.chip.name}`, ...chain(data.parent_data)] : []);

describe("an MSI domain of a module's own", () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'irqstep-queues-'));
    writeFileSync(join(folder, 'm.ts'), MODULE);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  for (const [remap, irq, below] of [
    ['none', 25, ['VECTOR APIC']],
    ['intel', 26, ['INTEL-IR-0 INTEL-IR', 'VECTOR APIC']],
    ['amd', 26, ['AMD-IR-0 AMD-IR', 'VECTOR APIC']],
  ] as const) {
    it(`stands on ${below[0]}, gets interrupts before and behind a move, and leaves nothing`, async () => {
      const played = await playFile(join(folder, 'a.irq.yaml'), scenario(remap, irq), 'v5.10');
      assert.deepEqual([played.stop.error?.message, played.desc(irq).tot_count], [undefined, 3]);
      assert.deepEqual(chain(played.desc(irq).irq_data), ['QUEUES-4 QUEUE', ...below]);
      assert.match(played.place(irq), /^2:/);
      const ended = await playFile(join(folder, 'a.irq.yaml'), scenario(remap, irq, '  - call: { function: stop }\n'), 'v5.10');
      assert.equal(ended.stop.error, undefined);
      assert.ok(!ended.guest.world.kernel.irq_desc_tree.has(irq) && !ended.guest.world.kernel.irq_domain_list.some(({ name }) => name.startsWith('QUEUES')));
    });
  }

  it('needs get_hwirq of its own before v2-19: x86 has no default, and it is called', async () => {
    const { stop } = await playFile(join(folder, 'a.irq.yaml'), scenario('none', 25), 'v5.9');
    assert.equal(stop.error?.message, 'BUG: kernel NULL pointer dereference, address: 0000000000000000');
  });
});
