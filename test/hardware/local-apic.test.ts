import assert from 'node:assert/strict';
import { APIC_DFR, APIC_EOI, APIC_ESR, APIC_ICR, APIC_ICR2, APIC_ID, APIC_IRR, APIC_ISR, APIC_LDR, APIC_LVT0, APIC_PROCPRI, APIC_SELF_IPI, APIC_SPIV, APIC_TASKPRI, DFR_CLUSTER, ESR, ICR_LOW, LVT, SHORTHAND, SPIV } from '../../src/hardware/local-apic-registers';
import { logicalX2apicId } from '../../src/hardware/local-apic';
import { BROADCAST, DELIVERY } from '../../src/hardware/message';
import { eventsOf, machine } from './machines';

describe('LocalApic', () => {
  const lapicOf = (n = 0) => machine().cpus[n].lapic;

  it('delivers the highest vector first and holds back those of the same class until EOI', () => {
    const lapic = lapicOf();
    for (const vector of [0x31, 0x3f, 0x41]) lapic.accept(vector);
    assert.equal(lapic.acknowledge(), 0x41);
    assert.equal(lapic.deliverable(), null); // 0x3f is of a lower class
    lapic.write(APIC_EOI, 0);
    assert.equal(lapic.acknowledge(), 0x3f);
    assert.equal(lapic.deliverable(), null); // 0x31: same class as 0x3f
    lapic.accept(0x50);
    assert.equal(lapic.acknowledge(), 0x50); // a higher class nests
    assert.equal(lapic.read(APIC_PROCPRI), 0x50);
    lapic.write(APIC_EOI, 0);
    assert.equal(lapic.read(APIC_PROCPRI), 0x30); // EOI ends the highest in service, not the oldest
  });

  it('holds back vectors up to the task priority class', () => {
    const lapic = lapicOf();
    lapic.write(APIC_TASKPRI, 0x40);
    lapic.accept(0x4f);
    assert.equal(lapic.deliverable(), null);
    lapic.accept(0x51);
    assert.equal(lapic.deliverable(), 0x51);
  });

  it('merges a request that is waiting already, and keeps one more while the first is in service', () => {
    const m = machine();
    const { lapic } = m.cpus[0];
    lapic.accept(0x31);
    lapic.accept(0x31);
    lapic.acknowledge();
    lapic.accept(0x31);
    assert.deepEqual(eventsOf(m, 'accepted').map(e => 'merged' in e && e.merged), [false, true, false]);
    assert.equal(lapic.peek(APIC_IRR + 0x10), 1 << 17);
    assert.equal(lapic.peek(APIC_ISR + 0x10), 1 << 17);
  });

  it('gives the spurious vector when nothing is deliverable', () => {
    assert.equal(lapicOf().acknowledge(), 0xff);
  });

  it('takes nothing while it is disabled by software', () => {
    const m = machine();
    m.cpus[0].lapic.write(APIC_SPIV, SPIV.encode({ vector: 0xff }));
    assert.equal(m.sendMessage(0x20, 0, 0xfee00000, 0x4031), false);
    assert.deepEqual(eventsOf(m, 'lost').map(e => 'why' in e && e.why), ['local APIC disabled']);
  });

  it('takes the 8259 pair at LINT0 with the vector of its local vector table, if that says fixed', () => {
    const { lapic } = machine().cpus[0];
    lapic.write(APIC_LVT0, LVT.encode({ delivery_mode: DELIVERY.FIXED, vector: 0x30 }));
    assert.equal(lapic.lint0(0x77), true);
    assert.equal(lapic.peek(APIC_IRR + 0x10), 1 << 16);
    lapic.write(APIC_LVT0, LVT.encode({ masked: 1, delivery_mode: DELIVERY.FIXED, vector: 0x31 }));
    assert.equal(lapic.lint0(0x77), false);
    assert.equal(lapic.peek(APIC_IRR + 0x10), 1 << 16);
  });

  it('has LINT0 open for the 8259 pair on the CPU that boots, and keeps it so while it is disabled by software', () => {
    const m = machine();
    const lint0 = (cpu: number) => LVT.decode(m.cpus[cpu].lapic.read(APIC_LVT0));
    m.cpus[0].lapic.write(APIC_SPIV, SPIV.encode({ enabled: 0, vector: 0xff }));
    assert.deepEqual([lint0(0).masked, lint0(0).delivery_mode], [0, DELIVERY.EXTINT]);
    assert.equal(lint0(1).masked, 1);
  });

  it('takes no vector below 16 and notes the error, which ESR shows after a write', () => {
    const m = machine();
    const { lapic } = m.cpus[0];
    m.sendMessage(0x20, 0, 0xfee00000, 0x400f);
    assert.equal(lapic.deliverable(), null);
    assert.equal(lapic.read(APIC_ESR), 0);
    lapic.write(APIC_ESR, 0);
    assert.equal(lapic.read(APIC_ESR), ESR.encode({ receive_illegal_vector: 1 }));
  });

  it('matches flat and clustered logical destinations by LDR and DFR', () => {
    const lapic = lapicOf(2); // LDR 0x04
    assert.equal(lapic.addressedBy(0x04, true), true);
    assert.equal(lapic.addressedBy(0x03, true), false);
    assert.equal(lapic.addressedBy(2, false), true);
    lapic.write(APIC_DFR, DFR_CLUSTER);
    lapic.write(APIC_LDR, 0x21000000);
    assert.equal(lapic.addressedBy(0x23, true), true);
    assert.equal(lapic.addressedBy(0x13, true), false);
  });

  it('derives the x2APIC logical id from the id: cluster of 16, one bit', () => {
    assert.equal(logicalX2apicId(5), 0x20);
    assert.equal(logicalX2apicId(0x123), 0x120008);
    const m = machine({ x2apic: true, cpus: [{ apicId: 0x123, node: 0 }] });
    const { lapic } = m.cpus[0];
    lapic.mode = 'x2apic';
    assert.equal(lapic.read(APIC_LDR), 0x120008);
    assert.equal(lapic.read(APIC_ID), 0x123);
    assert.equal(lapic.addressedBy(0x12000c, true), true);
    assert.equal(lapic.addressedBy(0x13000c, true), false);
    assert.equal(lapic.addressedBy(0xff, true), false); // only 32 ones are everybody
    assert.equal(lapic.addressedBy(BROADCAST, true), true);
  });

  it('sends IPIs by destination, by shorthand and, in x2APIC mode, by one register write', () => {
    const m = machine({ x2apic: true });
    const [a, b, c] = m.cpus.map(cpu => cpu.lapic) as [typeof m.cpus[0]['lapic'], typeof m.cpus[0]['lapic'], typeof m.cpus[0]['lapic']];
    a.write(APIC_ICR2, 1 << 24);
    a.write(APIC_ICR, ICR_LOW.encode({ vector: 0xf6, assert: 1 }));
    assert.equal(b.deliverable(), 0xf6);
    a.write(APIC_ICR, ICR_LOW.encode({ vector: 0xf7, shorthand: SHORTHAND.SELF }));
    assert.equal(a.deliverable(), 0xf7);
    a.write(APIC_ICR, ICR_LOW.encode({ vector: 0xfb, shorthand: SHORTHAND.ALL_BUT_SELF }));
    assert.deepEqual(m.cpus.map(cpu => cpu.lapic.deliverable()), [0xf7, 0xfb, 0xfb, 0xfb]);
    for (const cpu of m.cpus) cpu.lapic.mode = 'x2apic';
    a.write(APIC_ICR, ICR_LOW.encode({ vector: 0xfc, dest_mode_logical: 1 }), 0x4);
    assert.equal(c.deliverable(), 0xfc);
    b.write(APIC_SELF_IPI, 0xfd);
    assert.equal(b.deliverable(), 0xfd);
  });

  it('gives a lowest-priority interrupt to the CPU with the lowest priority, the first of equals', () => {
    const m = machine();
    const low = { vector: 0x41, delivery: DELIVERY.LOWEST_PRIORITY };
    const data = low.vector | (low.delivery << 8);
    m.cpus[0].lapic.write(APIC_TASKPRI, 0x20);
    m.sendMessage(0x20, 0, 0xfee00000 | (0xf << 12) | (1 << 2), data);
    assert.deepEqual(m.cpus.map(cpu => cpu.lapic.deliverable()), [null, 0x41, null, null]);
  });

  it('says whether an interrupt waits that a CPU would take', () => {
    const m = machine();
    assert.equal(m.interruptWaiting(), false);
    m.cpus[3].lapic.accept(0x31);
    assert.equal(m.interruptWaiting(), true);
    m.cpus[3].lapic.acknowledge();
    assert.equal(m.interruptWaiting(), false);
  });
});
