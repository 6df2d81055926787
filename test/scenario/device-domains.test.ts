// What v6.2 did instead of device MSI (facts 8): domains of each device, and message stores as a second one. v5.10 with single changes of v6.2, beside v5.10.
import assert from 'node:assert/strict';
import { domainsOf } from '../../debug-adapter/panel/panel-domains';
import { ChangeTracker } from '../../debug-adapter/panel/changes';
import { IMS_CTRL } from '../../src/hardware/ims-store';
import { apic_chip_data_of } from '../../src/kernel/arch/x86/apic/apic_chip_data';
import { pci_create_ims_domain, pci_ims_alloc_irq, pci_ims_free_irq, pci_msix_alloc_irq_at, pci_msix_free_irq } from '../../src/kernel/drivers/pci/msi_ims';
import type { irq_data } from '../../src/kernel/include/irq';
import { bus_token_name, DOMAIN_BUS, type irq_domain, IRQ_DOMAIN_FLAG } from '../../src/kernel/include/irqdomain';
import { MSI_ANY_INDEX, MSI_DEFAULT_DOMAIN, MSI_FLAG, MSI_MAX_DEVICE_IRQDOMAINS, msi_desc, type msi_domain_info, type msi_domain_template, type msi_map, MSI_SECONDARY_DOMAIN } from '../../src/kernel/include/msi';
import type { PciDev } from '../../src/kernel/include/pci';
import { pci_irq_vector } from '../../src/kernel/drivers/pci/msi_api';
import { EBUSY, EINVAL, ENODEV, ENOMEM, ENOSPC, ENOSYS, ENOTSUPP, ERANGE } from '../../src/kernel/lib/errno';
import { limit_text } from '../../src/kernel/lib/limit';
import { kernel_oops } from '../../src/kernel/lib/fault';
import { brief } from '../../src/recording/brief';
import { type Call, recordCalls } from '../../src/recording/call-tree';
import { loadScenario } from '../../src/scenario/load';
import { readTextFile } from '../../src/text/files';
import { run } from '../kernel/x86/machines';
import { play, type Played, playFile } from './play';

const VECTOR = 'v5.10+msi-device-data+multi-msi-early-reject+msi-parent-domains';
const INTEL = `${VECTOR}+vtd-msi-parent-domains`;
const AMD = `${VECTOR}+amd-msi-parent-domains`;
const IMS = `${INTEL}+pci-ims`;

const example = async (name: string, kernel?: string): Promise<Played> => {
  const played = await playFile(`examples/later/${name}.irq.yaml`, undefined, kernel);
  assert.equal(played.stop.reason, 'end', played.stop.error?.message);
  return played;
};

const domains = ({ guest }: Played): readonly irq_domain[] => guest.world.kernel.irq_domain_list;
const names = (played: Played): string[] => domains(played).map(({ name }) => name).sort();
const domain = (played: Played, name: string): irq_domain => domains(played).find(d => d.name === name)!;
const infoOf = ({ host_data }: irq_domain): msi_domain_info => host_data as msi_domain_info;
const device = ({ guest }: Played, address: string): PciDev => guest.world.kernel.pci_devices.find(({ name }) => name === `0000:${address}`)!;

/** "PCI-MSIX-0000:00:03.0-12 > VECTOR" */
const chain = (played: Played, irq: number): string => {
  const levels: string[] = [];
  for (let at: irq_data | null = played.desc(irq).irq_data; at; at = at.parent_data) levels.push(at.domain!.name);
  return levels.join(' > ');
};
const chip = (played: Played, irq: number): string => played.desc(irq).irq_data.chip.name;
const hwirqs = (played: Played, irqs: readonly number[]): number[] => irqs.map(irq => played.desc(irq).irq_data.hwirq);

/** All calls of a scenario, outermost first. */
async function calls(text: string, kernel: string): Promise<Call[]> {
  const loaded = loadScenario('x.irq.yaml', text, { kernel });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const within = (call: Call): Call[] => call.items.flatMap(item => ('call' in item ? [item.call, ...within(item.call)] : []));
  return (await recordCalls(loaded.make, brief)).steps.flatMap(({ call }) => within(call));
}

