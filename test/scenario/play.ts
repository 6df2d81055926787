// A scenario from its text to its end.
import assert from 'node:assert/strict';
import { apic_chip_data_of } from '../../src/kernel/arch/x86/apic/apic_chip_data';
import type { irq_desc } from '../../src/kernel/include/irqdesc';
import { loadScenario, type ScenarioGuest } from '../../src/scenario/load';
import { Stepper, type StopEvent } from '../../src/stepper/stepper';

export interface Played {
  readonly guest: ScenarioGuest;
  readonly stop: StopEvent;
  /** of the actions, in order */
  readonly results: readonly number[];
  readonly log: readonly string[];
  desc(irq: number): irq_desc;
  /** "CPU:vector", "-" for none */
  place(irq: number): string;
}

/** @param steps YAML of the steps, one a line @param head YAML before them */
export async function play(head: string, steps: readonly string[], { kernel = 'v5.10.223', check = true } = {}): Promise<Played> {
  return playFile('x.irq.yaml', `${head}\nsteps:\n${steps.map(step => `  - ${step}\n`).join('')}`, kernel, check);
}

/** @param text if it is not the file's on disk @param kernel if it is not the file's own */
export async function playFile(path: string, text?: string, kernel?: string, check = true): Promise<Played> {
  const loaded = loadScenario(path, text, { ...(kernel !== undefined && { kernel }), check });
  assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.diagnostics));
  const guests: ScenarioGuest[] = [];
  const stepper = new Stepper(host => {
    const made = loaded.make(host);
    guests.push(made);
    return made;
  });
  stepper.setMarks([]);
  const stop = await stepper.run({ kind: 'continue' });
  const guest = guests.at(-1)!;
  const desc = (irq: number): irq_desc => guest.world.kernel.irq_desc_tree.get(irq)!;
  return {
    guest,
    stop,
    results: guest.results.map(({ value }) => value),
    log: guest.world.kernel.log.filter(({ level }) => level !== 'debug').map(l => l.text),
    desc,
    place: irq => {
      const { cpu, vector } = apic_chip_data_of(desc(irq).irq_data)!;
      return vector === 0 ? '-' : `${cpu}:${vector}`;
    },
  };
}
