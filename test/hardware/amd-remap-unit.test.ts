import assert from 'node:assert/strict';
import { AMD_IOMMU_CAP, amdIommuFunction } from '../../src/hardware/amd-iommu-function';
import {
  CMD, CMD_TYPE, CMD_WAIT, CONTROL, DEV_TABLE_BASE, DTE_2, EVENT, EVENT_TYPE, GA_LOG_ENTRY, INT_CTL, MMIO_CMD_BUF_OFFSET, MMIO_CMD_HEAD_OFFSET, MMIO_CMD_TAIL_OFFSET,
  MMIO_CONTROL_OFFSET, MMIO_DEV_TABLE_OFFSET, MMIO_EVT_BUF_OFFSET, MMIO_EVT_HEAD_OFFSET, MMIO_EVT_TAIL_OFFSET, MMIO_EXT_FEATURES, MMIO_GA_LOG_BASE_OFFSET, MMIO_GA_TAIL_OFFSET,
  MMIO_STATUS_OFFSET, RING_BASE, STATUS,
} from '../../src/hardware/amd-iommu-registers';
import { IRTE_32, IRTE_GA_HI, IRTE_GA_LO, IRTE_GA_LO_VAPIC } from '../../src/hardware/amd-irte';
import type { AmdRemapUnitConfig } from '../../src/hardware/machine-config';
import type { Machine } from '../../src/hardware/machine';
import { MSI_FLAGS, PCI_MSI_ADDRESS_LO, PCI_MSI_DATA_64, PCI_MSI_FLAGS } from '../../src/hardware/pci-registers';
import { eventsOf, machine, nvme } from './machines';

const REGS = 0xfed80000;
const IOMMU = '0000:00:00.2';
const NVME = 0x20;
const IOAPIC = 0xa0;

export const amdUnit: AmdRemapUnitConfig = {
  address: REGS, function: IOMMU, capability: AMD_IOMMU_CAP, ga: true, guest: false, x2apic: false, includeAll: true, devices: [], ioapics: [{ id: 0, requesterId: IOAPIC }],
};

/** A unit in use: tables of 512 entries for the NVMe and the IOAPIC, rings of 256, its own interrupt with vector 0x21 to CPU 0. */
class Rig {
  readonly m: Machine;
  readonly devices: number;
  readonly table: number;
  readonly commands: number;
  readonly events: number;
  readonly guests: number;
  private tail = 0;

  constructor(config: Partial<AmdRemapUnitConfig> = {}) {
    this.m = machine({ x2apic: config.x2apic ?? false, amdRemap: { units: [{ ...amdUnit, ...config }] }, pci: [nvme, amdIommuFunction(IOMMU, REGS)] });
    const page = (): number => this.m.memory.alloc(8192, 4096);
    [this.devices, this.table, this.commands, this.events, this.guests] = [page(), page(), page(), page(), page()];
    const fn = this.m.pciFunction(0, 0, 2)!;
    fn.write32(fn.space.msi + PCI_MSI_ADDRESS_LO, 0xfee00000);
    fn.write16(fn.space.msi + PCI_MSI_DATA_64, 0x4021);
    fn.write16(fn.space.msi + PCI_MSI_FLAGS, MSI_FLAGS.encode({ enable: 1 }));
    const ring = (at: number): bigint => RING_BASE.encode({ address: at / 4096, length: 8 });
    this.m.write64(REGS + MMIO_DEV_TABLE_OFFSET, DEV_TABLE_BASE.encode({ address: this.devices / 4096, size: 1 }));
    this.m.write64(REGS + MMIO_CMD_BUF_OFFSET, ring(this.commands));
    this.m.write64(REGS + MMIO_EVT_BUF_OFFSET, ring(this.events));
    this.m.write64(REGS + MMIO_GA_LOG_BASE_OFFSET, ring(this.guests));
    this.m.write64(REGS + MMIO_CONTROL_OFFSET, CONTROL.encode({ iommu_en: 1, cmdbuf_en: 1, evt_log_en: 1, evt_int_en: 1, ga_en: 1, gam_en: 1, galog_en: 1, gaint_en: 1, xt_en: 1 }));
    for (const devid of [NVME, IOAPIC]) this.device(devid, { irq_remap_enable: 1, irq_table_len: 9, int_ctl: INT_CTL.REMAP, irq_table: this.table / 64 });
  }

