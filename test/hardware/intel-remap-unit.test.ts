import assert from 'node:assert/strict';
import {
  DMAR_CAP_REG, DMAR_ECAP_REG, DMAR_FEADDR_REG, DMAR_FECTL_REG, DMAR_FEDATA_REG, DMAR_FRCD_REG, DMAR_FSTS_REG, DMAR_GCMD_REG, DMAR_GSTS_REG, DMAR_IQA_REG,
  DMAR_IQH_REG, DMAR_IQT_REG, DMAR_IRTA_REG, FRCD_HIGH, FRCD_LOW, FSTS, GCMD, GSTS, IRTA, QI_DESC, QI_TYPE,
} from '../../src/hardware/dmar-registers';
import { IRTE_HIGH, IRTE_LOW, IRTE_POSTED_HIGH, IRTE_POSTED_LOW, PI_DESC_CONTROL } from '../../src/hardware/irte';
import { IOAPIC_DATA, IOAPIC_INDEX, IOAPIC_RTE, IR_RTE, RTE } from '../../src/hardware/io-apic';
import type { RemapUnitConfig } from '../../src/hardware/machine-config';
import type { Machine } from '../../src/hardware/machine';
import { DMAR_MSI_ADDRESS_LO } from '../../src/hardware/message';
import { eventsOf, machine, unit } from './machines';

const REGS = unit.address;
const NVME = 0x20;

/** A remapping unit in use: a table of 256 entries, an invalidation queue, fault messages with vector 0x21 to CPU 0. */
class Rig {
  readonly m: Machine;
  readonly table: number;
  readonly queue: number;
  private tail = 0;

  constructor(config: Partial<RemapUnitConfig> = {}) {
    this.m = machine({ x2apic: config.eim ?? false, intelRemap: { units: [{ ...unit, ...config }] } });
    this.table = this.m.memory.alloc(4096, 4096);
    this.queue = this.m.memory.alloc(4096, 4096);
    this.m.write32(REGS + DMAR_FEDATA_REG, 0x4021);
    this.m.write32(REGS + DMAR_FEADDR_REG, 0xfee00000);
    this.m.write32(REGS + DMAR_FECTL_REG, 0);
    this.m.write64(REGS + DMAR_IQA_REG, BigInt(this.queue));
    this.m.write32(REGS + DMAR_GCMD_REG, GCMD.encode({ qie: 1 }));
    this.m.write64(REGS + DMAR_IRTA_REG, IRTA.encode({ size: 7, eime: config.eim ?? false, address: this.table / 4096 }));
    this.m.write32(REGS + DMAR_GCMD_REG, GCMD.encode({ qie: 1, sirtp: 1 }));
    this.m.write32(REGS + DMAR_GCMD_REG, GCMD.encode({ qie: 1, ire: 1 }));
  }

  entry(index: number, low: bigint, high = IRTE_HIGH.encode({ sid: NVME, svt: 1 })): void {
    this.m.memory.write64(this.table + index * 16, low);
    this.m.memory.write64(this.table + index * 16 + 8, high);
  }

  submit(low: bigint, high = 0n): void {
    this.m.memory.write64(this.queue + this.tail, low);
    this.m.memory.write64(this.queue + this.tail + 8, high);
    this.tail += 16;
    this.m.write64(REGS + DMAR_IQT_REG, BigInt(this.tail));
  }

  /** A remappable message. */
  send(index: number, { source = NVME, sub = 0, shv = 1, data }: { source?: number; sub?: number; shv?: number; data?: number } = {}): boolean {
    const address = { dmar_base_address: 0xfee, dmar_format: 1, dmar_subhandle_valid: shv, dmar_index_0_14: index & 0x7fff, dmar_index_15: index >> 15 };
    return this.m.sendMessage(source, 0, DMAR_MSI_ADDRESS_LO.encode(address), data ?? sub);
  }

  vectors(): (number | null)[] {
    return this.m.cpus.map(cpu => cpu.lapic.deliverable());
  }

  fault() {
    const { reason, sid, fault } = FRCD_HIGH.decode(this.m.read64(REGS + DMAR_FRCD_REG + 8));
    return { reason, sid, fault, index: FRCD_LOW.get(this.m.read64(REGS + DMAR_FRCD_REG), 'fault_index') };
  }
}

