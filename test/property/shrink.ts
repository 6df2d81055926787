// What fails, made smaller as long as it still fails the same way.
import type { Head } from './machines';
import type { Draw } from './operations';

export interface Drawn {
  readonly head: Head;
  readonly draws: readonly Draw[];
}

/** Simpler machines, the simplest first. */
function* simplerHeads(head: Head): Generator<Head> {
  const { machine } = head;
  const withMachine = (change: Partial<Head['machine']>): Head => ({ ...head, machine: { ...machine, ...change } });
  const count = machine.devices.length;
  for (const cpus of [1, 2, 3, machine.cpus >> 1, machine.cpus - 1]) {
    if (cpus >= 1 && cpus < machine.cpus) yield { ...withMachine({ cpus, nodes: 1, devices: machine.devices.map(device => ({ ...device, node: undefined })) }), cmdline: head.cmdline.replace(/isolcpus=\S+/, '') };
  }
  if (count > 1) for (let i = 0; i < count; i++) yield withMachine({ devices: machine.devices.filter((_, j) => j !== i) });
  if (machine.remap !== 'none') yield withMachine({ remap: 'none' });
  if (machine.x2apic) yield withMachine({ x2apic: false });
  if (machine.nodes !== 1) yield withMachine({ nodes: 1, devices: machine.devices.map(device => ({ ...device, node: undefined })) });
  if (machine.devices.some(({ node }) => node !== undefined)) yield withMachine({ devices: machine.devices.map(device => ({ ...device, node: undefined })) });
  if (head.cmdline !== '') yield { ...head, cmdline: '' };
}

/** Fewer operations: ever smaller parts are left out. */
function withoutParts(draws: readonly Draw[], fails: (draws: readonly Draw[]) => boolean): readonly Draw[] {
  for (let size = draws.length >> 1; size >= 1; size >>= 1) {
    for (let at = draws.length - size; at >= 0; at -= size) {
      const rest = [...draws.slice(0, at), ...draws.slice(at + size)];
      if (fails(rest)) draws = rest;
    }
  }
  return draws;
}

/** @param fails whether it still fails as it did @returns the smallest that was found: nothing more can be left out alone */
export function shrink(drawn: Drawn, fails: (drawn: Drawn) => boolean): Drawn {
  let { head, draws } = drawn;
  for (let before = ''; before !== JSON.stringify([head, draws]); ) {
    before = JSON.stringify([head, draws]);
    draws = withoutParts(draws, rest => fails({ head, draws: rest }));
    for (const simpler of simplerHeads(head)) {
      if (!fails({ head: simpler, draws })) continue;
      head = simpler;
      break;
    }
    for (let i = 0; i < draws.length; i++) {
      const replaced = (draw: Draw): Draw[] => [...draws.slice(0, i), draw, ...draws.slice(i + 1)];
      draws = replaced(plainer(draws[i], draw => fails({ head, draws: replaced(draw) })));
    }
  }
  return { head, draws };
}

/** Smaller numbers, one by one. */
function plainer(draw: Draw, fails: (draw: Draw) => boolean): Draw {
  for (const key of ['device', 'vector', 'cpu'] as const) {
    for (const value of [0, 1]) {
      if (draw[key] > value && fails({ ...draw, [key]: value })) {
        draw = { ...draw, [key]: value };
        break;
      }
    }
  }
  return draw;
}
