import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Capture } from '../../src/capture/capture';
import { same, stateLines } from '../../src/capture/compare-state';
import { kprobes, kprobeText } from '../../src/capture/kprobes';
import { msi_desc_to_pci_dev } from '../../src/kernel/include/msi';
import { online_store } from '../../src/kernel/drivers/base/cpu';
import { AFFINITY_LIST, write_irq_affinity } from '../../src/kernel/irq/proc';
import type { World } from '../../src/kernel/world';
import { drain } from '../../src/scenario/drain';
import { ModelGuest } from '../../src/scenario/guest';
import { resumed } from '../text/resumed';

const FOLDER = 'test/captures';

const traceOf = (name: string): string => gunzipSync(readFileSync(join(FOLDER, name, 'trace-vectors.txt.gz'))).toString();

/** A resumed world lacks the DMAR unit's own interrupt, for which the kernel calls this too: it is left out where there is one. */
const counts = (name: string, event: string): boolean => !name.endsWith('intelir') || !event.startsWith('kp_force_complete');

/** Events of one CPU between a step's mark and the end of its command. */
function captured(name: string, step: string, cpu: number): string[] {
  const text = traceOf(name);
  const from = text.indexOf(`ORACLE: STEP ${step}`);
  const lines = text.slice(from, text.indexOf('ORACLE: TRY', from)).split('\n');
  return lines.flatMap(line => {
    const match = /\[(\d+)\] \S+ +\d+\.\d{6}: ((?:kp|irq_matrix|vector)_\w+): (.*)$/.exec(line);
    return match && Number(match[1]) === cpu && counts(name, match[2]) ? [`${match[2]}: ${kprobeText(match[3])}`] : [];
  });
}

/** What the script does before the first CPU goes: the network card's interrupt is sent to CPU 3, and arrives twice. */
function moveNic(world: World, name: string): void {
  const [, irq] = /.*WRITE \/proc\/irq\/(\d+)\/smp_affinity_list <- 3\n[^]*?STEP cpu-offline/.exec(traceOf(name).replace(/^[^]*DONE nvme-io/, ''))!;
  const dev = msi_desc_to_pci_dev(world.kernel.irq_desc_tree.get(Number(irq))!.irq_common_data.msi_desc);
  drain(new ModelGuest(world, []), 0, function* () {
    yield* write_irq_affinity(AFFINITY_LIST, Number(irq), '3');
  });
  for (let i = 0; i < 2; i++) {
    drain(new ModelGuest(world, []), 0, function* () {
      dev.hw.raise(0);
      yield { wait: 'window' };
    });
  }
}

function write(world: World, name: string, cpu: number, value: '0' | '1'): { result: number; events: string[] } {
  const from = world.kernel.trace.length;
  let result = NaN;
  drain(new ModelGuest(world, []), 0, function* () { result = yield* online_store(cpu, value); }, value === '0' ? kprobes(world) : undefined);
  const events = world.kernel.trace.slice(from).filter(e => e.cpu === cpu && counts(name, e.event));
  return { result, events: events.map(({ event, text }) => `${event}: ${text}`) };
}

/** Lines of irqlens.txt that are not the model's. Interrupts of virtio follow hints of a driver that a resumed world has not. */
const wrong = (world: World, capture: Capture, label: string): unknown[] =>
  stateLines(world, capture, label).filter(line => line.where.startsWith('irqlens') && !same(line) && !isVirtio(world, line.irq));

const isVirtio = ({ kernel }: World, irq: number | undefined): boolean => irq !== undefined && (kernel.irq_desc_tree.get(irq)?.action?.name.startsWith('virtio') ?? false);

const CAPTURES = ['5.10.0-32-n-4cpu-1nvme-min', '5.10.0-32-n-4cpu-1nvme-min-intelir', '5.10.0-32-b-4cpu-noiommu', '5.10.0-32-c-4cpu-intelir'];

describe('a CPU that goes offline and comes back', () => {
  for (const name of CAPTURES) {
    for (const [cpu, before, offline, online] of [[3, 'nvme-io', 'cpu-offline', 'cpu-online'], [1, 'cpu-online', 'cpu1-offline', 'cpu1-online']] as const) {
      it(`leaves and gets what CPU ${cpu} of ${name} did, call by call`, () => {
        const { world, capture } = resumed(join(FOLDER, name), before);
        if (cpu === 3) moveNic(world, name);

        const down = write(world, name, cpu, '0');
        assert.equal(down.result, 1);
        assert.deepEqual(down.events, captured(name, offline, cpu));
        assert.deepEqual(wrong(world, capture, offline), []);

        const up = write(world, name, cpu, '1');
        assert.equal(up.result, 1);
        assert.deepEqual(up.events, captured(name, online, cpu));
        assert.deepEqual(wrong(world, capture, online), []);
      });
    }
  }
});
