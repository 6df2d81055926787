// Each platform before the series (v5.9) and after it (v5.10): levels of an interrupt and names of domains, who can compose a message, what a move does,
// and which domains are special. What no capture has is what the kernel's source says.
import assert from 'node:assert/strict';
import type { PciDev } from '../../src/kernel/include/pci';
import type { irq_data } from '../../src/kernel/include/irq';
import { pci_dev_has_special_msi_domain } from '../../src/kernel/drivers/pci/msi_irqdomain';
import { enterWorld } from '../../src/kernel/world';
import { run } from '../kernel/run';
import { play, type Played } from './play';
import { see } from './seen';

const AFTER_IMS = 'v5.10+ims-repost';

interface Platform {
  readonly machine: string;
  readonly steps: readonly string[];
  /** an interrupt by its number, or the first one of a device or part */
  readonly irq: number | string;
  /** default: v5.10 */
  readonly after?: string;
}

const CARD = '{ name: card, kind: custom, address: 00:02.0, msix: 4 }';
const OF_CARD = ['alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }', 'request: { device: card }'];
const LINE = ['alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_LEGACY] }', 'request: { device: card, flags: [IRQF_SHARED] }'];
const ims = (more: string): Platform => ({
  machine: `{ cpus: 4, ${more} devices: [{ name: accel, kind: ims, address: 00:05.0, ims: { slots: 4, subdevices: [mdev0] } }] }`,
  steps: ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 1 }', 'request: { device: mdev0 }'],
  irq: 'mdev0',
  after: AFTER_IMS,
});

const PLATFORMS = {
  native: { machine: `{ cpus: 4, devices: [${CARD}] }`, steps: OF_CARD, irq: 'card' },
  'VT-d': { machine: `{ cpus: 4, remap: intel, devices: [${CARD}] }`, steps: OF_CARD, irq: 'card' },
  'AMD-Vi': { machine: `{ cpus: 4, remap: amd, devices: [${CARD}] }`, steps: OF_CARD, irq: 'card' },
  VMD: {
    machine: `{ cpus: 4, devices: [{ name: vmd0, kind: vmd, address: 00:0e.0, msix: 2 }, { name: card, kind: custom, address: 00:02.0, behind: vmd0, msix: 4 }] }`,
    steps: ['probe: vmd0', ...OF_CARD],
    irq: 'card',
  },
  'Hyper-V': {
    machine: `{ cpus: 4, hypervisor: { hyperv: { buses: [{ name: vpci0, instance: f8615163-0001-1000-2000-6045bd2e0a8f }] } }, devices: [{ name: card, kind: custom, address: 00:02.0, behind: vpci0, msix: 4 }] }`,
    steps: ['probe: vpci0', ...OF_CARD],
    irq: 'card',
  },
  Xen: { machine: `{ cpus: 4, hypervisor: { xen: hvm }, devices: [${CARD}] }`, steps: OF_CARD, irq: 'card' },
  IOAPIC: { machine: '{ cpus: 4, devices: [{ name: card, kind: custom, address: 00:02.0, gsi: 20 }] }', steps: LINE, irq: 20 },
  'IOAPIC, VT-d': { machine: '{ cpus: 4, remap: intel, devices: [{ name: card, kind: custom, address: 00:02.0, gsi: 20 }] }', steps: LINE, irq: 20 },
  'IOAPIC, Hyper-V': { machine: '{ cpus: 4, x2apic: true, hypervisor: { hyperv: {} }, devices: [{ name: card, kind: custom, address: 00:02.0, gsi: 20 }] }', steps: LINE, irq: 20 },
  DMAR: { machine: `{ cpus: 4, remap: intel, devices: [${CARD}] }`, steps: ['boot'], irq: 24 },
  HPET: { machine: '{ cpus: 4, arat: false, hpet: { timers: 8, messages: true } }', steps: ['boot'], irq: 24 },
  'HPET, VT-d': { machine: '{ cpus: 4, remap: intel, arat: false, hpet: { timers: 8, messages: true } }', steps: ['boot'], irq: 25 },
  IMS: ims(''),
  'IMS, VT-d': ims('remap: intel,'),
} satisfies Record<string, Platform>;
type PlatformName = keyof typeof PLATFORMS;
const names = Object.keys(PLATFORMS) as PlatformName[];
const platform = (name: PlatformName): Platform => PLATFORMS[name];

