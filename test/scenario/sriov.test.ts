// Virtual functions: drivers/pci/iov.c, and the domain that each gets.
import assert from 'node:assert/strict';
import { EBUSY, ENODEV, ENOENT, ERANGE } from '../../src/kernel/lib/errno';
import { formatDiagnostic } from '../../src/scenario/diagnostic';
import { loadScenario } from '../../src/scenario/load';
import { play, type Played } from './play';

const head = (remap = 'none', more = ''): string =>
  `machine: { cpus: 4, x2apic: true, remap: ${remap}, devices: [{ name: nvme0, kind: nvme, address: 00:05.0, msix: 9, vfs: 4 }, { name: nic0, kind: nic, address: 00:06.0, vfs: 2 }${more}] }`;
const numvfs = (count: number, device = 'nvme0'): string => `sriov: { device: ${device}, numvfs: ${count} }`;
const UP = ['probe: nvme0', numvfs(2), 'probe: nvme0.vf1', 'raise: { device: nvme0.vf1, entry: 1 }'];

const domainOf = ({ guest }: Played, name: string): string | undefined => guest.world.kernel.pci_devices.find(({ hw }) => hw.config.name === name)?.msi_domain?.name;
const faults = ({ guest }: Played): number[] => guest.world.machine.events.flatMap(event => (event.kind === 'fault' ? [event.reason] : []));
const senders = ({ guest }: Played): number[] => guest.world.machine.events.flatMap(event => (event.kind === 'message' && event.requesterId < 0xf000 ? [event.requesterId] : []));

describe('sriov_numvfs', () => {
  it('makes functions of its own driver\'s device, each with interrupts of its own', async () => {
    const played = await play(head(), UP);
    assert.deepEqual(played.results, [0, 0, 0, 0]);
    assert.deepEqual(played.guest.world.kernel.pci_devices.map(({ name }) => name), ['0000:00:05.0', '0000:00:06.0', '0000:00:15.0', '0000:00:15.2']);
    assert.deepEqual(senders(played), [0xaa]);
    const { msi_list, is_virtfn, physfn } = played.guest.world.kernel.pci_devices[3];
    assert.deepEqual([is_virtfn, physfn?.name], [true, '0000:00:05.0']);
    assert.equal(played.desc(msi_list[1].irq).tot_count, 1);
  });

  it('refuses more than there can be: -ERANGE; another number than there are: -EBUSY; the same is nothing', async () => {
    const played = await play(head(), ['probe: nvme0', numvfs(5), numvfs(2), numvfs(2), numvfs(3), numvfs(0), numvfs(3)]);
    assert.deepEqual(played.results, [0, -ERANGE, 0, 0, -EBUSY, 0, 0]);
    assert.ok(played.log.includes('nvme 0000:00:05.0: 2 VFs already enabled. Disable before enabling 3 VFs'));
  });

  it('needs a driver that does it: -ENOENT', async () => {
    const played = await play(head(), [numvfs(1), 'probe: nic0', numvfs(1, 'nic0')]);
    assert.deepEqual(played.results, [-ENOENT, 0, -ENOENT]);
    assert.ok(played.log.includes('pci 0000:00:05.0: Driver does not support SRIOV configuration via sysfs'));
    assert.ok(played.log.includes('e1000e 0000:00:06.0: Driver does not support SRIOV configuration via sysfs'));
  });

  it('0 takes the driver of each off, and the device; until then there is none: -ENODEV', async () => {
    const played = await play(head('intel'), ['probe: nvme0.vf0', ...UP, numvfs(0), 'raise: { device: nvme0.vf1, entry: 1 }']);
    assert.deepEqual(played.results, [-ENODEV, 0, 0, 0, 0, 0, -ENODEV]);
    assert.equal(played.guest.world.kernel.pci_devices.length, 2);
  });

  it('is warned about when its driver goes before they do', async () => {
    const played = await play(head(), ['probe: nvme0', numvfs(1), 'remove: nvme0']);
    assert.ok(played.log.some(text => text.endsWith('0000:00:05.0: driver left SR-IOV enabled after remove')));
  });
});

describe('the domain of a virtual function', () => {
  for (const kernel of ['v5.10', 'v5.10.223', 'v5.9']) {
    it(`below VT-d is that of the physical one (${kernel})`, async () => {
      const played = await play(head('intel'), UP, { kernel });
      assert.deepEqual(faults(played), []);
      if (kernel !== 'v5.9') assert.deepEqual([domainOf(played, 'nvme0'), domainOf(played, 'nvme0.vf1')], ['INTEL-IR-MSI-0-3', 'INTEL-IR-MSI-0-3']);
    });
  }

  it('without ff828729be44 stays PCI-MSI: blocked, reason 0x25', async () => {
    const played = await play(head('intel'), UP, { kernel: 'v5.10-vf-inherits-msi-domain', check: false });
    assert.equal(domainOf(played, 'nvme0.vf1'), 'PCI-MSI-3');
    assert.deepEqual(faults(played), [0x25]);
  });

  it('is that of the unit that names the physical one, not of the unit for the rest', async () => {
    const remap = '{ type: intel, units: [{ devices: [00:05.0] }, { ioapics: [0] }] }';
    for (const kernel of ['v5.10', 'v5.9']) {
      const played = await play(head(remap), [...UP, 'probe: nic0'], { kernel });
      assert.deepEqual(faults(played), []);
      const units = played.guest.world.machine.events.flatMap(event => (event.kind === 'remapped' ? [event.unit] : []));
      assert.deepEqual(units, [0], kernel);
    }
  });

  it('below an AMD IOMMU is given to each function that appears: it needs no fix', async () => {
    const played = await play(head('amd'), UP, { kernel: 'v5.10-vf-inherits-msi-domain' });
    assert.equal(domainOf(played, 'nvme0.vf1'), 'AMD-IR-MSI-0-3');
    assert.deepEqual([faults(played), played.guest.world.machine.events.filter(({ kind }) => kind === 'remapped').length], [[], 1]);
  });

  it('without remapping is PCI-MSI', async () => assert.equal(domainOf(await play(head(), UP), 'nvme0.vf1'), 'PCI-MSI-3'));
});

describe('a scenario with virtual functions that cannot be', () => {
  const problems = (devices: string, step: string): string[] => {
    const loaded = loadScenario('x.irq.yaml', `machine:\n  devices:\n    - ${devices}\nsteps:\n  - ${step}\n`);
    return loaded.ok ? [] : loaded.diagnostics.map(diagnostic => formatDiagnostic(diagnostic).split('\n')[0]);
  };

  it('is told with its place', () => {
    const DRIVE = '{ name: nvme0, kind: nvme, address: 00:05.0, vfs: 2 }';
    assert.deepEqual(problems(DRIVE, 'probe: nvme0.vf2'), ['x.irq.yaml:5:12: error: unknown device nvme0.vf2; did you mean nvme0.vf0?']);
    assert.deepEqual(problems('{ name: nvme0, kind: nvme, address: 00:05.0 }', numvfs(1)), ['x.irq.yaml:5:22: error: nvme0 has no file sriov_numvfs; expected a device with vfs']);
    assert.deepEqual(problems('{ name: nvme0, kind: nvme, address: 00:15.0, vfs: 2 }', 'probe: nvme0'), ['x.irq.yaml:3:57: error: 2 virtual functions of 0000:00:15.0, and its bus has room for 0']);
  });
});