  device(devid: number, fields: Parameters<typeof DTE_2.encode>[0]): void {
    this.m.memory.write64(this.devices + devid * 32 + 16, DTE_2.encode(fields));
  }

  entry(index: number, lo: bigint, hi: bigint): void {
    this.m.memory.write64(this.table + index * 16, lo);
    this.m.memory.write64(this.table + index * 16 + 8, hi);
  }

  submit(low: bigint, high = 0n): void {
    this.m.memory.write64(this.commands + this.tail, low);
    this.m.memory.write64(this.commands + this.tail + 8, high);
    this.tail += 16;
    this.m.write64(REGS + MMIO_CMD_TAIL_OFFSET, BigInt(this.tail));
  }

  send(index: number, { source = NVME, mode = 0 }: { source?: number; mode?: number } = {}): boolean {
    return this.m.sendMessage(source, 0, 0xfee00000, index | (mode << 8));
  }

  vectors(): (number | null)[] {
    return this.m.cpus.map(cpu => cpu.lapic.deliverable());
  }

  lastEvent() {
    const tail = this.m.read32(REGS + MMIO_EVT_TAIL_OFFSET);
    if (tail === 0) return null;
    const low = this.m.memory.read64(this.events + tail - 16);
    return { ...EVENT.decode(low), address: this.m.memory.read64(this.events + tail - 8).toString(16) };
  }

  status() {
    return STATUS.decode(this.m.read32(REGS + MMIO_STATUS_OFFSET));
  }
}

/** To the CPU of flat logical id 4: CPU 2. */
const LO = IRTE_GA_LO.encode({ valid: 1, dm: 1, destination: 4 });
const HI = IRTE_GA_HI.encode({ vector: 0x22 });

