import { parseCpuinfo } from './boot';
import { linesOf, type Section } from './files';
import type { InterruptTable, SysIrqs } from './interrupts';
import type { ScriptAction, Script } from './script';
import { placeOf } from './script';
import type { CpumapState, Snapshot } from './snapshot';

// What a capture says in two places must be the same thing: where it is not, no model can be right.

/** The parts of a capture that are held against each other. */
export interface Witnesses {
  readonly cpuinfo: string;
  readonly script: Script;
  readonly snapshots: readonly Snapshot[];
  readonly interrupts: readonly InterruptTable[];
  readonly sysIrqs: readonly SysIrqs[];
}

/** @returns a sentence for each, with both places */
export function contradictionsOf(witnesses: Witnesses): string[] {
  const { snapshots, interrupts, sysIrqs } = witnesses;
  return [
    ...unknownCpus(witnesses),
    ...snapshots.flatMap(wrongSums),
    ...snapshots.flatMap(snapshot => onlineElsewhere(snapshot, interrupts.find(({ label }) => label === snapshot.label))),
    ...snapshots.flatMap(section => twice('irqlens.txt', section, /^(irq \d+)$/)),
    ...interrupts.flatMap(section => twice('proc-interrupts.txt', section, /^\s*(\w+):/)),
    ...sysIrqs.flatMap(section => twice('sys-kernel-irq.txt', section, /^(\d+)\|/)),
  ];
}

/** cpuinfo.txt is taken at the end of the boot: until a command brings another one up, nothing runs on CPUs that it has not. */
function unknownCpus({ cpuinfo, script: { events, steps } }: Witnesses): string[] {
  const cpus = parseCpuinfo(cpuinfo).map(({ cpu }) => cpu);
  if (cpus.length === 0) return [];
  const lastLine = linesOf(cpuinfo).map(line => line.startsWith('processor')).lastIndexOf(true) + 1;
  const brought = steps.flatMap(({ actions }) => actions).flatMap(cpuBroughtUp);
  const stranger = events.find(({ cpu, line }) => !cpus.includes(cpu) && !brought.some(up => up.cpu === cpu && up.line <= line));
  if (!stranger) return [];
  const { file, line } = placeOf(stranger.line);
  return [`${file}:${line} is of CPU ${stranger.cpu}, but cpuinfo.txt:${lastLine} is the last of ${cpus.length} CPUs, ${Math.max(...cpus)} the highest, and no command brought another one up`];
}

const cpuBroughtUp = ({ text, start }: ScriptAction): { cpu: number; line: number }[] => {
  const cpu = /^echo 1 > .*\/cpu(\d+)\/online$/.exec(text)?.[1];
  return cpu === undefined ? [] : [{ cpu: Number(cpu), line: start.line }];
};

/** The totals of a matrix are those of its maps, and a map's numbers are those of its bits. */
function wrongSums({ matrix, firstLine, lines }: Snapshot): string[] {
  if (!matrix) return [];
  const place = (start: string): string => `irqlens.txt:${firstLine + lines.findIndex(line => line.startsWith(start))}`;
  const placeOfMap = ({ cpu }: CpumapState): string => place(`  cpu ${cpu} `);
  const online = matrix.cpus.filter(map => map.online);
  const last = matrix.cpus.at(-1);
  const behind = last ? `, the last of which is ${placeOfMap(last)}` : '';
  const available = online.reduce((sum, map) => sum + map.available, 0);
  const sentences: string[] = [];
  if (online.length !== matrix.online_maps) sentences.push(`${place('matrix ')} says that ${matrix.online_maps} maps are online, but ${online.length} of the maps are${behind}`);
  if (available !== matrix.global_available) sentences.push(`${place('matrix ')} says that ${matrix.global_available} vectors are available, but the online maps have ${available}${behind}`);
  for (const map of matrix.cpus) {
    if (map.allocated !== map.alloc_map.length) sentences.push(`${placeOfMap(map)} says that ${map.allocated} vectors are allocated, but its alloc_map has ${map.alloc_map.length}`);
    if (map.managed !== map.managed_map.length) sentences.push(`${placeOfMap(map)} says that ${map.managed} vectors are managed, but its managed_map has ${map.managed_map.length}`);
  }
  return sentences;
}

/** /proc/interrupts has a column for each CPU that is online; such a CPU's map is online, too. */
function onlineElsewhere({ matrix, firstLine, lines }: Snapshot, table: InterruptTable | undefined): string[] {
  if (!matrix || !table || table.cpus.length === 0) return [];
  const stranger = table.cpus.find(cpu => !matrix.cpus.some(map => map.cpu === cpu && map.online));
  const missing = matrix.cpus.find(map => map.online && !table.cpus.includes(map.cpu))?.cpu;
  const cpu = stranger ?? missing;
  if (cpu === undefined) return [];
  const at = lines.findIndex(line => line.startsWith(`  cpu ${cpu} `));
  const map = `irqlens.txt:${firstLine + (at < 0 ? 0 : at)}`;
  const header = `proc-interrupts.txt:${table.firstLine}`;
  return [stranger === undefined ? `${map} says that CPU ${cpu} is online, but ${header} has no column of it` : `${header} has a column of CPU ${cpu}, but its map is not online (${map})`];
}

/** What a snapshot tells of once at most. */
function twice(file: string, { firstLine, lines }: Section, key: RegExp): string[] {
  const first = new Map<string, number>();
  return lines.flatMap((line, i) => {
    const name = key.exec(line)?.[1];
    if (name === undefined) return [];
    const before = first.get(name);
    if (before === undefined) first.set(name, i);
    return before === undefined ? [] : [`${file}:${firstLine + i} tells of ${name} again, which is at ${file}:${firstLine + before} already`];
  });
}
