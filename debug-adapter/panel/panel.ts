// The panel's requests.
import { readTextFile, textFiles } from '../../src/text/files';
import { neverMerged } from '../../src/kernel/changes';
import { gone, RequestError } from '../protocol/errors';
import type { PanelRequests, Section, Snapshot, SnapshotArguments } from '../panel-protocol';
import { chainOf, currentOf } from './panel-interrupt';
import { domainsOf } from './panel-domains';
import { matrixOf, vectorsOf } from './panel-vectors';
import { seriesOf } from './panel-series';
import { request } from '../protocol/registry';
import type { Session } from '../session';
import { irqOf } from '../variables/interrupt';

const SECTIONS: readonly Section[] = ['domains', 'chain', 'current', 'matrix', 'series'];

const SNAPSHOT = { sections: ['string'], 'irq?': 'number', 'frameId?': 'number' } as const;

export const panelRequests = [
  request('irqstep/snapshot', { args: SNAPSHOT, stopped: true }, ({ sections, ...args }, session) => snapshot({ ...args, sections: sections.map(known) }, session)),

  request('irqstep/vectors', { args: { cpu: 'number' }, stopped: true }, ({ cpu }, { run }): PanelRequests['irqstep/vectors']['body'] => {
    const { machine } = run!.world;
    if (!machine.cpus[cpu]) throw new RequestError(`irqstep/vectors: there is no CPU ${cpu}; there are CPUs 0 to ${machine.cpus.length - 1}`);
    return { cpu, vectors: vectorsOf(run!.world, cpu) };
  }),

  request('irqstep/textFiles', { args: {}, stopped: true }, (_args, { run }): PanelRequests['irqstep/textFiles']['body'] => ({ paths: textFiles(run!.world).map(file => file.path) })),

  request('irqstep/textFile', { args: { path: 'string' }, stopped: true }, ({ path }, { run }): PanelRequests['irqstep/textFile']['body'] => {
    try {
      return { path, content: readTextFile(run!.world, path) };
    } catch (error) {
      throw new RequestError((error as Error).message);
    }
  }),
];

function known(section: string): Section {
  const found = SECTIONS.find(one => one === section);
  if (!found) throw new RequestError(`irqstep/snapshot: there is no section ${section}; there are ${SECTIONS.join(', ')}`);
  return found;
}

function snapshot({ sections, irq, frameId }: { [K in keyof SnapshotArguments]: SnapshotArguments[K] | undefined } & Pick<SnapshotArguments, 'sections'>, { run: launched, changes }: Session): Snapshot {
  const run = launched!;
  const { world } = run;
  const frames = frameId === undefined ? run.stepper.frames(run.thread) : run.framesFrom(frameId);
  if (!frames) throw gone(`frame ${frameId!}`);
  const selected = irq ?? irqOf(frames, world.kernel);
  const wants = (section: Section): boolean => sections.includes(section);
  const note = neverMerged(world.changes);
  return {
    step: run.stepper.step,
    kernel: run.kernel,
    ...(note === undefined ? {} : { kernelNote: note }),
    irq: selected ?? null,
    ...(selected === undefined ? { note: 'no frame of this stack is about an interrupt: choose one' } : {}),
    ...(wants('domains') ? domainsOf(world, changes) : {}),
    ...(wants('chain') ? { chain: chainOf(world, selected, changes) } : {}),
    ...(wants('current') ? { current: currentOf(frames, world, selected, changes) } : {}),
    ...(wants('matrix') ? { matrix: matrixOf(world, changes) } : {}),
    ...(wants('series') ? { series: seriesOf(world.changes) } : {}),
  };
}
