import assert from 'node:assert/strict';
import { DMAR_MSI_ADDRESS_LO, MSI_BASE } from '../../src/hardware/message';
import type { BridgeConfig, PciFunctionConfig } from '../../src/hardware/machine-config';
import { COMMAND, PCI_COMMAND } from '../../src/hardware/pci-registers';
import { UV_GLOBAL_MMR64_BASE, UV_ROUTE_ENTRY } from '../../src/hardware/uv-hub';
import { eventsOf, machine, unit } from './machines';

const plain = { vendor: 0x1234, device: 1, class: 0xff0000, intxPin: 0, gsi: -1, node: -1 };
const bridge = (address: string, config: BridgeConfig): PciFunctionConfig => ({ ...plain, class: 0x060400, address, bridge: config });
const card = (address: string): PciFunctionConfig => ({ ...plain, address, msi: { vectors: 1, maskable: false, addr64: true } });

/** Who a message of `from` comes from, as it arrives. */
function sender(pci: readonly PciFunctionConfig[], from: string): number {
  const m = machine({ pci });
  const fn = m.pci.find(f => f.config.address === from)!;
  fn.write16(PCI_COMMAND, COMMAND.encode({ bus_master: 1 }));
  fn.writeOut(0, 0xfee00000, 0x4031);
  return (eventsOf(m, 'message').at(-1) as { requesterId: number }).requesterId;
}

describe('a bridge', () => {
  const behind = (kind: BridgeConfig['kind']): number =>
    sender([bridge('0000:00:1c.0', { kind, secondary: 2, subordinate: 2 }), card('0000:02:05.0')], '0000:02:05.0');

  it('of PCI Express passes on who sends', () => {
    for (const kind of [undefined, 'root-port', 'upstream', 'downstream'] as const) assert.equal(behind(kind), 0x0228);
  });

  it('to conventional PCI signs with its secondary bus; one back to PCI Express, or between conventional buses, with its own id', () => {
    assert.equal(behind('pcie-to-pci'), 0x0200);
    assert.equal(behind('pci-to-pcie'), 0x00e0);
    assert.equal(behind('pci'), 0x00e0);
  });

  it('further up has the last word', () => {
    const pci = [
      bridge('0000:00:1c.0', { secondary: 1, subordinate: 3 }), bridge('0000:01:00.0', { kind: 'pcie-to-pci', secondary: 2, subordinate: 3 }),
      bridge('0000:02:01.0', { kind: 'pci', secondary: 3, subordinate: 3 }), card('0000:03:05.0'),
    ];
    assert.equal(sender(pci, '0000:03:05.0'), 0x0200);
  });

  it('that a unit names stands for all behind it', () => {
    const pci = [bridge('0000:00:1c.0', { secondary: 1, subordinate: 1 }), card('0000:01:00.0'), card('0000:00:05.0')];
    const units = [{ ...unit, includeAll: false, devices: ['0000:00:1c.0'], ioapics: [] }, { ...unit, address: 0xfed91000 }];
    const m = machine({ pci, intelRemap: { units } });
    // Units that are off let everything pass: only one of them is on.
    m.write32(0xfed90018, 1 << 25);
    const lo = DMAR_MSI_ADDRESS_LO.encode({ dmar_base_address: MSI_BASE, dmar_format: 1 });
    assert.equal(m.sendMessage(0x0100, 0, lo, 0), false);
    assert.deepEqual(eventsOf(m, 'fault').map(e => (e as { unit: number; sourceId: number }).sourceId), [0x0100]);
    m.sendMessage(0x0028, 0, 0xfee01004, 0x4031);
    assert.equal(eventsOf(m, 'fault').length, 1);
  });
});

describe("a UV hub's register", () => {
  const hubs = (): ReturnType<typeof machine> => machine({ uv: { blades: [{ pnode: 0, node: 0 }, { pnode: 2, node: 1 }] } });

  it('is at the base of its pnode, 64 bits wide, and sends what it says', () => {
    const m = hubs();
    const at = UV_GLOBAL_MMR64_BASE + 2 * 2 ** 26 + 0x61b00;
    m.write64(at, UV_ROUTE_ENTRY.encode({ vector: 0x41, dest: 3 }));
    assert.equal(m.read64(at), (3n << 32n) | 0x41n);
    assert.equal(m.uvHubs[1].raise(0x61b00), true);
    assert.equal(m.cpus[3].lapic.deliverable(), 0x41);
    assert.equal(m.uvHubs[0].peek64(0x61b00), 0n);
  });

  it('sends nothing while it is masked', () => {
    const m = hubs();
    m.write64(UV_GLOBAL_MMR64_BASE + 0x61b00, UV_ROUTE_ENTRY.encode({ vector: 0x41, dest: 3, mask: 1 }));
    assert.equal(m.uvHubs[0].raise(0x61b00), false);
    assert.equal(m.cpus[3].lapic.deliverable(), null);
  });

  it('needs a number of its own for each blade', () => {
    assert.throws(() => machine({ uv: { blades: [{ pnode: 1, node: 0 }, { pnode: 1, node: 1 }] } }), /uv\.blades\[1\]\.pnode: 1 is the number of uv\.blades\[0\] already/);
  });
});
