// Facts of kernel/irq/msi.c and kernel/irq/chip.c, before the series (v5.9) and after it: what a domain of messages is completed with, in which order
// it allocates, what may be reserved, and who composes.
import assert from 'node:assert/strict';
import type { irq_chip } from '../../../src/kernel/include/irq';
import { DOMAIN_BUS, IRQ_DOMAIN_FLAG, type irq_domain } from '../../../src/kernel/include/irqdomain';
import { MSI_FLAG, type msi_desc, type msi_domain_info, type msi_domain_ops, msi_msg } from '../../../src/kernel/include/msi';
import type { PciDev } from '../../../src/kernel/include/pci';
import { irq_chip_compose_msi_msg } from '../../../src/kernel/irq/chip';
import { irq_get_irq_data, irq_to_desc } from '../../../src/kernel/irq/irqdesc';
import { irq_domain_alloc_named_fwnode, irq_domain_deactivate_irq, irq_domain_update_bus_token } from '../../../src/kernel/irq/irqdomain';
import { alloc_msi_entry, msi_create_irq_domain, msi_domain_alloc_irqs } from '../../../src/kernel/irq/msi';
import { ENOMEM, ENOSPC, ENOSYS } from '../../../src/kernel/lib/errno';
import { kernel as world } from '../../../src/kernel/world';
import type { Op } from '../../../src/stepper/op';
import { run, setUp } from '../run';
import { fakeDomains, type Fake } from './fake';

type Kernel = 'v5.9' | 'v5.10';
const BOTH: readonly Kernel[] = ['v5.9', 'v5.10'];

interface Bench extends Fake {
  readonly domain: irq_domain;
  readonly info: msi_domain_info;
  readonly dev: PciDev;
}

interface Options {
  readonly flags?: number;
  readonly ops?: msi_domain_ops;
  readonly token?: number;
  /** interrupts of each message */
  readonly nvecs?: readonly number[];
}

const PCI = MSI_FLAG.USE_DEF_DOM_OPS | MSI_FLAG.USE_DEF_CHIP_OPS | MSI_FLAG.ACTIVATE_EARLY | MSI_FLAG.MUST_REACTIVATE;

/** A domain above ROOT with a callback of its own for all that v5.9 has no default for, and a device with MSI-X messages 0, 1 ... */
function bench(kernel: Kernel, { flags = PCI, ops = {}, token = DOMAIN_BUS.PCI_MSI, nvecs = [1, 1] }: Options = {}): Bench {
  setUp({ kernel });
  const fake = fakeDomains();
  const { calls } = fake;
  fake.rootChip.irq_compose_msi_msg = function* (data, msg) { msg.data = data.irq; };
  const chip: irq_chip = {
    name: 'MSI', flags: 0,
    *irq_ack() { /* as good as none */ },
    *irq_mask() { /* as good as none */ },
    *irq_unmask() { /* as good as none */ },
    *irq_write_msi_msg(data, { address_lo, address_hi, data: value }) { calls.push(`write ${data.irq}: ${[address_lo, address_hi, value].join(' ')}`); },
  };
  const own: msi_domain_ops = {
    *get_hwirq(_info, arg) { return arg.hwirq; },
    *msi_prepare() { return 0; },
    *set_desc(arg, desc) {
      arg.desc = desc;
      arg.hwirq = desc.msi_attrib.entry_nr;
    },
  };
  const info: msi_domain_info = { flags, ops: { ...own, ...ops }, chip };
  const domain = run(msi_create_irq_domain(run(irq_domain_alloc_named_fwnode('MSI')), info, fake.root));
  run(irq_domain_update_bus_token(domain, token));
  const dev = { msi_list: [] as msi_desc[], numa_node: -1 } as unknown as PciDev;
  for (const [entry, nvec] of nvecs.entries()) {
    const desc = run(alloc_msi_entry(dev, nvec, null))!;
    Object.assign(desc.msi_attrib, { is_msix: true, entry_nr: entry });
    dev.msi_list.push(desc);
  }
  return { ...fake, domain, info, dev };
}

/** A callback that notes that it was called. */
const noted = (calls: string[], name: string, ret: number) => function* (): Op<number> {
  calls.push(name);
  return ret;
};

