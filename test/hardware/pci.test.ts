import assert from 'node:assert/strict';
import { COMMAND, MSIX_FLAGS, PCI_COMMAND, PCI_MSIX_FLAGS } from '../../src/hardware/pci-registers';
import type { Machine } from '../../src/hardware/machine';
import { eventsOf, machine, msi4, nvme } from './machines';

const BUS_MASTER = COMMAND.encode({ memory: 1, bus_master: 1 });
const TABLE = 0xd0000000;
/** to CPU 1 of flat logical mode */
const ADDRESS = 0xfee02004;

/** Vector 0x41 in entry 3, enabled, the entry still masked. */
function withMsix(): Machine {
  const m = machine();
  const fn = m.pci[0];
  fn.write16(PCI_COMMAND, BUS_MASTER);
  m.write32(TABLE + 48, ADDRESS);
  m.write32(TABLE + 56, 0x4041);
  fn.write16(fn.space.msix + PCI_MSIX_FLAGS, MSIX_FLAGS.encode({ enable: 1 }));
  return m;
}

const unmask = (m: Machine): void => m.write32(TABLE + 48 + 12, 0);
const whyHeldBack = (m: Machine) => eventsOf(m, 'held back').map(e => 'why' in e && e.why);

describe('MSI-X', () => {
  it('comes out of reset with every entry masked', () => {
    const m = machine();
    assert.equal(m.read32(TABLE + 12), 1);
    assert.equal(m.read32(TABLE + 64 * 16 + 12), 1);
  });

  it('sends what is in the table, from where the function is', () => {
    const m = withMsix();
    unmask(m);
    m.pci[0].raise(3);
    assert.equal(m.cpus[1].lapic.deliverable(), 0x41);
    assert.deepEqual(eventsOf(m, 'message'), [{ kind: 'message', requesterId: 0x20, addressHi: 0, addressLo: ADDRESS, data: 0x4041 }]);
  });

  it('keeps a masked interrupt in its pending bit and sends it once unmasked', () => {
    const m = withMsix();
    m.pci[0].raise(3);
    m.pci[0].raise(3);
    assert.equal(m.interruptWaiting(), false);
    assert.equal(m.read32(TABLE + 0x1000), 1 << 3); // pending bits follow the table's page
    unmask(m);
    assert.equal(m.cpus[1].lapic.acknowledge(), 0x41);
    assert.equal(m.read32(TABLE + 0x1000), 0);
    assert.equal(eventsOf(m, 'message').length, 1);
  });

  it('keeps all entries pending under the function mask', () => {
    const m = withMsix();
    const fn = m.pci[0];
    unmask(m);
    fn.write16(fn.space.msix + PCI_MSIX_FLAGS, MSIX_FLAGS.encode({ enable: 1, maskall: 1 }));
    fn.raise(3);
    assert.equal(m.interruptWaiting(), false);
    fn.write16(fn.space.msix + PCI_MSIX_FLAGS, MSIX_FLAGS.encode({ enable: 1 }));
    assert.equal(m.cpus[1].lapic.deliverable(), 0x41);
  });

  it('is silent while disabled, and without bus mastering', () => {
    const m = withMsix();
    const fn = m.pci[0];
    unmask(m);
    fn.write16(PCI_COMMAND, COMMAND.encode({ memory: 1 }));
    fn.raise(3);
    fn.write16(fn.space.msix + PCI_MSIX_FLAGS, 0);
    fn.raise(3);
    assert.deepEqual(whyHeldBack(m), ['no bus master', 'disabled']);
    assert.equal(m.interruptWaiting(), false);
  });

  it('loses the interrupt when the message is the zero one of a deactivated irq', () => {
    const m = withMsix();
    m.write32(TABLE + 48, 0);
    m.write32(TABLE + 56, 0);
    unmask(m);
    m.pci[0].raise(3);
    assert.equal(eventsOf(m, 'memory write').length, 1);
    assert.equal(m.interruptWaiting(), false);
  });

  it('has no entry beyond its table', () => {
    assert.throws(() => withMsix().pci[0].raise(65), /0000:00:04.0 has MSI-X entries 0 to 64, no 65/);
  });

  it('does not let software change the size of the table', () => {
    const fn = machine().pci[0];
    fn.write16(fn.space.msix + PCI_MSIX_FLAGS, 0xffff);
    assert.equal(fn.read16(fn.space.msix + PCI_MSIX_FLAGS), MSIX_FLAGS.encode({ enable: 1, maskall: 1, qsize: 64 }));
  });
});

