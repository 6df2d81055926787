// irq_set_auxdata() and msi_irq_vector(), posted in 2021 and never merged: facts 5.7.
import assert from 'node:assert/strict';
import { device, subdevice } from '../../../src/kernel/include/device';
import { msi_desc } from '../../../src/kernel/include/msi';
import type { irq_data } from '../../../src/kernel/include/irq';
import { dev_msi_hwirq, irq_set_auxdata, msi_irq_vector } from '../../../src/kernel/irq/auxdata';
import { irq_domain_alloc_irqs } from '../../../src/kernel/irq/irqdomain';
import { EINVAL, ENODEV } from '../../../src/kernel/lib/errno';
import { run, setUp, warnings } from '../run';
import { type Fake, fakeDomains } from './fake';

describe('irq_set_auxdata()', () => {
  let fake: Fake;
  let irq: number;
  beforeEach(() => {
    setUp();
    fake = fakeDomains();
    irq = run(irq_domain_alloc_irqs(fake.bus, 1, -1, null));
  });
  const taking = (asked: string[]) =>
    function* irq_set_auxdata(data: irq_data, which: number, val: number) {
      asked.push(`${data.domain!.name} ${which} ${val}`);
      return 0;
    };

  it('says -EINVAL of an irq that is not there', () => assert.equal(run(irq_set_auxdata(irq + 1, 0, 8)), -EINVAL));

  it('says -ENODEV where no chip of the hierarchy has the callback', () => assert.equal(run(irq_set_auxdata(irq, 0, 8)), -ENODEV));

  it('asks the outermost chip that has the callback', () => {
    const asked: string[] = [];
    fake.rootChip.irq_set_auxdata = taking(asked);
    assert.equal(run(irq_set_auxdata(irq, 0, 8)), 0);
    fake.busChip.irq_set_auxdata = taking(asked);
    assert.equal(run(irq_set_auxdata(irq, 1, 16)), 0);
    assert.deepEqual(asked, [`${fake.root.name} 0 8`, `${fake.bus.name} 1 16`]);
  });

  it('holds the bus lock of the outermost chip meanwhile', () => {
    fake.busChip.irq_bus_lock = function* () { fake.calls.push('lock'); };
    fake.busChip.irq_bus_sync_unlock = function* () { fake.calls.push('unlock'); };
    fake.busChip.irq_set_auxdata = function* () { fake.calls.push('auxdata'); return 0; };
    fake.calls.length = 0;
    run(irq_set_auxdata(irq, 0, 8));
    assert.deepEqual(fake.calls, ['lock', 'auxdata', 'unlock']);
  });
});

describe('msi_irq_vector() and dev_msi_hwirq()', () => {
  it('count a device\'s messages from 0, say -EINVAL behind the last, and warn of that once each', () => {
    const world = setUp();
    const accel = new (class extends device { readonly name = 'accel'; })(-1);
    const part = new subdevice('mdev0', accel, 0);
    const attrib = { is_msix: false, multiple: 0, multi_cap: 0, maskbit: false, is_64: false, is_virtual: false, entry_nr: 0, default_irq: 0 };
    part.msi_list = [30, 31].map(irq => Object.assign(new msi_desc(part, 1, null, attrib), { irq, device_msi: { priv: null, priv_iomem: 0, hwirq: irq - 20 } }));
    assert.deepEqual([0, 1, 2, 2].map(nr => run(msi_irq_vector(part, nr))), [30, 31, -EINVAL, -EINVAL]);
    assert.deepEqual([0, 1, 2, 2].map(nr => run(dev_msi_hwirq(part, nr))), [10, 11, -EINVAL, -EINVAL]);
    assert.deepEqual(warnings(world).flatMap(text => /^WARNING: .*\b(\w+)(?:\(\))?$/.exec(text)?.[1] ?? []), ['msi_irq_vector', 'dev_msi_hwirq']);
  });
});