describe('the flags of an MSI domain (0.3)', () => {
  it('are bits 0 to 6 in v5.10', () => {
    const names = ['USE_DEF_DOM_OPS', 'USE_DEF_CHIP_OPS', 'MULTI_PCI_MSI', 'PCI_MSIX', 'ACTIVATE_EARLY', 'MUST_REACTIVATE', 'LEVEL_CAPABLE'] as const;
    assert.deepEqual(names.map(name => MSI_FLAG[name]), [1, 2, 4, 8, 16, 32, 64]);
  });
});

describe('the tokens of domains (0.7)', () => {
  it('are numbered as they end names: 3 is PCI_MSI, 10 VMD_MSI, 11 DEVICE_MSI', () => {
    const names = ['ANY', 'WIRED', 'GENERIC_MSI', 'PCI_MSI', 'PLATFORM_MSI', 'NEXUS', 'IPI', 'FSL_MC_MSI', 'TI_SCI_INTA_MSI', 'WAKEUP', 'VMD_MSI', 'DEVICE_MSI'];
    const tokens: Readonly<Record<string, number>> = DOMAIN_BUS;
    for (const [name, token] of Object.entries(tokens)) if (names.includes(name)) assert.equal(token, names.indexOf(name), name);
    assert.deepEqual([DOMAIN_BUS.PCI_MSI, DOMAIN_BUS.VMD_MSI, DOMAIN_BUS.DEVICE_MSI], [3, 10, 11]);
  });
});

describe('what msi_create_irq_domain() fills in (0.3)', () => {
  const filled = (kernel: Kernel, flags: number): string[] => {
    setUp({ kernel });
    const info: msi_domain_info = { flags, ops: {}, chip: { name: 'MSI', flags: 0 } };
    const domain = run(msi_create_irq_domain(run(irq_domain_alloc_named_fwnode('MSI')), info, null));
    assert.ok(domain.flags & IRQ_DOMAIN_FLAG.HIERARCHY, 'hierarchical without a parent, too (0.2)');
    return Object.keys(info.ops).sort();
  };

  it('is nothing in v5.9 without USE_DEF_DOM_OPS; in v5.10 the two that allocate and free', () => {
    assert.deepEqual(BOTH.map(kernel => filled(kernel, 0)), [[], ['domain_alloc_irqs', 'domain_free_irqs']]);
  });

  it('is in v5.9 on x86 neither get_hwirq, set_desc nor msi_prepare', () => {
    const all = ['get_hwirq', 'msi_check', 'msi_init', 'msi_prepare', 'set_desc'];
    assert.deepEqual(BOTH.map(kernel => filled(kernel, MSI_FLAG.USE_DEF_DOM_OPS)), [['msi_check', 'msi_init'], ['domain_alloc_irqs', 'domain_free_irqs', ...all].sort()]);
  });
});