describe('MSI', () => {
  function withMsi(qsize: number): Machine {
    const m = machine();
    const fn = m.pci[1];
    const at = fn.space.msi;
    fn.write16(PCI_COMMAND, BUS_MASTER);
    fn.write32(at + 4, ADDRESS);
    fn.write16(at + 12, 0x4048);
    fn.write16(at + 2, 1 | (qsize << 4));
    return m;
  }

  it('puts the vector into the lower bits of the data, as many as software allowed', () => {
    const m = withMsi(2);
    m.pci[1].raise(3);
    assert.equal(m.cpus[1].lapic.acknowledge(), 0x4b);
    const one = withMsi(0);
    one.pci[1].raise(3);
    assert.equal(one.cpus[1].lapic.acknowledge(), 0x48);
  });

  it('has a mask and a pending bit for each vector', () => {
    const m = withMsi(2);
    const fn = m.pci[1];
    fn.write32(fn.space.msi + 16, 0xffffffff);
    assert.equal(fn.read32(fn.space.msi + 16), 0xf); // four vectors, four bits
    fn.raise(2);
    assert.equal(fn.peek(fn.space.msi + 20), 4);
    fn.write32(fn.space.msi + 16, 0xb);
    assert.equal(m.cpus[1].lapic.acknowledge(), 0x4a);
    assert.equal(fn.peek(fn.space.msi + 20), 0);
  });
});

describe('INTx', () => {
  it('lets go of the line when the command register, or MSI-X, forbids it', () => {
    const m = machine();
    const fn = m.pci[0];
    const driven = () => m.ioapics[0].asserted[20];
    fn.assertIntx();
    assert.equal(driven(), 1);
    fn.write16(PCI_COMMAND, COMMAND.encode({ memory: 1, intx_disable: 1 }));
    assert.equal(driven(), 0);
    fn.write16(PCI_COMMAND, COMMAND.encode({ memory: 1 }));
    assert.equal(driven(), 1);
    fn.write16(fn.space.msix + PCI_MSIX_FLAGS, MSIX_FLAGS.encode({ enable: 1 }));
    assert.equal(driven(), 0);
  });
});

describe('configuration space', () => {
  // 5.10.0-32-c-4cpu-intelir, pci.txt, 0000:00:04.0 at boot: the first words
  const NVME = '00101b36 00100107 01080202 00000000 fe7d4004 00000000 00000000 00000000 00000000 00000000 00000000 11001af4 00000000 00000040 00000000 0000010a 00408011 00002000 00003000 00000000';

  it('is read from a capture: 65 entries at 0x2000 of BAR 0, pending bits at 0x3000', () => {
    const m = machine({ pci: [{ ...nvme, config: NVME }, msi4] });
    const fn = m.pci[0];
    assert.equal(fn.space.msix, 0x40);
    assert.equal(fn.space.msi, 0);
    assert.deepEqual(fn.msix!.place, { entries: 65, tableBar: 0, tableOffset: 0x2000, pbaBar: 0, pbaOffset: 0x3000 });
    m.write32(0xfe7d4000 + 0x2000, ADDRESS);
    assert.equal(fn.msix!.message(0).lo, ADDRESS);
    assert.equal(m.read32(0xfe7d4000 + 0x2410), 0xffffffff); // nothing answers after entry 64
  });

  it('ends a capability list that goes round in a circle', () => {
    const looped = NVME.replace('00408011', '00404009');
    assert.equal(machine({ pci: [{ ...nvme, config: looped }] }).pci[0].space.msix, 0);
  });
});
