// What firmware and the command line make of remapping.
import assert from 'node:assert/strict';
import { IRTE_HIGH } from '../../src/hardware/irte';
import { intel_ir_data } from '../../src/kernel/drivers/iommu/intel/irte';
import { play, type Played } from './play';

const machine = (rest: string): string => `machine: { cpus: 2, ${rest}, devices: [{ name: card, kind: custom, address: 00:04.0, msix: 4 }] }`;
const ALLOC = 'alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }';
const parents = ({ guest }: Played): string[] => guest.world.kernel.irq_domain_list.map(({ name }) => name);
const said = (played: Played, start: RegExp): string[] => played.log.filter(text => start.test(text));

describe('Intel remapping', () => {
  const optOut = 'x2apic: true, remap: { type: intel, x2apicOptOut: true }';

  it('leaves x2APIC mode alone where firmware asks for that', async () => {
    const played = await play(machine(optOut), [ALLOC]);
    assert.deepEqual(said(played, /x2apic/), [
      'DMAR-IR: x2apic is disabled because BIOS sets x2apic opt out bit.',
      "DMAR-IR: Use 'intremap=no_x2apic_optout' to override the BIOS setting.",
      "x2apic: IRQ remapping doesn't support X2APIC mode",
    ]);
    assert.ok(played.log.includes('DMAR-IR: Enabled IRQ remapping in xapic mode'));
  });

  it('takes x2APIC mode nevertheless where the command line says so', async () => {
    const played = await play(`${machine(optOut)}\ncmdline: intremap=no_x2apic_optout`, [ALLOC]);
    assert.ok(played.log.includes('DMAR-IR: Enabled IRQ remapping in x2apic mode'));
    assert.deepEqual(said(played, /opt out/), []);
  });

  it('is given up where an IOAPIC is below no unit', async () => {
    const played = await play(machine('remap: { type: intel, units: [{ ioapics: [] }] }'), [ALLOC]);
    assert.deepEqual(said(played, /^DMAR-IR/), [
      'DMAR-IR: [Firmware Bug]: ioapic 0 has no mapping iommu, interrupt remapping will be disabled',
      'DMAR-IR: Not enabling interrupt remapping',
    ]);
    assert.ok(!parents(played).some(name => name.startsWith('INTEL-IR')));
  });

  for (const word of ['intremap=off', 'nointremap']) {
    it(`is not there with ${word}; then x2APIC mode is not either`, async () => {
      const played = await play(`${machine('x2apic: true, remap: intel')}\ncmdline: ${word}`, [ALLOC]);
      assert.ok(!parents(played).some(name => name.startsWith('INTEL-IR')));
      assert.deepEqual(said(played, /x2apic/), ["x2apic: IRQ remapping doesn't support X2APIC mode"]);
      assert.equal(played.guest.world.kernel.apic.name, 'flat');
    });
  }

  it('checks no source with intremap=nosid', async () => {
    for (const [word, svt] of [['intremap=nosid', 0], ['intremap=on', 1]] as const) {
      const played = await play(`${machine('remap: intel')}\ncmdline: ${word}`, [ALLOC]);
      const { chip_data } = played.desc(25).irq_data.parent_data!;
      assert.ok(chip_data instanceof intel_ir_data);
      assert.deepEqual(IRTE_HIGH.decode(chip_data.irte_entry.high), { sid: 0x20, sq: 0, svt });
    }
  });

  it('does not post with intremap=nopost: the interrupt stays with the host', async () => {
    const steps = [ALLOC, 'request: { device: card }', 'vcpu: { id: 0, runs: 1 }', 'vcpuAffinity: { device: card, vcpu: 0 }', 'raise: card'];
    const played = await play(`${machine('remap: { type: intel, postedInterrupts: true }')}\ncmdline: intremap=nopost`, steps);
    assert.deepEqual(played.results, [1, 0, 0, 0, 0]);
    assert.equal(played.desc(25).tot_count, 1);
  });

  it('takes the id of a bridge of conventional PCI for the source', async () => {
    const devices = '{ name: bus, kind: bridge, address: 00:1e.0, port: pci, secondary: 5 }, { name: card, kind: edu, address: 05:01.0 }';
    const played = await play(`machine: { remap: intel, devices: [${devices}] }`, ['alloc: { device: card, min: 1, max: 1 }', 'request: { device: card }', 'raise: card']);
    const irq = played.guest.world.kernel.pci_devices.find(({ name }) => name === '0000:05:01.0')!.irq;
    const { chip_data } = played.desc(irq).irq_data.parent_data!;
    assert.ok(chip_data instanceof intel_ir_data);
    assert.deepEqual(IRTE_HIGH.decode(chip_data.irte_entry.high), { sid: 0xf0, sq: 0, svt: 1 });
    assert.equal(played.desc(irq).tot_count, 1);
  });
});

describe('x2APIC mode without remapping', () => {
  it('is physical, where a hypervisor vouches for it', async () => {
    const played = await play(machine('x2apic: true, hypervisor: kvm'), [ALLOC, 'request: { device: card }', 'raise: card']);
    const { apic, x2apic_state } = played.guest.world.kernel;
    assert.deepEqual([apic.name, x2apic_state], ['physical x2apic', 'on']);
    const { msg } = played.guest.world.kernel.pci_devices[0].msi_list[0];
    const cpu = Number(played.place(24).split(':')[0]);
    assert.equal(msg.address_lo, 0xfee00000 + cpu * 0x1000);
    assert.equal(played.desc(24).tot_count, 1);
  });
});