for (const kernel of BOTH) {
  describe(`msi_domain_alloc_irqs() of ${kernel} (0.4)`, () => {
    it('asks msi_check, then msi_prepare, and returns what either says, also a number: nothing is allocated', () => {
      const asked = (check: number, prepare: number): [number, ...string[]] => {
        const calls: string[] = [];
        const b = bench(kernel, { ops: { msi_check: noted(calls, 'check', check), msi_prepare: noted(calls, 'prepare', prepare) } });
        const ret = run(msi_domain_alloc_irqs(b.domain, b.dev, 2));
        return [ret, ...calls, ...b.calls.filter(call => call === 'root.alloc')];
      };
      assert.deepEqual(asked(1, 0), [1, 'check']);
      assert.deepEqual(asked(0, 33), [33, 'check', 'prepare']);
      assert.deepEqual(asked(0, -ENOMEM), [-ENOMEM, 'check', 'prepare']);
      assert.deepEqual(asked(0, 0), [0, 'check', 'prepare', 'root.alloc', 'root.alloc']);
    });

    it('says -ENOSPC whatever has failed, asks handle_error, then msi_finish, and frees nothing itself', () => {
      const order: string[] = [];
      const b = bench(kernel, {
        ops: {
          *handle_error(_domain, _desc, error) { order.push(`handle_error ${error}`); return 1; },
          *msi_finish(_arg, ret) { order.push(`msi_finish ${ret}`); },
        },
      });
      b.fail.set('root.alloc', -ENOMEM);
      assert.equal(run(msi_domain_alloc_irqs(b.domain, b.dev, 2)), 1);
      assert.deepEqual(order, [`handle_error ${-ENOSPC}`, 'msi_finish 1']);
    });

    it('reserves only in a domain for PCI that activates again, where masks are the kernel\'s, for what can be masked', () => {
      const reserves = (set: (b: Bench) => void, options: Options = {}): boolean => {
        const b = bench(kernel, options);
        set(b);
        assert.equal(run(msi_domain_alloc_irqs(b.domain, b.dev, 2)), 0);
        return b.calls.includes('root.activate reserve');
      };
      const plain = (): void => { /* nothing else */ };
      const msi = (maskbit: boolean) => ({ dev }: Bench): void => { Object.assign(dev.msi_list[0].msi_attrib, { is_msix: false, maskbit }); };
      assert.equal(reserves(plain), true);
      assert.equal(reserves(() => { world.pci_msi_ignore_mask = true; }), false);
      assert.equal(reserves(plain, { token: DOMAIN_BUS.PLATFORM_MSI }), false);
      assert.equal(reserves(plain, { token: DOMAIN_BUS.VMD_MSI }), kernel === 'v5.10');
      assert.equal(reserves(plain, { flags: PCI & ~MSI_FLAG.MUST_REACTIVATE }), false);
      assert.deepEqual([reserves(msi(true)), reserves(msi(false))], [true, false]);
    });
  });

  describe(`a domain of messages of ${kernel} (0.5)`, () => {
    it('leaks the first of an allocation whose msi_init fails: msi_free is not called for it', () => {
      const freed: number[] = [];
      let inits = 0;
      const b = bench(kernel, {
        nvecs: [4],
        ops: {
          *msi_init() { return ++inits === 4 ? -ENOMEM : 0; },
          *msi_free(_domain, _info, virq) { freed.push(virq); },
        },
      });
      assert.equal(run(msi_domain_alloc_irqs(b.domain, b.dev, 4)), -ENOSPC);
      assert.deepEqual(freed, [26, 25]);
      assert.equal(irq_to_desc(24), null);
    });

    it('writes a message of zeros when it is deactivated', () => {
      const b = bench(kernel, { nvecs: [1], flags: PCI & ~MSI_FLAG.MUST_REACTIVATE });
      run(msi_domain_alloc_irqs(b.domain, b.dev, 1));
      run(irq_domain_deactivate_irq(irq_get_irq_data(24)!));
      assert.deepEqual(b.calls.filter(call => call.startsWith('write')), ['write 24: 0 0 24', 'write 24: 0 0 0']);
    });
  });
}

describe('irq_chip_compose_msi_msg() (0.6)', () => {
  const composed = (kernel: Kernel, chips: readonly ('MSI' | 'ROOT')[]): [number, number] => {
    const b = bench(kernel, { nvecs: [1] });
    run(msi_domain_alloc_irqs(b.domain, b.dev, 1));
    delete b.rootChip.irq_compose_msi_msg;
    if (chips.includes('ROOT')) b.rootChip.irq_compose_msi_msg = function* (_data, msg) { msg.data = 1; };
    if (chips.includes('MSI')) b.info.chip.irq_compose_msi_msg = function* (_data, msg) { msg.data = 2; };
    const msg = new msi_msg();
    const ret = run(irq_chip_compose_msi_msg(irq_get_irq_data(24)!, msg));
    return [ret, msg.data];
  };

  it('lets the innermost chip do it in v5.9, the outermost in v5.10', () => {
    assert.deepEqual(BOTH.map(kernel => composed(kernel, ['MSI', 'ROOT'])), [[0, 1], [0, 2]]);
  });

  it('finds the only one, wherever it is', () => {
    for (const kernel of BOTH) assert.deepEqual([composed(kernel, ['ROOT']), composed(kernel, ['MSI'])], [[0, 1], [0, 2]]);
  });

  it('says -ENOSYS where there is none', () => {
    for (const kernel of BOTH) assert.deepEqual(composed(kernel, []), [-ENOSYS, 0]);
  });
});