const playOn = (name: PlatformName, when: 'before' | 'after', more: readonly string[] = []): Promise<Played> => {
  const { machine, steps, after = 'v5.10' } = platform(name);
  return play(`machine: ${machine}`, [...steps, ...more], { kernel: when === 'after' ? after : 'v5.9' });
};

const devOf = ({ guest }: Played, name: string): PciDev => guest.world.kernel.pci_devices.find(({ hw }) => hw.config.name === name)!;

function irqOf(p: Played, { irq }: Platform): number {
  if (typeof irq === 'number') return irq;
  const { kernel } = p.guest.world;
  return [...kernel.irq_desc_tree.values()].find(({ irq_common_data: { msi_desc } }) => msi_desc && (msi_desc.dev.name === irq || msi_desc.dev === devOf(p, irq)))!.irq_data.irq;
}

/** Outermost first. */
function levels(p: Played, name: PlatformName): irq_data[] {
  const found: irq_data[] = [];
  for (let data: irq_data | null = p.desc(irqOf(p, platform(name))).irq_data; data; data = data.parent_data) found.push(data);
  return found;
}

/** What is expected on both sides; a single one is the same on both. */
type Sides<T> = readonly [before: T, after: T] | readonly [both: T];
const side = <T>(sides: Sides<T>, when: 'before' | 'after'): T => (when === 'before' ? sides[0] : sides.at(-1)!);

const CHAINS: Record<PlatformName, Sides<string>> = {
  native: ['PCI-MSI-3 PCI-MSI > VECTOR APIC'],
  'VT-d': ['INTEL-IR-MSI-0-3 IR-PCI-MSI > INTEL-IR-0 INTEL-IR > VECTOR APIC'],
  'AMD-Vi': ['AMD-IR-MSI-0-3 IR-PCI-MSI > AMD-IR-0 AMD-IR > VECTOR APIC'],
  VMD: ['VMD-MSI-65536-3 VMD-MSI > VECTOR APIC', 'VMD-MSI-65536-3-10 VMD-MSI'],
  'Hyper-V': ['F8615163-0001-1000-2000-6045BD2E0A8F-3 Hyper-V PCIe MSI > VECTOR APIC'],
  Xen: ['- xen-pirq'],
  IOAPIC: ['IO-APIC-0 IO-APIC > VECTOR APIC'],
  'IOAPIC, VT-d': ['IO-APIC-IR-0 IR-IO-APIC > INTEL-IR-0 INTEL-IR > VECTOR APIC'],
  'IOAPIC, Hyper-V': ['IO-APIC-IR-0 IR-IO-APIC > HYPERV-IR-0 HYPERV-IR > VECTOR APIC'],
  DMAR: ['DMAR-MSI DMAR-MSI > VECTOR APIC'],
  HPET: ['HPET-MSI-0 HPET-MSI > VECTOR APIC'],
  'HPET, VT-d': ['IR-HPET-MSI-0 IR-HPET-MSI > INTEL-IR-0 INTEL-IR > VECTOR APIC'],
  IMS: ['', '0000:00:05.0-11 IMS > VECTOR APIC'],
  'IMS, VT-d': ['', '0000:00:05.0-11 IMS > INTEL-IR-0 INTEL-IR > VECTOR APIC'],
};

const COMPOSERS: Record<PlatformName, Sides<string>> = {
  native: ['PCI-MSI', 'APIC'],
  'VT-d': ['INTEL-IR', 'INTEL-IR APIC'],
  'AMD-Vi': ['AMD-IR', 'AMD-IR APIC'],
  VMD: ['VMD-MSI'],
  'Hyper-V': ['Hyper-V PCIe MSI', 'Hyper-V PCIe MSI APIC'],
  Xen: [''],
  IOAPIC: ['', 'APIC'],
  'IOAPIC, VT-d': ['INTEL-IR', 'INTEL-IR APIC'],
  'IOAPIC, Hyper-V': ['', 'APIC'],
  DMAR: ['DMAR-MSI', 'APIC'],
  HPET: ['HPET-MSI', 'APIC'],
  // the innermost one does it in v5.9
  'HPET, VT-d': ['IR-HPET-MSI INTEL-IR', 'INTEL-IR APIC'],
  IMS: ['', 'APIC'],
  'IMS, VT-d': ['', 'INTEL-IR APIC'],
};