describe('AMD remapping', () => {
  it('is given up where no southbridge IOAPIC is in the table', async () => {
    const played = await play(machine('remap: { type: amd, ioapic: 00:15.0 }'), [ALLOC]);
    assert.deepEqual(said(played, /IOAPIC found|Disabling/), ['AMD-Vi: [Firmware Bug]: : No southbridge IOAPIC found', 'AMD-Vi: Disabling interrupt remapping']);
    assert.equal(played.guest.world.kernel.irq_remapping_enabled, false);
  });

  it('is given up where the IOAPIC is not in the table, unless the command line says where it is', async () => {
    const without = await play(machine('remap: { type: amd, ioapic: false }'), [ALLOC]);
    assert.deepEqual(said(without, /IVRS|southbridge|Disabling/), [
      'AMD-Vi: [Firmware Bug]: : IOAPIC[0] not in IVRS table', 'AMD-Vi: [Firmware Bug]: : No southbridge IOAPIC found', 'AMD-Vi: Disabling interrupt remapping',
    ]);
    const elsewhere = await play(`${machine('remap: { type: amd, ioapic: false }')}\ncmdline: "ivrs_ioapic[9]=00:14.0"`, [ALLOC]);
    assert.deepEqual(said(elsewhere, /IVRS|southbridge/), ['AMD-Vi: : IOAPIC[0] not in IVRS table', 'AMD-Vi: : No southbridge IOAPIC found']);
  });

  it('believes the command line more than the table', async () => {
    const played = await play(`${machine('remap: amd')}\ncmdline: "ivrs_ioapic[0]=00:14.0 ivrs_hpet[x"`, [ALLOC]);
    assert.deepEqual(said(played, /override|Invalid/), ['AMD-Vi: Invalid command line: ivrs_hpet[x', 'AMD-Vi: Command-line override present for IOAPIC id 0 - ignoring']);
    assert.equal(played.guest.world.kernel.irq_remapping_enabled, true);
  });

  it('has one table for all functions of a range that sends as one', async () => {
    const devices = ['00:04.0', '00:04.1', '00:05.0'].map((address, i) => `{ name: d${i}, kind: edu, address: ${address} }`).join(', ');
    const remap = '{ type: amd, aliases: [{ device: 00:04.0, to: 00:04.7, alias: 00:08.0 }] }';
    const alloc = (i: number): string[] => [`alloc: { device: d${i}, min: 1, max: 1 }`, `request: { device: d${i} }`, `raise: d${i}`];
    const played = await play(`machine: { remap: ${remap}, devices: [${devices}] }`, [0, 1, 2].flatMap(alloc));
    const { irq_lookup_table, pci_devices } = played.guest.world.kernel;
    const [first, second, other] = [0x20, 0x21, 0x28].map(devid => irq_lookup_table.get(devid)!);
    assert.equal(first, second);
    assert.equal(first, irq_lookup_table.get(0x40));
    assert.notEqual(first, other);
    assert.deepEqual(pci_devices.filter(({ name }) => /0[45]\.\d$/.test(name)).map(({ irq }) => played.desc(irq).tot_count), [1, 1, 1]);
  });

  it('gives a device behind a bridge that signs for it the table of the bridge too', async () => {
    const devices = '{ name: bus, kind: bridge, address: 00:1e.0, port: pcie-to-pci, secondary: 5 }, { name: card, kind: edu, address: 05:01.0 }';
    const played = await play(`machine: { remap: amd, devices: [${devices}] }`, ['alloc: { device: card, min: 1, max: 1 }', 'request: { device: card }', 'raise: card']);
    const { irq_lookup_table, pci_devices } = played.guest.world.kernel;
    assert.equal(irq_lookup_table.get(0x0508), irq_lookup_table.get(0x0500));
    assert.equal(played.desc(pci_devices.find(({ name }) => name === '0000:05:01.0')!.irq).tot_count, 1);
  });

  it('delivers to a guest: the backing page takes the vector, the log says who does not run', async () => {
    const steps = [ALLOC, 'request: { device: card }', 'vcpu: { id: 0, runs: 1 }', 'vcpuAffinity: { device: card, vcpu: 0, guestVector: 0x61 }', 'raise: card', 'vcpuAffinity: { device: card }', 'raise: card'];
    const played = await play(machine('remap: { type: amd, guest: true }'), steps);
    assert.deepEqual(played.results, [1, 0, 0, 0, 0, 0, 0]);
    const { machine: hardware, kernel } = played.guest.world;
    assert.deepEqual(hardware.events.filter(({ kind }) => kind === 'posted').length, 1);
    const page = kernel.kvm_vcpus[0].avic_backing_page;
    assert.equal(hardware.memory.read32(page + 0x200 + 3 * 16), 1 << 1);
    const irq = kernel.pci_devices.find(({ name }) => name === '0000:00:04.0')!.msi_list[0].irq;
    assert.equal(played.desc(irq).tot_count, 1);
  });
});
