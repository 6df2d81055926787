import assert from 'node:assert/strict';
import { offersAt } from '../../src/scenario/complete';

/** The labels offered at the `|`. */
function offers(text: string): string[] {
  const offset = text.indexOf('|');
  return offersAt(text.slice(0, offset) + text.slice(offset + 1), offset).map((o) => o.label);
}

describe('completion in a scenario', () => {
  it('offers the keys of the map that the cursor is in', () => {
    assert.deepEqual(offers('ti|'), ['title', 'about', 'kernel', 'cmdline', 'config', 'machine', 'drivers', 'modules', 'steps']);
    assert.ok(offers('machine:\n  re|\nsteps:\n  - boot\n').includes('remap'));
    assert.deepEqual(offers('machine:\n  devices:\n    - { name: a, msi: { v| } }\n'), ['vectors', 'maskable', 'addr64']);
  });

  it('offers the values of the key before the cursor', () => {
    assert.deepEqual(offers('kernel: |\n'), ['v5.9', 'v5.10', 'v5.10.223', 'v5.10+device-msi', 'v5.10+ims-repost']);
    assert.ok(offers('kernel:\n  base: v5.10\n  without: [v2|]\nsteps: [boot]\n').includes('v2-04'));
    assert.ok(offers('machine:\n  remap: i|\n').includes('intel'));
    assert.deepEqual(offers('machine:\n  x2apic: |\n'), ['true', 'false']);
  });

  it('offers the names of the devices that the machine has', () => {
    assert.deepEqual(offers('machine:\n  devices:\n    - { name: disk }\n    - { name: net }\nsteps:\n  - probe: |\n'), ['disk', 'net']);
    assert.deepEqual(offers('machine:\n  devices:\n    - { name: disk }\nsteps:\n  - raise: { device: |, entry: 0 }\n'), ['disk']);
  });

  it('offers nothing inside a comment, and survives text that is no YAML', () => {
    assert.deepEqual(offers('# ker|\n'), []);
    assert.deepEqual(offers('a: [b: }: |'), []);
  });
});