const NIC = '{ name: eth0, kind: nic, address: 00:03.0 }';
const CARD = '{ name: card, kind: custom, address: 00:05.0, msix: 8, msi: { vectors: 4 } }';
const ACCEL = '{ name: accel, kind: ims, address: 00:05.0, ims: { slots: 2, subdevices: [mdev0, mdev1] } }';
const machine = (remap: string, ...devices: string[]): string => `machine: { cpus: 4, remap: ${remap}, devices: [${devices.join(', ')}] }`;

describe('domains of each device (facts 8)', () => {
  describe('on VECTOR', () => {
    let later: Played;
    let before: Played;
    it('the example, and the same on v5.10', async () => {
      later = await example('device-domains');
      before = await playFile('examples/later/device-domains.irq.yaml', undefined, 'v5.10');
    });

    it('one PCI-MSI-3 for all becomes one for each device and kind, on the vector domain, with the token of its bus behind its name', () => {
      assert.deepEqual(names(before).filter(name => name.includes('PCI')), ['PCI-MSI-3']);
      assert.deepEqual(names(later).filter(name => name.includes('PCI')), ['PCI-MSI-0000:00:05.0-11', 'PCI-MSIX-0000:00:03.0-12']);
      assert.equal(chain(later, 24), 'PCI-MSIX-0000:00:03.0-12 > VECTOR');
      assert.equal(chain(before, 24), 'PCI-MSI-3 > VECTOR');
    });

    it('chips PCI-MSI and PCI-MSIX are called as the domain, without the token', () => {
      assert.deepEqual([chip(later, 24), chip(later, 27)], ['PCI-MSIX-0000:00:03.0', 'PCI-MSI-0000:00:05.0']);
      assert.deepEqual([chip(before, 24), chip(before, 27)], ['PCI-MSI', 'PCI-MSI']);
      assert.match(readTextFile(later.guest.world, '/proc/interrupts'), /^ 25: .* PCI-MSIX-0000:00:03\.0 {3}1-edge {6}eth0-tx-0$/m);
    });

    it('hwirq is the number of the message in the device, not pci_msi_domain_calc_hwirq()', () => {
      assert.deepEqual(hwirqs(later, [24, 25, 26]), [0, 1, 2]);
      assert.deepEqual(hwirqs(before, [24, 25, 26]), [0xc000, 0xc001, 0xc002]);
    });

    it('the device points to the MSI parent, and has its domains by their ids', () => {
      const { msi_domain, msi_data } = device(later, '00:03.0');
      assert.equal(msi_domain, later.guest.world.kernel.x86_vector_domain);
      assert.deepEqual([MSI_DEFAULT_DOMAIN, MSI_SECONDARY_DOMAIN, MSI_MAX_DEVICE_IRQDOMAINS], [0, 1, 2]);
      assert.deepEqual(msi_data!.__domains.map(own => own.domain?.name), ['PCI-MSIX-0000:00:03.0-12', undefined]);
      assert.equal(domain(later, 'PCI-MSIX-0000:00:03.0-12').dev, device(later, '00:03.0'));
    });

    it('VECTOR is an MSI parent without a prefix, that has MSI-X, and neither multi-MSI nor IMS', () => {
      const vector = domain(later, 'VECTOR');
      assert.equal(vector.flags & IRQ_DOMAIN_FLAG.MSI_PARENT, 0x100);
      const { prefix, supported_flags } = vector.msi_parent_ops!;
      assert.equal(prefix, '');
      assert.deepEqual([MSI_FLAG.PCI_MSIX, MSI_FLAG.MULTI_PCI_MSI, MSI_FLAG.PCI_IMS, MSI_FLAG.PCI_MSIX_ALLOC_DYN].map(flag => (supported_flags & flag) !== 0), [true, false, false, false]);
      assert.equal(domain(before, 'VECTOR').flags & IRQ_DOMAIN_FLAG.MSI_PARENT, 0);
    });

    it('a table sizes the domain of MSI-X; one message, that of MSI', () => {
      assert.deepEqual(['PCI-MSIX-0000:00:03.0-12', 'PCI-MSI-0000:00:05.0-11'].map(name => infoOf(domain(later, name)).hwsize), [device(later, '00:03.0').hw.msix!.place.entries, 1]);
    });

    it('the chip gets msi_set_affinity() and the quirk for messages that cannot be masked, as an info flag, on VECTOR alone', async () => {
      const { chip: { irq_set_affinity }, flags } = infoOf(domain(later, 'PCI-MSIX-0000:00:03.0-12'));
      assert.deepEqual([irq_set_affinity!.name, flags & MSI_FLAG.NOMASK_QUIRK], ['msi_set_affinity', 0x80]);
      const intel = infoOf(domain(await example('device-domains-intel'), 'IR-PCI-MSIX-0000:00:03.0-12'));
      assert.deepEqual([intel.chip.irq_set_affinity!.name, intel.flags & MSI_FLAG.NOMASK_QUIRK], ['msi_domain_set_affinity', 0]);
    });

    it('no multi-MSI: refused before anything is set up', () => assert.deepEqual(later.results.slice(4), [4, 0, -ENOSPC, 1, 0, 0]));
  });

  it('a domain is made when the driver asks, goes when it asks for the other kind, and with the driver', async () => {
    const of = async (...steps: string[]): Promise<string[]> => names(await play(machine('none', CARD), steps, { kernel: VECTOR })).filter(name => name.includes('PCI'));
    const [x, m] = ['MSIX', 'MSI'].map(kind => `alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_${kind}] }`);
    assert.deepEqual(await of('affinity: { irq: 1, cpus: 0-3 }'), []);
    assert.deepEqual(await of(x, 'freeVectors: card'), ['PCI-MSIX-0000:00:05.0-12']);
    assert.deepEqual(await of(x, 'freeVectors: card', m), ['PCI-MSI-0000:00:05.0-11']);
    assert.deepEqual(names(await play(machine('none', NIC), ['probe: eth0', 'remove: eth0'], { kernel: VECTOR })).filter(name => name.includes('PCI')), []);
  });

  it('the order: pci_setup_msix_device_domain(), msi_create_device_irq_domain(), x86_init_dev_msi_info(), __msi_create_irq_domain(), then the interrupts', async () => {
    const order = ['pci_setup_msix_device_domain', 'msi_create_device_irq_domain', 'x86_init_dev_msi_info', '__msi_create_irq_domain', '__msi_domain_alloc_irqs'];
    const called = await calls(`${machine('none', NIC)}\nsteps:\n  - probe: eth0\n`, VECTOR);
    assert.deepEqual(called.map(({ name }) => name).filter(name => order.includes(name)), order);
  });

  describe('on Intel remapping', () => {
    it('INTEL-IR-0 becomes INTEL-IR-0-13, and INTEL-IR-MSI-0-3 is not there', async () => {
      const [later, before] = [await example('device-domains-intel'), await example('device-domains-intel', 'v5.10')];
      assert.deepEqual(names(before).filter(name => name.includes('MSI-0') || name.startsWith('INTEL')), ['INTEL-IR-0', 'INTEL-IR-MSI-0-3']);
      assert.deepEqual(names(later).filter(name => name.includes('MSI') || name.startsWith('INTEL')), ['DMAR-MSI', 'INTEL-IR-0-13', 'IR-PCI-MSI-0000:00:05.0-11', 'IR-PCI-MSIX-0000:00:03.0-12']);
      assert.equal(chain(later, 25), 'IR-PCI-MSIX-0000:00:03.0-12 > INTEL-IR-0-13 > VECTOR');
      assert.equal(chip(later, 31), 'IR-PCI-MSI-0000:00:05.0');
      assert.deepEqual(hwirqs(later, [28, 31]), [0, 3]);
    });

    it('supports multi-MSI: one message, four interrupts, entries side by side', async () => assert.deepEqual((await example('device-domains-intel')).results.slice(1, 2), [4]));

    it('with caching mode, as in a guest: vIR-, without IMS', async () => {
      const played = await play(machine('{ type: intel, cachingMode: true }', NIC), ['probe: eth0'], { kernel: IMS });
      assert.equal(chain(played, 25), 'vIR-PCI-MSIX-0000:00:03.0-12 > INTEL-IR-0-13 > VECTOR');
      assert.equal(domain(played, 'INTEL-IR-0-13').msi_parent_ops!.supported_flags & MSI_FLAG.PCI_IMS, 0);
    });

    it('with VECTOR alone switched (b6d5fc3a5245) devices still go to INTEL-IR-MSI-0-3', async () => {
      const played = await play(machine('intel', NIC), ['probe: eth0', 'raise: { device: eth0, entry: 0 }'], { kernel: VECTOR });
      assert.equal(chain(played, 25), 'INTEL-IR-MSI-0-3 > INTEL-IR-0 > VECTOR');
      assert.equal(played.guest.world.machine.events.some(({ kind }) => kind === 'taken'), true);
    });
  });

  it('msi_handle_pci_fail(): an interrupt that is not to be had makes as many do as there were before it, none -ENOSPC; without a domain of its own, the device gets -ENODEV', async () => {
    const results = new Set<number>();
    for (let nth = 1; nth < 39; nth++) {
      const { stop, results: [result] } = await play(machine('intel', CARD), [`{ alloc: { device: card, min: 1, max: 4, flags: [PCI_IRQ_MSIX] }, failNth: ${nth} }`], { kernel: INTEL, check: false });
      // the pin that the device no longer needs: an IOAPIC without memory for it is a panic
      if (stop.reason === 'end') results.add(result);
    }
    assert.deepEqual([...results], [-ENOMEM, -ENODEV, -ENOSPC, 1, 2]);
  });

  describe('on AMD remapping', () => {
    it('AMD-IR-0-14 has the prefix IR- in a guest, too: the domain is made before amd_iommu_np_cache is known', async () => {
      const later = await example('device-domains-amd');
      assert.equal(later.guest.world.kernel.amd_iommu_np_cache, true);
      assert.equal(chain(later, 25), 'IR-PCI-MSIX-0000:00:03.0-12 > AMD-IR-0-14 > VECTOR');
      const called = await calls(`${machine('{ type: amd, npCache: true }')}\nsteps:\n  - boot\n`, AMD);
      assert.deepEqual(called.map(({ name }) => name).filter(name => /^(amd_iommu_create_irq_domain|iommu_init_pci)$/.test(name)), ['amd_iommu_create_irq_domain', 'iommu_init_pci']);
    });

    it("the IOMMU's own interrupt is not remapped: PCI-MSI-0000:00:00.2-11 on VECTOR", async () => assert.equal(chain(await example('device-domains-amd'), 24), 'PCI-MSI-0000:00:00.2-11 > VECTOR'));

    it('before: AMD-IR-MSI-0-3 for all', async () => assert.equal(chain(await example('device-domains-amd', 'v5.10'), 25), 'AMD-IR-MSI-0-3 > AMD-IR-0 > VECTOR'));
  });

  it('what is behind a VMD keeps the global domain: VMD-MSI-*, no MSI parent', async () => {
    const played = await play('machine: { cpus: 4, remap: intel, devices: [{ name: vmd0, kind: vmd, address: 00:0e.0 }, { name: nvme0, kind: nvme, address: 00:00.0, behind: vmd0 }] }', ['probe: vmd0', 'probe: nvme0'], { kernel: INTEL });
    const behind = played.guest.world.kernel.pci_devices.find(({ domain_nr }) => domain_nr !== 0)!;
    assert.match(behind.msi_domain!.name, /^VMD-MSI-65536-3-10$/);
    assert.equal(behind.msi_data!.__domains[MSI_DEFAULT_DOMAIN].domain, behind.msi_domain);
  });

  it('tokens: PCI_DEVICE_MSI 11, PCI_DEVICE_MSIX 12, DMAR 13, AMDVI 14, PCI_DEVICE_IMS 15; before, DEVICE_MSI would be 11', async () => {
    const { PCI_DEVICE_MSI, PCI_DEVICE_MSIX, DMAR, AMDVI, PCI_DEVICE_IMS, DEVICE_MSI } = DOMAIN_BUS;
    assert.deepEqual([PCI_DEVICE_MSI, PCI_DEVICE_MSIX, DMAR, AMDVI, PCI_DEVICE_IMS, DEVICE_MSI], [11, 12, 13, 14, 15, 11]);
    const named = async (kernel: string): Promise<string | undefined> => run((await play(machine('none', NIC), ['probe: eth0'], { kernel })).guest.world, 0, function* name() {
      return bus_token_name(11);
    });
    assert.deepEqual([await named(VECTOR), await named('v5.10+device-msi')], ['PCI_DEVICE_MSI', 'DEVICE_MSI']);
  });

  it('the panel: a device stands in its own domain', async () => {
    const { domains: shown } = domainsOf((await example('device-domains-intel')).guest.world, new ChangeTracker());
    const own = shown.find(({ name }) => name === 'IR-PCI-MSIX-0000:00:03.0-12')!;
    assert.deepEqual([own.busToken, shown[own.parent!].name, own.devices.map(({ name, irqs }) => `${name}: ${irqs.map(({ irq }) => irq).join(' ')}`)], ['PCI_DEVICE_MSIX', 'INTEL-IR-0-13', ['0000:00:03.0: 25 26 27']]);
    assert.deepEqual(shown.find(({ name }) => name === 'INTEL-IR-0-13')!.devices.filter(({ name }) => name === '0000:00:03.0'), []);
  });

  it('debugfs: the chain of the domain, by its names', async () => {
    const text = readTextFile((await example('device-domains-intel')).guest.world, '/sys/kernel/debug/irq/domains/IR-PCI-MSIX-0000:00:03.0-12');
    assert.match(text, /^name: {3}IR-PCI-MSIX-0000:00:03\.0-12\n size: {3}0\n mapped: 3\n flags: {2}0x00000213\n parent: INTEL-IR-0-13\n/);
  });
});

