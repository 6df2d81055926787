// Virtual functions, as the specification of PCI Express has them (3.1, chapter 9).
import assert from 'node:assert/strict';
import { Machine } from '../../src/hardware/machine';
import type { PciFunctionConfig } from '../../src/hardware/machine-config';
import { validateMachineConfig } from '../../src/hardware/validate-machine';
import { EXT_CAP, PCI_SRIOV_BAR, PCI_SRIOV_CTRL, PCI_SRIOV_NUM_VF, PCI_SRIOV_TOTAL_VF, PCI_SRIOV_VF_DID, PCI_SRIOV_VF_OFFSET, PCI_SRIOV_VF_STRIDE, SRIOV_CTRL } from '../../src/hardware/sriov';

const CAPABILITY = 0x100;
const COMMAND = 0x04;
const BUS_MASTER = 4;

const card: PciFunctionConfig = {
  address: '0000:00:05.0', vendor: 0x8086, device: 0x10c9, class: 0x020000, name: 'card', intxPin: 1, gsi: -1, msix: { entries: 3 }, node: -1,
  sriov: { vfs: 3, offset: 0x80, stride: 2, device: 0x10ca },
};
const configOf = (pci: readonly PciFunctionConfig[]): ConstructorParameters<typeof Machine>[0] => ({ cpus: [{ apicId: 0, node: 0 }], x2apic: false, ioapics: [], isaOverrides: [], pci });
const problems = (...pci: PciFunctionConfig[]): string[] => validateMachineConfig(configOf(pci)).map(({ path, message }) => `${path}: ${message}`);

/** @returns the machine, and its functions by what they are */
function machine(): { machine: Machine; physical: Machine['pci'][number]; virtual: Machine['pci'] } {
  const made = new Machine(configOf([card]));
  return { machine: made, physical: made.pci[0], virtual: made.pci.slice(1) };
}

/** Turns on so many. */
function enable(physical: Machine['pci'][number], count: number): void {
  physical.write16(CAPABILITY + PCI_SRIOV_NUM_VF, count);
  physical.write16(CAPABILITY + PCI_SRIOV_CTRL, SRIOV_CTRL.encode({ vf_enable: 1, vf_memory: 1 }));
}

describe('SR-IOV', () => {
  it('is an extended capability that says how many there can be, where, and what they are', () => {
    const { physical } = machine();
    assert.equal(EXT_CAP.get(physical.read32(CAPABILITY), 'id'), 0x10);
    const read = (offset: number): number => physical.read16(CAPABILITY + offset);
    assert.deepEqual([PCI_SRIOV_TOTAL_VF, PCI_SRIOV_NUM_VF, PCI_SRIOV_VF_OFFSET, PCI_SRIOV_VF_STRIDE, PCI_SRIOV_VF_DID].map(read), [3, 0, 0x80, 2, 0x10ca]);
    physical.write16(CAPABILITY + PCI_SRIOV_TOTAL_VF, 9);
    assert.equal(read(PCI_SRIOV_TOTAL_VF), 3, 'read only');
  });

  it('has functions that nobody finds while they are off, and that read as absent to who scans the bus when they are on', () => {
    const { physical, virtual } = machine();
    assert.deepEqual(virtual.map(({ config }) => config.address), ['0000:00:15.0', '0000:00:15.2', '0000:00:15.4']);
    const msixAt = virtual[0].space.msix;
    assert.equal(virtual[0].read8(msixAt), 0xff);
    enable(physical, 2);
    assert.deepEqual(virtual.map(fn => fn.read8(msixAt)), [0x11, 0x11, 0xff]);
    assert.deepEqual(virtual.map(fn => fn.read32(0)), [0xffffffff, 0xffffffff, 0xffffffff]);
  });

  it('answers for the table of each in its slice of the BAR, and sends with the id of each', () => {
    const { machine: { events }, physical, virtual } = machine();
    enable(physical, 3);
    const slice = physical.read32(CAPABILITY + PCI_SRIOV_BAR);
    for (const [n, fn] of virtual.entries()) {
      const table = slice + n * 0x10000;
      assert.deepEqual(virtual.map(other => other.hasAddress(table)), virtual.map(other => other === fn));
      fn.write16(COMMAND, BUS_MASTER);
      fn.write16(fn.space.msix + 2, 0x8000);
      fn.writeMemory(table, 0xfee00000);
      fn.writeMemory(table + 8, 0x40 + n);
      fn.writeMemory(table + 12, 0);
      fn.raise(0);
    }
    assert.deepEqual(events.flatMap(event => (event.kind === 'message' ? [[event.requesterId, event.data]] : [])), [[0xa8, 0x40], [0xaa, 0x41], [0xac, 0x42]]);
  });

  it('forgets what a function was told when it goes', () => {
    const { physical, virtual: [fn] } = machine();
    enable(physical, 1);
    fn.write16(COMMAND, BUS_MASTER);
    fn.writeMemory(physical.read32(CAPABILITY + PCI_SRIOV_BAR) + 12, 0);
    assert.equal(fn.msix!.masked(0), false);
    physical.write16(CAPABILITY + PCI_SRIOV_CTRL, 0);
    enable(physical, 1);
    assert.deepEqual([fn.read16(COMMAND) & BUS_MASTER, fn.msix!.masked(0)], [0, true]);
  });

  it('refuses more than the bus has room for, what has no MSI-X, and an address that is taken', () => {
    assert.deepEqual(problems({ ...card, sriov: { ...card.sriov!, vfs: 64 } }), ['machine.pci[0].sriov.vfs: 64 virtual functions of 0000:00:05.0, and its bus has room for 44']);
    const { msix, ...plain } = card;
    assert.deepEqual([msix?.entries, problems(plain)], [3, ['machine.pci[0].sriov.vfs: 0000:00:05.0 has no MSI-X, and its virtual functions have no other way to interrupt']]);
    const { sriov, ...other } = card;
    assert.deepEqual([sriov?.vfs, problems(card, { ...other, address: '0000:00:15.2' })], [3, ['machine.pci[0].sriov.vfs: virtual function 1 of 0000:00:05.0 has the address of something else']]);
  });
});