/** To the CPU of xAPIC flat logical id 4: CPU 2. */
const REMAPPED = IRTE_LOW.encode({ present: 1, dst_mode: 1, redir_hint: 1, vector: 0x22, dest_id: 0x400 });

describe('IntelRemapUnit', () => {
  // 5.10.0-32-c-4cpu-intelir, dmesg: "ver 1:0 cap d2008c22260206 ecap f00f4a"; d-8cpu-intelir-x2apic: "ecap f00f5a"
  it('has the capabilities that QEMU has', () => {
    const { m } = new Rig();
    assert.equal(m.read64(REGS + DMAR_CAP_REG), 0xd2008c22260206n);
    assert.equal(m.read64(REGS + DMAR_ECAP_REG), 0xf00f4an);
    assert.equal(new Rig({ eim: true }).m.read64(REGS + DMAR_ECAP_REG), 0xf00f5an);
  });

  it('says in the status register what the command register asked for', () => {
    assert.deepEqual(GSTS.decode(new Rig().m.read32(REGS + DMAR_GSTS_REG)), { cfis: 0, irtps: 1, ires: 1, qies: 1, wbfs: 0, afls: 0, fls: 0, rtps: 0, tes: 0 });
  });

  it('delivers where the entry says', () => {
    const rig = new Rig();
    rig.entry(5, REMAPPED);
    assert.equal(rig.send(5), true);
    assert.deepEqual(rig.vectors(), [null, null, 0x22, null]);
    assert.deepEqual(eventsOf(rig.m, 'remapped').map(e => 'index' in e && e.index), [5]);
  });

  it('adds the sub-handle only where the message says that it is valid', () => {
    const rig = new Rig();
    rig.entry(8, IRTE_LOW.with(REMAPPED, { vector: 0x30 }));
    rig.entry(11, IRTE_LOW.with(REMAPPED, { vector: 0x31 }));
    rig.send(8, { sub: 3 });
    assert.equal(rig.m.cpus[2].lapic.acknowledge(), 0x31);
    rig.send(8, { shv: 0, data: 3 });
    assert.equal(rig.fault().reason, 0x20); // without it the data must be 0
  });

  it('takes 32-bit destinations in x2APIC mode', () => {
    const rig = new Rig({ eim: true });
    for (const cpu of rig.m.cpus) cpu.lapic.mode = 'x2apic';
    rig.entry(0, IRTE_LOW.with(REMAPPED, { dest_id: 0x8 }));
    rig.send(0);
    assert.deepEqual(rig.vectors(), [null, null, null, 0x22]);
  });

  const faults: [string, number, number, (rig: Rig) => void][] = [
    ['a reserved bit of the data', 0x20, 5, rig => void rig.send(5, { data: 0x10000 })],
    ['an index beyond the table', 0x21, 256, rig => void rig.send(256)],
    ['an entry that is not present', 0x22, 6, rig => void rig.send(6)],
    ['a reserved bit of the entry', 0x24, 7, rig => { rig.entry(7, REMAPPED | (1n << 13n)); rig.send(7); }],
    ['an x2APIC destination in xAPIC mode', 0x24, 7, rig => { rig.entry(7, IRTE_LOW.with(REMAPPED, { dest_id: 4 })); rig.send(7); }],
    ['compatibility format', 0x25, 0, rig => void rig.m.sendMessage(NVME, 0, 0xfee04004, 0x4022)],
    ['a requester that is not the one of the entry', 0x26, 5, rig => void rig.send(5, { source: 0x28 })],
  ];
  for (const [what, reason, index, act] of faults) {
    it(`blocks ${what} with reason 0x${reason.toString(16)}`, () => {
      const rig = new Rig();
      rig.entry(5, REMAPPED);
      act(rig);
      assert.deepEqual(rig.fault(), { reason, sid: reason === 0x26 ? 0x28 : NVME, fault: 1, index });
      assert.deepEqual(rig.vectors(), [0x21, null, null, null]); // only the fault message came through
    });
  }

  it('cannot read a table outside of RAM: reason 0x23', () => {
    const rig = new Rig();
    rig.m.write64(REGS + DMAR_IRTA_REG, IRTA.encode({ size: 7, address: 0xf0000 }));
    rig.m.write32(REGS + DMAR_GCMD_REG, GCMD.encode({ qie: 1, ire: 1, sirtp: 1 }));
    rig.send(1);
    assert.equal(rig.fault().reason, 0x23);
  });

  it('compares the requester as svt and sq say', () => {
    const allowed = (high: bigint, source: number): boolean => {
      const rig = new Rig();
      rig.entry(5, REMAPPED, high);
      return rig.send(5, { source });
    };
    assert.equal(allowed(IRTE_HIGH.encode({ sid: 0x20, svt: 0 }), 0x99), true);
    assert.equal(allowed(IRTE_HIGH.encode({ sid: 0x20, svt: 1, sq: 3 }), 0x27), true);
    assert.equal(allowed(IRTE_HIGH.encode({ sid: 0x20, svt: 1, sq: 1 }), 0x24), true);
    assert.equal(allowed(IRTE_HIGH.encode({ sid: 0x20, svt: 1, sq: 1 }), 0x21), false);
    assert.equal(allowed(IRTE_HIGH.encode({ sid: 0x0204, svt: 2 }), 0x0310), true); // buses 2 to 4
    assert.equal(allowed(IRTE_HIGH.encode({ sid: 0x0204, svt: 2 }), 0x0510), false);
  });

  it('does not record a fault of an entry with fpd, but blocks it', () => {
    const rig = new Rig();
    rig.entry(6, IRTE_LOW.encode({ fpd: 1 }));
    assert.equal(rig.send(6), false);
    assert.equal(rig.fault().fault, 0);
  });

  it('lets compatibility format pass only with CFIS, and never with 32-bit ids', () => {
    const send = (rig: Rig): boolean => {
      rig.m.write32(REGS + DMAR_GCMD_REG, GCMD.encode({ qie: 1, ire: 1, cfi: 1 }));
      return rig.m.sendMessage(NVME, 0, 0xfee04004, 0x4022);
    };
    assert.equal(send(new Rig()), true);
    assert.equal(send(new Rig({ eim: true })), false);
  });

  it('records one fault; one more sets the overflow bit until software clears both', () => {
    const rig = new Rig();
    rig.send(6);
    rig.send(7);
    assert.equal(rig.fault().index, 6);
    assert.deepEqual(FSTS.decode(rig.m.read32(REGS + DMAR_FSTS_REG)), { pfo: 1, ppf: 1, iqe: 0, fri: 0 });
    rig.m.write32(REGS + DMAR_FRCD_REG + 12, 0x80000000);
    rig.m.write32(REGS + DMAR_FSTS_REG, FSTS.encode({ pfo: 1 }));
    assert.equal(rig.m.read32(REGS + DMAR_FSTS_REG), 0);
    rig.send(7);
    assert.equal(rig.fault().index, 7);
  });

  it('keeps the fault message while it is masked', () => {
    const rig = new Rig();
    rig.m.write32(REGS + DMAR_FECTL_REG, 0x80000000);
    rig.send(6);
    assert.deepEqual(rig.vectors(), [null, null, null, null]);
    assert.equal(rig.m.read32(REGS + DMAR_FECTL_REG), 0xc0000000);
    rig.m.write32(REGS + DMAR_FECTL_REG, 0);
    assert.deepEqual(rig.vectors(), [0x21, null, null, null]);
  });

  it('sends no second fault message before software has cleared what the first one told of', () => {
    const rig = new Rig();
    rig.send(6);
    assert.equal(rig.m.cpus[0].lapic.acknowledge(), 0x21);
    rig.submit(0xfn);
    assert.deepEqual(rig.vectors(), [null, null, null, null]);
  });

  it('uses a cached entry until it is invalidated', () => {
    const rig = new Rig();
    rig.entry(5, REMAPPED);
    rig.send(5);
    rig.entry(5, IRTE_LOW.with(REMAPPED, { dest_id: 0x200 }));
    rig.send(5);
    assert.deepEqual(rig.vectors(), [null, null, 0x22, null]);
    rig.submit(QI_DESC.encode({ type: QI_TYPE.INTERRUPT_ENTRY_CACHE, selective: 1, iidx: 5 }));
    rig.send(5);
    assert.deepEqual(rig.vectors(), [null, 0x22, 0x22, null]);
  });

  it('invalidates 2^im entries from iidx on', () => {
    const rig = new Rig();
    for (const index of [3, 4, 7, 8]) {
      rig.entry(index, REMAPPED);
      rig.send(index);
    }
    rig.submit(QI_DESC.encode({ type: QI_TYPE.INTERRUPT_ENTRY_CACHE, selective: 1, iidx: 4, im: 2 }));
    assert.deepEqual([...rig.m.remapUnits[0].cache.keys()], [3, 8]);
  });

  it('writes the status of a wait descriptor and moves the head to the tail', () => {
    const rig = new Rig();
    const status = rig.m.memory.alloc(4);
    rig.submit(QI_DESC.encode({ type: QI_TYPE.WAIT, status_write: 1 }) | (2n << 32n), BigInt(status));
    assert.equal(rig.m.memory.read32(status), 2);
    assert.equal(rig.m.read64(REGS + DMAR_IQH_REG), 16n);
  });

  it('stops the queue at an unknown descriptor and goes on once the error is cleared', () => {
    const rig = new Rig();
    rig.submit(0xfn);
    assert.equal(FSTS.get(rig.m.read32(REGS + DMAR_FSTS_REG), 'iqe'), 1);
    assert.equal(rig.m.read64(REGS + DMAR_IQH_REG), 0n);
    rig.m.memory.write64(rig.queue, QI_DESC.encode({ type: QI_TYPE.INTERRUPT_ENTRY_CACHE }));
    rig.m.write32(REGS + DMAR_FSTS_REG, FSTS.encode({ iqe: 1 }));
    assert.equal(rig.m.read64(REGS + DMAR_IQH_REG), 16n);
  });

  it('remaps an IOAPIC under its own requester id', () => {
    const rig = new Rig();
    rig.entry(2, IRTE_LOW.with(REMAPPED, { vector: 0x30 }), IRTE_HIGH.encode({ sid: 0xff00, svt: 1 }));
    const rte = IR_RTE.encode({ format: 1, index: 2, vector: 4 });
    rig.m.write32(0xfec00000 + IOAPIC_INDEX, IOAPIC_RTE(4) + 1);
    rig.m.write32(0xfec00000 + IOAPIC_DATA, Number(rte >> 32n));
    rig.m.write32(0xfec00000 + IOAPIC_INDEX, IOAPIC_RTE(4));
    rig.m.write32(0xfec00000 + IOAPIC_DATA, Number(rte & 0xffffffffn));
    rig.m.setGsi(4, true);
    assert.deepEqual(rig.vectors(), [null, null, 0x30, null]);
  });

  it('leaves the remote IRR of a level pin clear when its interrupt was blocked', () => {
    const rig = new Rig();
    rig.m.write32(0xfec00000 + IOAPIC_INDEX, IOAPIC_RTE(20));
    rig.m.write32(0xfec00000 + IOAPIC_DATA, Number(RTE.encode({ vector: 0x30, trigger: 1 })));
    rig.m.setGsi(20, true);
    assert.deepEqual(rig.fault(), { reason: 0x25, sid: 0xff00, fault: 1, index: 0 });
    assert.equal(RTE.get(rig.m.ioapics[0].rte[20], 'irr'), 0);
  });

  it('posts into the descriptor and notifies once', () => {
    const rig = new Rig({ pi: true });
    const pda = rig.m.memory.alloc(64, 64);
    rig.m.memory.write64(pda + 32, PI_DESC_CONTROL.encode({ nv: 0xf2, ndst: 1 << 8 }));
    rig.entry(5, IRTE_POSTED_LOW.encode({ p_present: 1, p_pst: 1, p_vector: 0x61, pda_l: pda / 64 }), IRTE_POSTED_HIGH.encode({ p_sid: NVME, p_svt: 1 }));
    rig.send(5);
    rig.send(5);
    assert.equal(rig.m.memory.read32(pda + 12), 1 << 1); // request 0x61
    assert.equal(PI_DESC_CONTROL.get(rig.m.memory.read64(pda + 32), 'on'), 1);
    assert.deepEqual(rig.vectors(), [null, 0xf2, null, null]);
    assert.deepEqual(eventsOf(rig.m, 'posted').map(e => 'notified' in e && e.notified), [true, false]);
  });

  it('leaves functions alone that no unit covers', () => {
    const rig = new Rig({ includeAll: false, devices: ['0000:00:09.0'] });
    assert.equal(rig.m.sendMessage(NVME, 0, 0xfee04004, 0x4022), true);
    assert.equal(rig.m.sendMessage(0x48, 0, 0xfee04004, 0x4022), false);
  });
});
