import assert from 'node:assert/strict';
import { IOAPIC_DATA, IOAPIC_EOI, IOAPIC_INDEX, IOAPIC_RTE, IOAPIC_VERSION, RTE } from '../../src/hardware/io-apic';
import { APIC_EOI, APIC_SPIV, SPIV } from '../../src/hardware/local-apic-registers';
import type { Machine } from '../../src/hardware/machine';
import { machine, machineConfig } from './machines';

const BASE = 0xfec00000;

function write(m: Machine, reg: number, value: number): void {
  m.write32(BASE + IOAPIC_INDEX, reg);
  m.write32(BASE + IOAPIC_DATA, value);
}

function setRte(m: Machine, pin: number, rte: bigint): void {
  write(m, IOAPIC_RTE(pin) + 1, Number(rte >> 32n));
  write(m, IOAPIC_RTE(pin), Number(rte & 0xffffffffn));
}

const irr = (m: Machine, pin: number): number => RTE.get(m.ioapics[0].rte[pin], 'irr');

describe('IoApic', () => {
  it('says its version and pins as a kernel reads them', () => {
    const m = machine();
    m.write32(BASE + IOAPIC_INDEX, IOAPIC_VERSION);
    assert.equal(m.read32(BASE + IOAPIC_DATA), 0x170020);
  });

  it('sends an edge once and loses it while masked', () => {
    const m = machine();
    const edge = RTE.encode({ vector: 0x31, dest_mode: 1, dest: 2 });
    m.setGsi(4, true);
    setRte(m, 4, edge);
    assert.equal(m.cpus[1].lapic.deliverable(), null); // the edge came while masked
    m.setGsi(4, false);
    m.setGsi(4, true);
    assert.equal(m.cpus[1].lapic.acknowledge(), 0x31);
    m.cpus[1].lapic.write(APIC_EOI, 0);
    assert.equal(m.cpus[1].lapic.deliverable(), null);
  });

  it('keeps a level interrupt quiet until its EOI and sends it again while the line is driven', () => {
    const m = machine();
    const { lapic } = m.cpus[0];
    setRte(m, 20, RTE.encode({ vector: 0x22, dest_mode: 1, dest: 1, trigger: 1, polarity: 1 }));
    m.setGsi(20, true);
    assert.equal(lapic.acknowledge(), 0x22);
    assert.equal(irr(m, 20), 1);
    lapic.write(APIC_EOI, 0); // broadcast, as TMR says level
    assert.equal(lapic.acknowledge(), 0x22);
    m.setGsi(20, false);
    lapic.write(APIC_EOI, 0);
    assert.equal(irr(m, 20), 0);
    assert.equal(lapic.deliverable(), null);
  });

  it('is not told of an EOI by a local APIC with directed EOI: it has a register for that', () => {
    const m = machine();
    const { lapic } = m.cpus[0];
    lapic.write(APIC_SPIV, SPIV.encode({ vector: 0xff, enabled: 1, directed_eoi: 1 }));
    setRte(m, 20, RTE.encode({ vector: 0x22, dest_mode: 1, dest: 1, trigger: 1 }));
    m.setGsi(20, true);
    lapic.acknowledge();
    lapic.write(APIC_EOI, 0);
    assert.equal(irr(m, 20), 1);
    m.setGsi(20, false);
    m.write32(BASE + IOAPIC_EOI, 0x22);
    assert.equal(irr(m, 20), 0);
  });

  it('has no EOI register below version 0x20; there a switch to edge clears the remote IRR', () => {
    const m = machine({ ioapics: [{ ...machineConfig().ioapics[0], version: 0x11 }] });
    const level = RTE.encode({ vector: 0x22, dest_mode: 1, dest: 1, trigger: 1 });
    setRte(m, 20, level);
    m.setGsi(20, true);
    m.setGsi(20, false);
    m.write32(BASE + IOAPIC_EOI, 0x22);
    assert.equal(irr(m, 20), 1);
    setRte(m, 20, RTE.with(level, { trigger: 0, mask: 1 }));
    assert.equal(irr(m, 20), 0);
  });

  it('keeps a line that two functions share driven until both let go', () => {
    const m = machine();
    setRte(m, 20, RTE.encode({ vector: 0x22, dest_mode: 1, dest: 1, trigger: 1 }));
    m.setGsi(20, true);
    m.setGsi(20, true);
    m.setGsi(20, false);
    m.cpus[0].lapic.acknowledge();
    m.cpus[0].lapic.write(APIC_EOI, 0);
    assert.equal(m.cpus[0].lapic.deliverable(), 0x22);
  });

  it('refuses a line that no IOAPIC has', () => {
    assert.throws(() => machine().setGsi(24, true), /no IOAPIC has a pin for GSI 24/);
  });
});
