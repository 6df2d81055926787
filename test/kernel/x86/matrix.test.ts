import assert from 'node:assert/strict';
import {
  irq_matrix, irq_matrix_alloc, irq_matrix_alloc_managed, irq_matrix_assign, irq_matrix_assign_system, irq_matrix_free, irq_matrix_offline, irq_matrix_online,
  irq_matrix_remove_managed, irq_matrix_reserve, irq_matrix_reserve_managed,
} from '../../../src/kernel/irq/matrix';
import { cpumask } from '../../../src/kernel/lib/cpumask';
import { EINVAL, ENOSPC } from '../../../src/kernel/lib/errno';
import { enterWorld, type World } from '../../../src/kernel/world';
import { plain, powerOn, run } from './machines';

const CPUS = 4;

const warnings = (world: World): string[] => world.kernel.log.map(({ text }) => text);

describe('irq_matrix', () => {
  let world: World;
  let m: irq_matrix;
  const on = (cpu: number): void => run(world, cpu, () => irq_matrix_online(m));
  const off = (cpu: number): void => run(world, cpu, () => irq_matrix_offline(m));
  const mask = (...cpus: number[]): cpumask => cpumask.of(CPUS, ...cpus);
  const alloc = (...cpus: number[]) => run(world, 0, () => irq_matrix_alloc(m, mask(...cpus), false));
  const reserveManaged = (...cpus: number[]) => run(world, 0, () => irq_matrix_reserve_managed(m, mask(...cpus)));
  const allocManaged = (...cpus: number[]) => run(world, 0, () => irq_matrix_alloc_managed(m, mask(...cpus)));
  const free = (cpu: number, bit: number, managed = false): void => run(world, 0, () => irq_matrix_free(m, cpu, bit, managed));

  /** With the cleanup vector as a system bit, so that the first free one is 33. */
  beforeEach(() => {
    world = powerOn(plain(CPUS));
    enterWorld(world, 0);
    m = new irq_matrix(256, 32, 236, CPUS);
    run(world, 0, () => irq_matrix_assign_system(m, 32, false));
    for (let cpu = 0; cpu < CPUS; cpu++) on(cpu);
  });

  it('counts system bits only inside the range that is allocated from', () => {
    const fresh = new irq_matrix(256, 32, 236, CPUS);
    for (const bit of [0, 32, 128, 236, 255]) run(world, 0, () => irq_matrix_assign_system(fresh, bit, false));
    assert.equal(fresh.systembits_inalloc, 2);
    run(world, 0, () => irq_matrix_online(fresh));
    assert.equal(fresh.global_available, 202);
  });

  it('refuses a new system vector once a CPU is online, and any once two are', () => {
    assert.throws(() => run(world, 0, () => irq_matrix_assign_system(m, 40, false)), /kernel BUG/);
    assert.throws(() => run(world, 0, () => irq_matrix_assign_system(m, 40, true)), /kernel BUG/);
  });

  it('replaces an allocated bit by a system vector without making it available', () => {
    const fresh = new irq_matrix(256, 32, 236, CPUS);
    run(world, 0, () => irq_matrix_online(fresh));
    run(world, 0, () => irq_matrix_assign(fresh, 48));
    run(world, 0, () => irq_matrix_assign_system(fresh, 48, true));
    assert.deepEqual([fresh.maps[0].available, fresh.maps[0].allocated, fresh.total_allocated, fresh.global_available], [203, 0, 0, 203]);
  });

  it('takes the lowest bit of the CPU with most available, of equals the first CPU', () => {
    assert.deepEqual(alloc(1, 2, 3), { cpu: 1, bit: 33 });
    assert.deepEqual(alloc(1, 2, 3), { cpu: 2, bit: 33 });
    assert.deepEqual(alloc(1, 2), { cpu: 1, bit: 34 });
    assert.deepEqual(alloc(0, 1, 2, 3), { cpu: 0, bit: 33 });
  });

  it('fills a hole before it goes on', () => {
    for (let i = 0; i < 3; i++) alloc(0);
    free(0, 34);
    assert.deepEqual(alloc(0), { cpu: 0, bit: 34 });
    assert.deepEqual(alloc(0), { cpu: 0, bit: 36 });
  });

  it('answers -EINVAL for no CPU at all and -ENOSPC for none online', () => {
    off(3);
    assert.equal(alloc(), -EINVAL);
    assert.equal(alloc(3), -ENOSPC);
    assert.equal(allocManaged(), -EINVAL);
    assert.equal(allocManaged(3), -ENOSPC);
  });

  it('answers -ENOSPC when the last of 203 bits of a CPU is taken', () => {
    for (let i = 0; i < 203; i++) assert.notEqual(alloc(2), -ENOSPC);
    assert.equal(alloc(2), -ENOSPC);
    assert.equal(m.maps[2].alloc_map.toString(), '33-235');
  });

  it('sets managed bits aside on offline CPUs too, where they count when the CPU comes', () => {
    const fresh = new irq_matrix(256, 32, 236, CPUS);
    run(world, 0, () => irq_matrix_online(fresh));
    assert.equal(run(world, 0, () => irq_matrix_reserve_managed(fresh, mask(0, 1))), 0);
    assert.deepEqual([fresh.global_available, fresh.maps[1].available, fresh.maps[1].managed], [203, 0, 1]);
    run(world, 1, () => irq_matrix_online(fresh));
    assert.deepEqual([fresh.global_available, fresh.maps[1].available], [406, 203]);
  });

  it('gives back what it set aside when one CPU of the mask has no room', () => {
    for (let i = 0; i < 203; i++) alloc(2);
    assert.equal(reserveManaged(0, 1, 2, 3), -ENOSPC);
    assert.deepEqual(m.maps.map(({ managed }) => managed), [0, 0, 0, 0]);
    assert.equal(m.maps[0].available, 203);
    assert.deepEqual(world.kernel.log, []);
  });

  it('takes a managed bit on the CPU with fewest in use, of equals the last CPU, and leaves available alone', () => {
    reserveManaged(0, 1, 2);
    reserveManaged(0, 1, 2);
    const available = m.global_available;
    assert.deepEqual(allocManaged(0, 1, 2), { cpu: 2, bit: 33 });
    assert.deepEqual(allocManaged(0, 1, 2), { cpu: 1, bit: 33 });
    assert.deepEqual(allocManaged(1, 2), { cpu: 2, bit: 34 });
    assert.equal(m.global_available, available);
    assert.equal(allocManaged(2), -ENOSPC);
  });

  it('removes any managed bit that is not in use, and warns when all are', () => {
    reserveManaged(0);
    reserveManaged(0);
    allocManaged(0);
    run(world, 0, () => irq_matrix_remove_managed(m, mask(0)));
    assert.equal(m.maps[0].managed_map.toString(), '33');
    assert.deepEqual(world.kernel.log, []);
    run(world, 0, () => irq_matrix_remove_managed(m, mask(0)));
    assert.equal(m.maps[0].managed, 1);
    assert.ok(warnings(world).some(text => /^WARNING.*irq_matrix_remove_managed/.test(text)));
  });

  it('keeps a managed bit set aside when it is freed', () => {
    reserveManaged(1);
    allocManaged(1);
    free(1, 33, true);
    assert.deepEqual([m.maps[1].managed, m.maps[1].managed_allocated, m.maps[1].available], [1, 0, 202]);
    assert.deepEqual(alloc(1), { cpu: 1, bit: 34 });
  });

  it('brings an offline CPU back as it left', () => {
    alloc(3);
    off(3);
    assert.deepEqual([m.online_maps, m.global_available, m.maps[3].allocated], [3, 3 * 203, 1]);
    on(3);
    assert.deepEqual([m.online_maps, m.global_available], [4, 4 * 203 - 1]);
  });

  it('does not count what is freed on an offline CPU as available', () => {
    alloc(3);
    off(3);
    free(3, 33);
    assert.deepEqual([m.total_allocated, m.global_available, m.maps[3].available], [1, 3 * 203, 203]);
  });

  it('warns once when reservations begin to exceed what is available, and grants them', () => {
    for (let i = 0; i < 4 * 203 + 2; i++) run(world, 0, () => irq_matrix_reserve(m));
    assert.deepEqual(world.kernel.log.map(({ text }) => text), ['Interrupt reservation exceeds available resources']);
    assert.equal(m.global_reserved, 814);
  });

  it('turns a reservation into an allocation', () => {
    run(world, 0, () => irq_matrix_reserve(m));
    run(world, 0, () => irq_matrix_alloc(m, mask(0), true));
    assert.equal(m.global_reserved, 0);
  });
});
