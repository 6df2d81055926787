import assert from 'node:assert/strict';
import { bits } from '../../src/hardware/bits';
import { IRTE_HIGH, IRTE_LOW } from '../../src/hardware/irte';
import { RTE, IR_RTE } from '../../src/hardware/io-apic';

describe('bits', () => {
  const layout = bits(32, { low: 0, mid: [4, 7, 'a range'], top: [31, 'a bit'] });

  it('puts fields where they are declared and takes them back', () => {
    assert.equal(layout.encode({ low: 1, mid: 0xa, top: true }), 0x800000a1);
    assert.deepEqual(layout.decode(0x800000a1), { low: 1, mid: 0xa, top: 1 });
  });

  it('stays unsigned where bit 31 is set', () => {
    assert.equal(layout.with(0x80000000, { mid: 1 }), 0x80000010);
    assert.equal(bits(32, { all: [0, 31] }).encode({ all: 0xfffffffe }), 0xfffffffe);
  });

  it('finds reserved bits that are set', () => {
    assert.equal(layout.reserved(0x800000a3), 2);
  });

  it('refuses a value that does not fit', () => {
    assert.throws(() => layout.encode({ mid: 16 }), /mid = 16 does not fit its 4 bits from bit 4/);
    assert.throws(() => layout.encode({ mid: -1 }), RangeError);
  });

  it('refuses fields that overlap or lie outside', () => {
    assert.throws(() => bits(32, { a: [0, 4], b: 4 }), /b overlaps/);
    assert.throws(() => bits(16, { a: 16 }), /outside 16 bits/);
  });
});

describe('layouts', () => {
  // 5.10.0-32-c-4cpu-intelir, dmesg: "Set IRTE entry (P:1 ... Dst_Mode:1 Redir_hint:1 ... Vector:EF Dest:00000100 SID:FF00 SQ:0 SVT:1)"
  it('makes the IRTE of an IOAPIC pin as a kernel logs it', () => {
    const low = IRTE_LOW.encode({ present: 1, dst_mode: 1, redir_hint: 1, vector: 0xef, dest_id: 0x100 });
    assert.equal(low, 0x0000010000ef000dn);
    assert.equal(IRTE_HIGH.encode({ sid: 0xff00, svt: 1 }), 0x4ff00n);
  });

  it('splits the handle of a remapped IOAPIC entry into bits 49-63 and 11', () => {
    assert.equal(IR_RTE.encode({ format: 1, index: 0x7fff, index2: 1 }), 0xffff000000000800n);
    assert.equal(RTE.encode({ dest: 1, dest_mode: 1, vector: 0x30 }), 0x0100000000000830n);
  });
});
