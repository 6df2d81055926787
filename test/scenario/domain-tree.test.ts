// The panel's domain tree of each platform, before the series and after it: facts 0.7, 1.4, 2.3, 3.2, 7 and 11.1.
import assert from 'node:assert/strict';
import { ChangeTracker } from '../../debug-adapter/panel/changes';
import { domainsOf } from '../../debug-adapter/panel/panel-domains';
import type { Device, Irq, Members } from '../../debug-adapter/panel-protocol';
import { play } from './play';

const NIC = '\n  devices:\n    - { name: eth0, kind: nic, address: 00:05.0 }';

/** "domain: its devices", indented below the parent; "-": in no domain. */
async function tree(machine: string, steps: readonly string[], kernel: string): Promise<string[]> {
  const { guest } = await play(`machine:\n  cpus: 2\n${machine}`, steps, { kernel });
  const { domains, outside } = domainsOf(guest.world, new ChangeTracker());
  const below = (parent: number | null, indent: string): string[] => domains.filter(d => d.parent === parent).flatMap(d => [`${indent}${d.name}${membersText(d)}`, ...below(d.id, `${indent}  `)]);
  return [...below(null, ''), `-${membersText(outside)}`];
}
const irqText = ({ irq, actions }: Irq): string => `${irq} ${actions}`.trim();
const deviceText = ({ name, irqs, pointsNowhere }: Device): string => `: ${name}${pointsNowhere ? ' NULL' : ''} (${irqs.map(irqText).join(', ')})`;
const membersText = ({ devices, others }: Members): string => `${devices.map(deviceText).join('')}${others.length > 0 ? ` +${others.length}` : ''}`;