describe('dynamic MSI-X (facts 8): pci_msix_alloc_irq_at()', () => {
  const DYN = `${VECTOR}+msix-alloc-dyn`;
  const alloc = 'alloc: { device: card, min: 2, max: 2, flags: [PCI_IRQ_MSIX] }';
  const at = (played: Played, index: number): msi_map => run(played.guest.world, 0, () => pci_msix_alloc_irq_at(device(played, '00:05.0'), index, null));

  it('has single entries of the table beside others, the next free one or one by its number, masked and with a message; and gives them back', async () => {
    const played = await play(machine('none', CARD), [alloc], { kernel: DYN });
    const dev = device(played, '00:05.0');
    assert.deepEqual([at(played, 5), at(played, MSI_ANY_INDEX)], [{ index: 5, virq: 26 }, { index: 2, virq: 27 }]);
    assert.deepEqual(dev.msi_list.map(({ msi_attrib }) => msi_attrib.entry_nr), [0, 1, 2, 5]);
    assert.equal(chain(played, 26), 'PCI-MSIX-0000:00:05.0-12 > VECTOR');
    assert.equal(run(played.guest.world, 0, () => pci_irq_vector(dev, 5)), 26);
    assert.equal(dev.hw.msix!.masked(5), true);
    assert.notEqual(dev.hw.msix!.message(5).lo, 0);
    run(played.guest.world, 0, () => pci_msix_free_irq(dev, { index: 5, virq: 26 }));
    assert.equal(played.guest.world.kernel.irq_desc_tree.has(26), false);
    assert.deepEqual(at(played, MSI_ANY_INDEX).index, 3);
  });

  it('-EBUSY for an entry that is taken, -ERANGE beyond the table, -EBUSY when the table is full, -ENOTSUPP while MSI-X is off or without the change', async () => {
    const played = await play(machine('none', CARD), [alloc], { kernel: DYN });
    assert.deepEqual([at(played, 1).index, at(played, 8).index], [-EBUSY, -ERANGE]);
    for (let i = 2; i < 8; i++) assert.equal(at(played, MSI_ANY_INDEX).index, i);
    assert.equal(at(played, MSI_ANY_INDEX).index, -EBUSY);
    assert.equal(at(await play(machine('none', CARD), ['freeVectors: card'], { kernel: DYN }), 0).index, -ENOTSUPP);
    assert.equal(at(await play(machine('none', CARD), [alloc], { kernel: VECTOR }), 4).index, -ENOTSUPP);
  });
});

