import assert from 'node:assert/strict';
import { CPUHP } from '../../src/kernel/include/cpuhotplug';
import { irqd_is_managed_and_shutdown, irqd_is_setaffinity_pending } from '../../src/kernel/include/irq';
import { EACCES, EINVAL, ENOSPC } from '../../src/kernel/lib/errno';
import { loadScenario } from '../../src/scenario/load';
import { functionsNamed } from '../../src/stepper/registry';
import { Stepper } from '../../src/stepper/stepper';
import { readTextFile } from '../../src/text/files';
import { play } from './play';

const NVME = 'machine: { cpus: 4, devices: [{ name: nvme0, kind: nvme, address: 00:04.0 }] }';
const CARD = 'machine: { cpus: 4, devices: [{ name: card, kind: custom, address: 00:04.0, msix: 4 }] }';
const ON_CARD = ['alloc: { device: card, min: 1, max: 1, flags: [PCI_IRQ_MSIX] }', 'request: { device: card }'];

describe('a CPU', () => {
  it('is refused to go when its vectors fit nowhere else, and is up again after that', async () => {
    // 2 x 201 vectors: the timer's, six of a PC's old devices and all others, requested one by one.
    const head = 'machine: { cpus: 2, devices: [{ name: big, kind: custom, address: 00:04.0, msix: 1000 }] }\ndrivers: { big: { alloc: { min: 1, max: 396, flags: [PCI_IRQ_MSIX] }, request: ["big-%d"] } }';
    const run = await play(head, ['probe: { device: big, driver: big }', 'offline: 1']);
    assert.deepEqual([run.results[0], run.results[1]], [0, -ENOSPC]);
    assert.equal(run.log.at(-1), 'CPU 1 has 201 vectors, 0 available. Cannot disable CPU');
    const { cpuhp_state, cpus, cpu_online_mask } = run.guest.world.kernel;
    assert.deepEqual([cpuhp_state[1].state, cpus[1].irqs_enabled, cpu_online_mask.toString()], [CPUHP.ONLINE, true, '0-1']);
  });

  it('says so when reservations may no longer be kept', async () => {
    const head = 'machine: { cpus: 2, devices: [{ name: big, kind: custom, address: 00:04.0, msix: 1000 }] }';
    const run = await play(head, ['alloc: { device: big, min: 300, max: 300, flags: [PCI_IRQ_MSIX] }', 'offline: 1']);
    assert.deepEqual(run.results, [300, 0]);
    // 201 less the three in use on CPU 0; nine lines of the old devices and the device's own are reserved too
    assert.ok(run.log.includes('Reserved vectors 310 > available 198. IRQ request may fail'));
  });

  it('that boots the others stays, one that is offline may go again', async () => {
    const run = await play(NVME, ['offline: 0', 'offline: 2', 'offline: 2', 'online: 2', 'online: 2']);
    assert.deepEqual(run.results, [-EACCES, 0, 0, 0, 0]);
    assert.equal(readTextFile(run.guest.world, '/sys/devices/system/cpu/online'), '0-3\n');
    const gone = await play(NVME, ['offline: 2']);
    assert.deepEqual(['online', 'offline', 'cpu2/online', 'cpu3/online'].map(name => readTextFile(gone.guest.world, `/sys/devices/system/cpu/${name}`)), ['0-1,3\n', '2\n', '0\n', '1\n']);
  });

  it('runs what the hotplug code does in the tasks that have its name', async () => {
    const run = await play(NVME, ['probe: nvme0', 'offline: 3', 'online: 3']);
    const online = run.guest.world.kernel.trace.filter(e => e.cpu === 3).map(e => e.event);
    // Nothing of CPU 3 is traced between its leaving the mask and its return; then its managed interrupt starts.
    assert.deepEqual(online.slice(-6), ['irq_matrix_online', 'vector_activate', 'irq_matrix_alloc_managed', 'vector_alloc_managed', 'vector_update', 'vector_config']);
  });
});

describe('a run with a CPU that goes', () => {
  it('is the same at a step, whether it came there forwards or back', async () => {
    const loaded = loadScenario('examples/cpu-offline.irq.yaml');
    assert.ok(loaded.ok);
    const stepper = new Stepper(loaded.make);
    // the other CPUs wait in multi_cpu_stop()
    stepper.setMarks(functionsNamed('migrate_one_irq').flatMap(fn => stepper.probesAt(fn.module.path, fn.line).map(p => p.id)));
    assert.equal((await stepper.run({ kind: 'continue' })).reason, 'breakpoint');
    const here = [stepper.step, stepper.guest.hash(), stepper.threads().map(({ name }) => name)] as const;
    assert.deepEqual(here[2].slice(0, 5), ['migration/3', 'sh', 'migration/0', 'migration/1', 'migration/2']);

    stepper.setMarks([]);
    assert.equal((await stepper.run({ kind: 'continue' })).reason, 'end');
    await stepper.run({ kind: 'toStep', step: here[0] });
    assert.deepEqual([stepper.step, stepper.guest.hash(), stepper.threads().map(({ name }) => name)], here);
  });
});

