import assert from 'node:assert/strict';
import { readCapture, type Capture } from '../../src/capture/capture';
import { planOf } from '../../src/capture/replay/plan';
import { replayOf } from '../../src/capture/verify';
import type { World } from '../../src/kernel/world';

/** A capture's world, performed from power-on up to a snapshot. */
export function replayed(name: string, label: string): { world: World; capture: Capture } {
  const capture = readCapture(`test/captures/${name}`);
  const { items, problems } = planOf(capture);
  const end = items.findIndex(({ kind, text }) => kind === 'snapshot' && text === label) + 1;
  assert.ok(end > 0, `${name} has no snapshot ${label}`);
  const replay = replayOf(capture, { items: items.slice(0, end), problems }, () => undefined);
  assert.deepEqual(replay.differences, []);
  return { world: replay.world, capture };
}