describe('message stores as a second domain (facts 8): pci-ims', () => {
  const store = ({ guest }: Played) => guest.world.machine.pci.find(({ ims }) => ims)!.ims!;

  it('the example: a domain beside that of MSI-X, numbers by the kernel, the lowest free one; none: -EBUSY, by the name of the limit, and what there was goes back', async () => {
    const played = await example('ims');
    assert.deepEqual(played.results, [0, 0, 0, 0, 0, 0, -EBUSY, 0, 0, 0, 0, 0, 0]);
    assert.deepEqual(played.guest.world.kernel.limits.map(limit_text), ['limit: messages of IR-IMS-0000:00:05.0-15: 4 of 4 in use']);
    assert.deepEqual(device(played, '00:05.0').msi_data!.__domains.map(own => own.domain?.name), [undefined, 'IR-IMS-0000:00:05.0-15']);
    assert.equal(chain(played, 28), 'IR-IMS-0000:00:05.0-15 > INTEL-IR-0-13 > VECTOR');
    assert.deepEqual(device(played, '00:05.0').msi_data!.__domains[MSI_SECONDARY_DOMAIN].store.map(({ msi_attrib }) => msi_attrib.entry_nr), [0, 2, 3]);
    assert.deepEqual(played.guest.findings.violations, []);
  });

  it('v5.10 has no domain for it, and what was posted in 2021 one for the parts', async () => {
    assert.equal((await playFile('examples/later/ims.irq.yaml', undefined, 'v5.10')).results[0], -ENODEV);
    const repost = await play(machine('intel', ACCEL), ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 1 }'], { kernel: 'v5.10+ims-repost' });
    assert.equal(chain(repost, 25), '0000:00:05.0-11 > INTEL-IR-0 > VECTOR');
  });

  it('takes a vector with the request, where device MSI took one with the allocation; reservation is of PCI/MSI alone, and is cleared', async () => {
    const steps = ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 1 }'];
    const [later, repost] = await Promise.all([IMS, 'v5.10+ims-repost'].map(kernel => play(machine('intel', ACCEL), steps, { kernel })));
    assert.deepEqual([later.place(25), repost.place(25)].map(place => place === '-'), [true, false]);
    assert.equal(apic_chip_data_of(later.desc(25).irq_data)!.has_reserved, true);
    assert.deepEqual(store(later).message(0), { lo: 0, hi: 0, data: 0, ctrl: 1 });
    const requested = await play(machine('intel', ACCEL), [...steps, 'request: { device: mdev0, name: wq }'], { kernel: IMS });
    assert.notEqual(requested.place(25), '-');
    assert.notEqual(store(requested).message(0).lo, 0);
  });

  it('the PASID comes with the allocation as a cookie, stands in the slot from the first unmask on, and survives masking; there is no irq_set_auxdata()', async () => {
    const steps = ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 1, pasid: 5 }', 'request: { device: mdev0, name: wq }'];
    const ctrl = async (...more: string[]): Promise<unknown> => {
      const { bit0, pasid_enable, pasid } = IMS_CTRL.decode(store(await play(machine('intel', ACCEL), [...steps, ...more], { kernel: IMS })).message(0).ctrl);
      return [bit0, pasid_enable, pasid];
    };
    assert.deepEqual(await ctrl(), [0, 1, 5]);
    assert.deepEqual(await ctrl('free: { device: mdev0 }'), [1, 1, 5]);
    assert.equal((await play(machine('intel', ACCEL), [...steps, 'auxdata: { device: mdev0, pasid: 6 }'], { kernel: IMS })).results.at(-1), -ENOSYS);
  });

  it('asks for the allocation type PCI_MSIX: the remapping entry belongs to the PCI function', async () => {
    const called = await calls(`${machine('intel', ACCEL)}\nsteps:\n  - probe: accel\n  - msiAlloc: { device: mdev0, vectors: 1 }\n`, IMS);
    const { args } = called.filter(({ name }) => name === 'intel_irq_remapping_alloc').at(-1)!;
    assert.equal(args.find(({ name }) => name === 'arg')!.value, 'PCI_MSIX hwirq 0x0');
  });

  it('a pasid with an allocation is for kernels with pci-ims, which the scenario is told', () => {
    const text = (kernel: string): string => `kernel: ${kernel}\n${machine('intel', ACCEL)}\nsteps:\n  - probe: accel\n  - msiAlloc: { device: mdev0, vectors: 1, pasid: 5 }\n`;
    const loaded = loadScenario('x.irq.yaml', text('v5.10+ims-repost'));
    assert.deepEqual(loaded.ok ? [] : loaded.diagnostics.map(({ message }) => message), ['kernel v5.10+ims-repost takes no pasid with an allocation; expected a step auxdata behind it, or a kernel with pci-ims']);
    assert.ok(loadScenario('x.irq.yaml', text(`{ base: v5.10, with: [${IMS.split('+').slice(1).join(', ')}] }`)).ok);
  });

  it('is refused on VECTOR and on a unit of a guest, and allowed on an AMD unit', async () => {
    assert.deepEqual((await example('ims-refused')).results, [-ENODEV]);
    const probe = async (remap: string, kernel: string): Promise<number> => (await play(machine(remap, ACCEL), ['probe: accel'], { kernel })).results[0];
    assert.equal(await probe('{ type: intel, cachingMode: true }', IMS), -ENODEV);
    assert.equal(await probe('intel', INTEL), -ENODEV, 'without pci-ims');
    assert.equal(await probe('intel', `${VECTOR}+pci-ims`), -ENODEV, 'INTEL-IR-MSI-0-3 is no MSI parent');
    assert.equal(await probe('amd', `${AMD}+pci-ims`), 0);
  });

  it('goes with the driver', async () => {
    const played = await play(machine('intel', ACCEL), ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 2 }', 'request: { device: mdev0, name: wq }', 'remove: accel'], { kernel: IMS });
    assert.deepEqual(names(played).filter(name => name.includes('IMS')), []);
    assert.equal(played.guest.world.kernel.dmar_drhd_units[0].iommu.ir_table!.bitmap.weight, (await play(machine('intel', ACCEL), ['probe: accel', 'remove: accel'], { kernel: IMS })).guest.world.kernel.dmar_drhd_units[0].iommu.ir_table!.bitmap.weight);
  });

  it('in queue memory: a domain of 65536 numbers, a bus lock of the template, commands to the device', async () => {
    const played = await example('ims-queue');
    assert.equal(infoOf(domain(played, 'IR-IMS-0000:00:05.0-15')).hwsize, 65536);
    const commands = played.guest.world.machine.events.flatMap(event => (event.kind === 'queue command' ? [`${event.queue}:${event.slot}${event.masked ? ' masked' : ''}`] : []));
    assert.equal(commands.filter(text => text === '1:1').length > 0, true);
    assert.deepEqual(played.guest.world.machine.events.filter(({ kind }) => kind === 'taken').length, 2);
    assert.equal((await play(machine('intel', ACCEL.replace('slots: 2', 'store: queue, slots: 1')), ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 1 }', 'msiAlloc: { device: mdev0, vectors: 1 }'], { kernel: IMS })).results[2], -ENOSPC);
  });

  describe('pci_create_ims_domain()', () => {
    function* nothing() {
      // never called
    }
    const TEMPLATE: msi_domain_template = {
      chip: { name: 'T', irq_mask: nothing, irq_unmask: nothing, irq_write_msi_msg: nothing, flags: 0 },
      ops: {
        *prepare_desc(_domain, arg, desc) {
          arg.hwirq = desc.msi_attrib.entry_nr;
        },
      },
      flags: MSI_FLAG.ALLOC_SIMPLE_MSI_DESCS | MSI_FLAG.FREE_MSI_DESCS,
      bus_token: DOMAIN_BUS.PCI_DEVICE_IMS,
    };
    let played: Played;
    const create = (template: msi_domain_template, hwsize = 4): boolean => run(played.guest.world, 0, () => pci_create_ims_domain(device(played, '00:03.0'), template, hwsize, null));
    beforeEach(async () => {
      played = await play(machine('intel', NIC), ['probe: eth0'], { kernel: IMS });
    });

    it('wants the token, both flags, mask, unmask and write, and no irq_set_affinity', () => {
      const { chip } = TEMPLATE;
      const wrong: msi_domain_template[] = [
        { ...TEMPLATE, bus_token: DOMAIN_BUS.PCI_DEVICE_MSIX },
        { ...TEMPLATE, flags: MSI_FLAG.ALLOC_SIMPLE_MSI_DESCS },
        { ...TEMPLATE, flags: MSI_FLAG.FREE_MSI_DESCS },
        { ...TEMPLATE, chip: { ...chip, irq_mask: undefined } },
        { ...TEMPLATE, chip: { ...chip, irq_unmask: undefined } },
        { ...TEMPLATE, chip: { ...chip, irq_write_msi_msg: undefined } },
        { ...TEMPLATE, chip: { ...chip, *irq_set_affinity() { return 0; } } },
      ];
      assert.deepEqual(wrong.map(template => create(template)), wrong.map(() => false));
      assert.equal(create(TEMPLATE), true);
      assert.deepEqual(device(played, '00:03.0').msi_data!.__domains.map(own => own.domain?.name), ['IR-PCI-MSIX-0000:00:03.0-12', 'IR-T-0000:00:03.0-15']);
    });

    it('is false for a second one, with a warning, and for more than 65536 messages', () => {
      assert.equal(create(TEMPLATE, 65537), false);
      assert.equal(create(TEMPLATE, 0), true);
      assert.equal(create(TEMPLATE), false);
      assert.ok(played.guest.world.kernel.log.some(({ text }) => text.includes('msi_create_device_irq_domain')));
    });

    it('pci_ims_alloc_irq() before it: -ENODEV; on a device that has had no message at all, a NULL dereference', async () => {
      assert.deepEqual(run(played.guest.world, 0, () => pci_ims_alloc_irq(device(played, '00:03.0'), 0, null)), { index: -ENODEV, virq: 0 });
      const fresh = await play(machine('intel', NIC), ['affinity: { irq: 1, cpus: 0-3 }'], { kernel: IMS });
      assert.throws(() => run(fresh.guest.world, 0, () => pci_ims_alloc_irq(device(fresh, '00:03.0'), 0, null)), kernel_oops);
    });

    it('pci_ims_free_irq() of what was not got: a warning, and nothing', () => {
      create(TEMPLATE);
      run(played.guest.world, 0, () => pci_ims_free_irq(device(played, '00:03.0'), { index: -EINVAL, virq: 0 }));
      assert.ok(played.guest.world.kernel.log.some(({ text }) => text.includes('pci_ims_free_irq')));
    });

    it('a descriptor has two cookies in place of its PCI part', () => {
      create(TEMPLATE);
      const { index } = run(played.guest.world, 0, () => pci_ims_alloc_irq(device(played, '00:03.0'), 'queue 7', null));
      const [desc] = device(played, '00:03.0').msi_data!.__domains[MSI_SECONDARY_DOMAIN].store;
      assert.ok(desc instanceof msi_desc);
      assert.deepEqual([index, desc.data], [0, { dcookie: 0, icookie: 'queue 7' }]);
    });
  });
});