/** [machine, steps, the tree of v5.9, of v5.10] */
const PLATFORMS: Record<string, [machine: string, steps: string[], before: string[], after: string[]]> = {
  'without remapping': [
    NIC,
    ['probe: eth0'],
    ['VECTOR', '  PCI-MSI-3: 0000:00:05.0 NULL (24 eth0-rx-0, 25 eth0-tx-0, 26 eth0)', '  IO-APIC-0 +16', '- +1'],
    ['VECTOR', '  IO-APIC-0 +16', '  PCI-MSI-3: 0000:00:05.0 (24 eth0-rx-0, 25 eth0-tx-0, 26 eth0)', '- +1'],
  ],
  'before anything is allocated': [
    NIC,
    ['boot'],
    ['VECTOR', '  PCI-MSI-3', '  IO-APIC-0 +15', '-: 0000:00:05.0 NULL () +1'],
    ['VECTOR', '  IO-APIC-0 +15', '  PCI-MSI-3: 0000:00:05.0 ()', '- +1'],
  ],
  'with Intel remapping': [
    `  remap: intel${NIC}`,
    ['probe: eth0'],
    ['VECTOR', '  PCI-MSI-3', '  INTEL-IR-0', '    INTEL-IR-MSI-0-3: 0000:00:05.0 NULL (25 eth0-rx-0, 26 eth0-tx-0, 27 eth0)', '    IO-APIC-IR-0 +16', '  DMAR-MSI +1', '- +1'],
    ['VECTOR', '  INTEL-IR-0', '    INTEL-IR-MSI-0-3: 0000:00:05.0 (25 eth0-rx-0, 26 eth0-tx-0, 27 eth0)', '    IO-APIC-IR-0 +16', '  DMAR-MSI +1', '  PCI-MSI-3', '- +1'],
  ],
  // The unit's own interrupt is remapped by nobody.
  'with AMD remapping': [
    `  remap: amd${NIC}`,
    ['probe: eth0'],
    ['VECTOR', '  PCI-MSI-3: 0000:00:00.2 NULL (24 AMD-Vi)', '  AMD-IR-0', '    AMD-IR-MSI-0-3: 0000:00:05.0 NULL (25 eth0-rx-0, 26 eth0-tx-0, 27 eth0)', '    IO-APIC-IR-0 +16', '- +1'],
    ['VECTOR', '  AMD-IR-0', '    AMD-IR-MSI-0-3: 0000:00:05.0 (25 eth0-rx-0, 26 eth0-tx-0, 27 eth0)', '    IO-APIC-IR-0 +16', '  PCI-MSI-3: 0000:00:00.2 (24 AMD-Vi)', '- +1'],
  ],
  // The irqs are in no domain, before and after: XEN-MSI only leads to Xen's functions.
  'in an HVM guest of Xen': [
    `  hypervisor: { xen: hvm }${NIC}`,
    ['probe: eth0'],
    ['VECTOR', '  PCI-MSI-3', '  IO-APIC-0 +15', '-: 0000:00:05.0 NULL (61 eth0-rx-0, 62 eth0-tx-0, 63 eth0) +15'],
    ['VECTOR', '  IO-APIC-0 +15', 'XEN-MSI: 0000:00:05.0 (59 eth0-rx-0, 60 eth0-tx-0, 61 eth0)', '- +13'],
  ],
  'in dom0 of Xen': [
    `  hypervisor: { xen: pv-dom0 }${NIC}`,
    ['probe: eth0'],
    ['VECTOR', '  PCI-MSI-3', '-: 0000:00:05.0 NULL (39 eth0-rx-0, 40 eth0-tx-0, 41 eth0) +25'],
    ['VECTOR', 'XEN-MSI: 0000:00:05.0 (37 eth0-rx-0, 38 eth0-tx-0, 39 eth0)', '- +23'],
  ],
  // X1: in v5.10 the domain is created before Xen has said which.
  'in a PV guest of Xen': [
    `  hypervisor: { xen: pv-domu }${NIC}`,
    ['probe: eth0'],
    ['VECTOR', '  PCI-MSI-3', '-: 0000:00:05.0 NULL (17 eth0-rx-0, 18 eth0-tx-0, 19 eth0) +17'],
    ['VECTOR', '  PCI-MSI-3: 0000:00:05.0 ()', '- +15'],
  ],
  'in a guest of Hyper-V': [
    `  hypervisor: { hyperv: { buses: [{ name: vpci0 }] } }${NIC.replace(' }', ', behind: vpci0 }')}`,
    ['probe: vpci0', 'probe: eth0'],
    ['VECTOR', '  PCI-MSI-3', '  IO-APIC-0 +15', '  F8615163-0001-1000-2000-6045BD2E0A8F-3: 0001:00:05.0 (24 eth0-rx-0, 25 eth0-tx-0, 26 eth0)', '- +1'],
    ['VECTOR', '  IO-APIC-0 +15', '  PCI-MSI-3', '  F8615163-0001-1000-2000-6045BD2E0A8F-3: 0001:00:05.0 (24 eth0-rx-0, 25 eth0-tx-0, 26 eth0)', '- +1'],
  ],
  'behind a VMD': [
    '  devices:\n    - { name: vmd0, kind: vmd, address: 00:0e.0, msix: 3 }\n    - { name: eth0, kind: nic, address: 00:05.0, behind: vmd0 }',
    ['probe: vmd0', 'probe: eth0'],
    ['VECTOR', '  PCI-MSI-3: 0000:00:0e.0 NULL (24 vmd, 25 vmd, 26 vmd)', '  IO-APIC-0 +16', '  VMD-MSI-65536-3: 10000:00:05.0 (27 eth0-rx-0, 28 eth0-tx-0, 29 eth0)', '- +1'],
    ['VECTOR', '  IO-APIC-0 +16', '  PCI-MSI-3: 0000:00:0e.0 (24 vmd, 25 vmd, 26 vmd)', 'VMD-MSI-65536-3-10: 10000:00:05.0 (27 eth0-rx-0, 28 eth0-tx-0, 29 eth0)', '- +1'],
  ],
};

describe('the domain tree', () => {
  for (const [platform, [machine, steps, before, after]] of Object.entries(PLATFORMS)) {
    it(`${platform}, before the series`, async () => assert.deepEqual(await tree(machine, steps, 'v5.9'), before));
    it(`${platform}, after it`, async () => assert.deepEqual(await tree(machine, steps, 'v5.10'), after));
  }

  it('in a PV guest of Xen whose domain is created in time', async () => {
    const [machine, steps] = PLATFORMS['in a PV guest of Xen'];
    assert.deepEqual(await tree(machine, steps, 'v5.10+pci-msi-domain-after-arch-init'), ['VECTOR', 'XEN-MSI: 0000:00:05.0 (15 eth0-rx-0, 16 eth0-tx-0, 17 eth0)', '- +15']);
  });

  it('with the parts of a device that has a message store', async () => {
    const accel = '  remap: intel\n  devices:\n    - { name: accel, kind: ims, address: 00:05.0, msix: 1, ims: { slots: 4, subdevices: [mdev0, mdev1] } }';
    const found = await tree(accel, ['probe: accel', 'msiAlloc: { device: mdev0, vectors: 2 }'], 'v5.10+ims-repost');
    assert.deepEqual(found.filter(line => /mdev|0000:00:05/.test(line)), ['    INTEL-IR-MSI-0-3: 0000:00:05.0 ()', '    0000:00:05.0-11: mdev0 (25, 26): mdev1 ()']);
  });
});