describe('a managed interrupt', () => {
  it('waits for its CPU, and starts on the vector that was kept for it', async () => {
    const before = await play(NVME, ['probe: nvme0']);
    const down = await play(NVME, ['probe: nvme0', 'offline: 3']);
    assert.deepEqual([before.place(28), down.place(28), irqd_is_managed_and_shutdown(down.desc(28).irq_data)], ['3:34', '-', true]);
    const up = await play(NVME, ['probe: nvme0', 'offline: 3', 'online: 3']);
    assert.deepEqual([up.place(28), irqd_is_managed_and_shutdown(up.desc(28).irq_data)], ['3:34', false]);
  });

  it('that is requested while its CPU is offline comes up with it', async () => {
    const run = await play(NVME, ['offline: 3', 'probe: nvme0', 'online: 3', 'raise: { device: nvme0, entry: 4 }']);
    assert.deepEqual([run.place(28), run.desc(28).tot_count], ['3:33', 1]);
    // The reservation was made while CPU 3 was offline: the kernel counts that CPU's vectors one too many.
    assert.deepEqual(run.guest.findings.violations.map(({ violation }) => violation.invariant), ['I1']);
    assert.equal(run.stop.reason, 'end');
  });
});

describe('an interrupt that anybody may move', () => {
  it('may go anywhere once its only CPU is gone, and does not come back', async () => {
    const run = await play(CARD, [...ON_CARD, 'affinity: { device: card, cpus: 2 }', 'raise: card', 'raise: card', 'offline: 2', 'online: 2']);
    assert.ok(run.log.includes('IRQ 24: no longer affine to CPU2'));
    assert.equal(run.desc(24).irq_common_data.affinity.toString(), '0-1,3');
    assert.notEqual(run.place(24).split(':')[0], '2');
  });

  it('cannot be sent to CPUs of which none is online', async () => {
    const run = await play(CARD, [...ON_CARD, 'offline: 3', 'affinity: { device: card, cpus: 3 }', 'affinity: { device: card, cpus: "2-3" }', 'raise: card']);
    assert.deepEqual([run.results.slice(3, 5), run.place(24).split(':')[0]], [[-EINVAL, 0], '2']);
  });

  it('goes where a move was pending to', async () => {
    const run = await play(CARD, [...ON_CARD, 'affinity: { device: card, cpus: 2 }', 'raise: card', 'raise: card', 'affinity: { device: card, cpus: 1 }', 'offline: 2']);
    assert.deepEqual([run.place(24).split(':')[0], irqd_is_setaffinity_pending(run.desc(24).irq_data)], ['1', false]);
    assert.ok(!run.log.some(text => text.includes('no longer affine')));
  });

  it('forgets a move that was pending to the CPU that goes', async () => {
    const run = await play(CARD, [...ON_CARD, 'affinity: { device: card, cpus: 1 }', 'raise: card', 'raise: card', 'affinity: { device: card, cpus: 3 }', 'offline: 3', 'raise: card']);
    assert.deepEqual([run.place(24).split(':')[0], irqd_is_setaffinity_pending(run.desc(24).irq_data)], ['1', false]);
  });
});

describe('an MSI that cannot be masked', () => {
  const EDU = 'machine: { cpus: 4, devices: [{ name: edu, kind: edu, address: 00:08.0 }] }';

  it('has a vector from its allocation on; unrequested, it loses its entry in the table of a CPU that goes and comes', async () => {
    const alloc = 'alloc: { device: edu, min: 1, max: 1, flags: [PCI_IRQ_MSI] }';
    const cpu = (await play(EDU, [alloc])).place(24).split(':')[0];
    const run = await play(EDU, [alloc, `offline: ${cpu}`, `online: ${cpu}`, 'request: { device: edu }', 'raise: edu']);
    assert.match(run.log.at(-1)!, new RegExp(`^common_interrupt: ${cpu}\\.\\d+ No irq handler for vector$`));
    assert.ok(run.guest.findings.violations.every(({ violation }) => violation.invariant === 'I10' && violation.known !== undefined));
  });
});