describe('AmdRemapUnit', () => {
  // 5.10.0-32-e-4cpu-amdir, dmesg: "Extended features (0x29d3): PreF PPR GT IA GA HE"; irqlens.txt: "irte32 0x00000841 entry_lo 0x0000000000000841" for dest_apicid 8
  it('has the features and the entries that the capture shows', () => {
    assert.equal(new Rig().m.read64(REGS + MMIO_EXT_FEATURES), 0x29d3n);
    assert.equal(IRTE_GA_LO.encode({ valid: 1, dm: 1, destination: 8 }), 0x841n);
    assert.equal(IRTE_32.encode({ valid: 1, dm: 1, destination: 8, vector: 0x22 }), 0x220841);
  });

  it('delivers where the entry says that the message names, with the vector of the upper half', () => {
    const rig = new Rig();
    rig.entry(300, LO, HI);
    assert.equal(rig.send(300), true);
    assert.deepEqual(rig.vectors(), [null, null, 0x22, null]);
    assert.deepEqual(eventsOf(rig.m, 'remapped').map(e => 'index' in e && e.index), [300]);
  });

  it('reads entries of 32 bits where it cannot do more, also if told to', () => {
    const rig = new Rig({ ga: false });
    rig.m.memory.write32(rig.table + 4 * 7, IRTE_32.encode({ valid: 1, dm: 1, destination: 2, vector: 0x33 }));
    assert.equal(CONTROL.get(rig.m.read64(REGS + MMIO_CONTROL_OFFSET), 'ga_en'), 0);
    rig.send(7);
    assert.deepEqual(rig.vectors(), [null, 0x33, null, null]);
  });

  it('takes 32-bit destinations from both halves', () => {
    const rig = new Rig({ x2apic: true });
    for (const cpu of rig.m.cpus) cpu.lapic.mode = 'x2apic';
    rig.entry(0, IRTE_GA_LO.with(LO, { destination: 8 }), HI);
    rig.send(0);
    assert.deepEqual(rig.vectors(), [null, null, null, 0x22]);
    rig.entry(1, IRTE_GA_LO.with(LO, { destination: 8 }), IRTE_GA_HI.with(HI, { destination: 1 }));
    assert.equal(rig.send(1), false);
  });

  it('leaves level and edge to the message, and has an IOAPIC pin look up the entry of its vector', () => {
    const rig = new Rig();
    rig.entry(20, LO, HI);
    assert.equal(rig.m.sendMessage(IOAPIC, 0, 0xfee00000, 0xc000 | 20), true);
    assert.deepEqual(eventsOf(rig.m, 'accepted').map(e => 'level' in e && e.level), [true]);
  });

  it('keeps an entry until the table of the device is invalidated', () => {
    const rig = new Rig();
    rig.entry(5, LO, HI);
    rig.send(5);
    rig.m.cpus[2].lapic.acknowledge();
    rig.entry(5, IRTE_GA_LO.with(LO, { destination: 2 }), IRTE_GA_HI.encode({ vector: 0x44 }));
    rig.send(5);
    assert.deepEqual(rig.m.cpus[1].lapic.deliverable(), null);
    rig.submit(CMD.encode({ type: CMD_TYPE.INV_IRT, devid: NVME }));
    rig.send(5);
    assert.equal(rig.m.cpus[1].lapic.deliverable(), 0x44);
  });

  it('keeps the entry of a device likewise', () => {
    const rig = new Rig();
    rig.entry(5, LO, HI);
    rig.send(5);
    rig.device(NVME, { irq_remap_enable: 1, int_ctl: INT_CTL.BLOCK });
    assert.equal(rig.send(5), true);
    rig.submit(CMD.encode({ type: CMD_TYPE.INV_DEV_ENTRY, devid: NVME }));
    assert.equal(rig.send(5), false);
  });

  it('stores for a completion wait when all before it is done', () => {
    const rig = new Rig();
    const at = rig.m.memory.alloc(8);
    rig.submit(CMD_WAIT.encode({ type: CMD_TYPE.COMPL_WAIT, store: 1, address: at / 8 }), 0x123456789abn);
    assert.equal(rig.m.memory.read64(at), 0x123456789abn);
    assert.equal(rig.m.read32(REGS + MMIO_CMD_HEAD_OFFSET), 16);
  });

  it('stops at a command that it does not know, and says where', () => {
    const rig = new Rig();
    rig.submit(CMD.encode({ type: 0xf }));
    assert.deepEqual([rig.lastEvent()!.type, rig.lastEvent()!.address, rig.status().cmdbuf_run], [EVENT_TYPE.ILL_CMD, rig.commands.toString(16), 0]);
    rig.submit(CMD.encode({ type: CMD_TYPE.INV_ALL }));
    assert.equal(rig.m.read32(REGS + MMIO_CMD_HEAD_OFFSET), 0);
  });

  const faults: [string, number, Record<string, number>, (rig: Rig) => void][] = [
    ['an entry that is not valid', EVENT_TYPE.IO_FAULT, { present: 0 }, rig => void rig.send(6)],
    ['an entry with a reserved type', EVENT_TYPE.IO_FAULT, { present: 1, reserved_bit: 1 }, rig => { rig.entry(6, IRTE_GA_LO.with(LO, { int_type: 3 }), HI); rig.send(6); }],
    ['an entry for a guest where none can be', EVENT_TYPE.IO_FAULT, { reserved_bit: 1 }, rig => { rig.entry(6, IRTE_GA_LO.with(LO, { guest_mode: 1 }), HI); rig.send(6); }],
    ['an index beyond the table', EVENT_TYPE.IO_FAULT, { present: 0 }, rig => void rig.send(512)],
    ['a device whose interrupts are blocked', EVENT_TYPE.IO_FAULT, {}, rig => { rig.device(NVME, { irq_remap_enable: 1, int_ctl: INT_CTL.BLOCK }); rig.send(6); }],
    ['an NMI that the device may not send', EVENT_TYPE.IO_FAULT, {}, rig => void rig.send(6, { mode: 4 })],
    ['a device entry with a reserved control', EVENT_TYPE.ILL_DEV, {}, rig => { rig.device(NVME, { irq_remap_enable: 1, int_ctl: 3 }); rig.send(6); }],
    ['a device beyond the table', EVENT_TYPE.ILL_DEV, { devid: 0x100 }, rig => void rig.send(6, { source: 0x100 })],
  ];
  for (const [what, type, flags, act] of faults) {
    it(`logs ${what}, and interrupts`, () => {
      const rig = new Rig();
      act(rig);
      const event = rig.lastEvent()!;
      assert.deepEqual({ ...event, type, interrupt: 1, devid: NVME, ...flags }, event);
      assert.equal(event.type, type);
      assert.equal(rig.status().evt_int, 1);
      assert.deepEqual(rig.vectors(), [0x21, null, null, null]);
    });
  }

  it('logs the message as an address', () => {
    const rig = new Rig();
    rig.m.sendMessage(IOAPIC, 0, 0xfee02000, 2);
    assert.equal(rig.lastEvent()!.address, 'fdf8020200');
  });

  it('logs nothing where the entry forbids it', () => {
    const rig = new Rig();
    rig.entry(6, IRTE_GA_LO.encode({ no_fault: 1 }), HI);
    assert.equal(rig.send(6), false);
    assert.equal(rig.lastEvent(), null);
  });

  it('interrupts once until the status bit is cleared by writing 1', () => {
    const rig = new Rig();
    rig.send(6);
    rig.m.cpus[0].lapic.acknowledge();
    rig.send(6);
    assert.equal(rig.m.cpus[0].lapic.deliverable(), null);
    rig.m.write32(REGS + MMIO_STATUS_OFFSET, STATUS.encode({ evt_int: 1 }));
    rig.send(6);
    assert.equal(rig.m.read32(REGS + MMIO_EVT_TAIL_OFFSET), 48);
    assert.equal(rig.status().evt_int, 1);
  });

  it('stops a full log', () => {
    const rig = new Rig();
    for (let i = 0; i < 255; i++) rig.send(6);
    assert.deepEqual([rig.status().evt_run, rig.status().evt_overflow], [1, 0]);
    rig.send(6);
    assert.deepEqual([rig.status().evt_run, rig.status().evt_overflow], [0, 1]);
    rig.m.write32(REGS + MMIO_EVT_HEAD_OFFSET, rig.m.read32(REGS + MMIO_EVT_TAIL_OFFSET));
    rig.send(6);
    assert.equal(rig.m.read32(REGS + MMIO_EVT_TAIL_OFFSET), 255 * 16);
  });

  it('passes messages of a device without a table, and its own', () => {
    const rig = new Rig();
    rig.device(NVME, {});
    assert.equal(rig.m.sendMessage(NVME, 0, 0xfee01004, 0x4055), true);
    assert.equal(rig.m.cpus[0].lapic.deliverable(), 0x55);
    assert.equal(rig.m.sendMessage(2, 0, 0xfee02004, 0x4056), true);
    assert.equal(rig.m.cpus[1].lapic.deliverable(), 0x56);
  });

  describe('with guests', () => {
    const PAGE = 0x200000;
    const guest = (fields: Parameters<typeof IRTE_GA_LO_VAPIC.encode>[0]): [bigint, bigint] => [
      IRTE_GA_LO_VAPIC.encode({ valid: 1, guest_mode: 1, ga_log_intr: 1, ga_tag: 0xabcd, ...fields }), IRTE_GA_HI.encode({ vector: 0x51, ga_root_ptr: PAGE / 4096 }),
    ];

    it('sets the request in the backing page of a guest that runs, and nothing else', () => {
      const rig = new Rig({ guest: true });
      rig.entry(3, ...guest({ is_run: 1 }));
      assert.equal(rig.send(3), true);
      assert.equal(rig.m.memory.read32(PAGE + 0x220), 1 << 0x11);
      assert.equal(rig.m.read32(REGS + MMIO_GA_TAIL_OFFSET), 0);
      assert.deepEqual(rig.vectors(), [null, null, null, null]);
    });

    it('logs the tag of one that does not run, and interrupts', () => {
      const rig = new Rig({ guest: true });
      rig.entry(3, ...guest({}));
      rig.send(3);
      assert.deepEqual(GA_LOG_ENTRY.decode(rig.m.memory.read64(rig.guests)), { tag: 0xabcd, devid: NVME, type: 1 });
      assert.deepEqual([rig.m.read32(REGS + MMIO_GA_TAIL_OFFSET), rig.status().galog_int, rig.vectors()[0]], [8, 1, 0x21]);
    });
  });
});

describe('a machine with AMD units', () => {
  const refused: [string, Partial<AmdRemapUnitConfig>, RegExp][] = [
    ['a unit without its function', { function: '0000:00:07.0' }, /machine\.amdRemap\.units\[0\]\.function: there is no function 0000:00:07\.0/],
    ['guests without entries for them', { ga: false, guest: true }, /units\[0\]\.guest: entries for guests have 128 bits/],
    ['an IOAPIC that is not there', { ioapics: [{ id: 7, requesterId: 0 }] }, /units\[0\]\.ioapics\[0\]\.id: there is no IOAPIC with id 7/],
    ['an alias of nobody', { aliases: [{ device: '0000:00:1e.0', alias: '0000:00:04.0' }] }, /units\[0\]\.aliases\[0\]\.device: there is no function 0000:00:1e\.0/],
  ];
  for (const [what, config, message] of refused) it(`refuses ${what}`, () => assert.throws(() => new Rig(config), message));
});