for (const when of ['before', 'after'] as const) {
  describe(`each platform ${when} the series`, () => {
    for (const name of names) {
      it(`${name}: the levels of an interrupt, the names of their domains (11.1, 0.7), and the chips that can compose (11.2)`, async () => {
        const p = await playOn(name, when);
        const expected = side(CHAINS[name], when);
        if (expected === '') {
          assert.ok(p.results.every(result => result === -19), 'there is nothing of the kind: -ENODEV');
          return;
        }
        const found = levels(p, name);
        assert.equal(found.map(({ domain, chip }) => `${domain?.name ?? '-'} ${chip.name}`).join(' > '), expected);
        assert.equal(found.filter(({ chip }) => chip.irq_compose_msi_msg).map(({ chip }) => chip.name).join(' '), side(COMPOSERS[name], when));
      });
    }

    it('moves an interrupt at once below remapping only, and only where nothing remaps or stands between is the message another one (11.4)', async () => {
      const MOVES = { native: [false, true], 'VT-d': [true, false], 'AMD-Vi': [true, false], 'Hyper-V': [false, false], Xen: [false, false] } as const;
      for (const [name, [atOnce, rewritten]] of Object.entries(MOVES) as [PlatformName, readonly [boolean, boolean]][]) {
        const steps = ['affinity: { device: card, vector: 0, cpus: 3 }', 'raise: { device: card, entry: 0 }', 'raise: { device: card, entry: 0 }'];
        const [asked, moved, before] = await Promise.all([playOn(name, when, steps.slice(0, 1)), playOn(name, when, steps), playOn(name, when)]);
        const message = (p: Played): string => JSON.stringify(devOf(p, 'card').hw.msix!.message(0));
        const on = (p: Played): string => p.desc(irqOf(p, platform(name))).irq_common_data.effective_affinity.toString();
        assert.deepEqual([on(asked) === '3', on(moved)], [atOnce, '3'], name);
        assert.equal(message(moved) !== message(before), rewritten, name);
      }
    });
  });
}

describe('pci_dev_has_special_msi_domain() (7.2)', () => {
  const SPECIAL: Partial<Record<PlatformName, boolean>> = { native: false, 'VT-d': false, 'AMD-Vi': false, 'Hyper-V': false, VMD: true, Xen: true };

  it('is true for a VMD, for Xen, and where there is none', async () => {
    for (const [name, special] of Object.entries(SPECIAL) as [PlatformName, boolean][]) {
      const p = await playOn(name, 'after');
      enterWorld(p.guest.world, 0);
      assert.equal(run(pci_dev_has_special_msi_domain(devOf(p, 'card'))), special, name);
    }
    const none = await play(`cmdline: nolapic\nmachine: { cpus: 1, devices: [${CARD}] }`, ['boot'], { kernel: 'v5.10' });
    enterWorld(none.guest.world, 0);
    assert.equal(run(pci_dev_has_special_msi_domain(devOf(none, 'card'))), true);
  });
});

describe('pci_device_add() (7.1)', () => {
  it('asks the architecture, then firmware and bus, then tells VT-d and the IOMMU code, of v5.9 too', async () => {
    const steps = ['pcibios_add_device', 'pci_set_msi_domain', 'device_add', 'dmar_pci_bus_notifier', 'iommu_bus_notifier'];
    for (const kernel of ['v5.9', 'v5.10']) {
      const { calls } = await see('examples/series/31-virtual-functions.irq.yaml', kernel);
      const names = calls.map(({ name }) => name);
      assert.deepEqual(names.slice(names.lastIndexOf('pci_device_add')).filter(name => steps.includes(name)), steps, kernel);
    }
  });
});
