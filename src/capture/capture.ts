import type { MachineConfig } from '../hardware/machine-config';
import { type BootLog, parseCpuinfo, parseDmesg } from './reading/boot';
import { contradictionsOf } from './reading/contradictions';
import { type DebugfsSection, parseDebugfs } from './reading/debugfs';
import { CaptureFiles, type Unread } from './reading/files';
import { parseProcInterrupts, parseSysKernelIrq, type InterruptTable, type SysIrqs } from './reading/interrupts';
import { configSymbolsOf, kernelNameOf, machineConfigOf, versionsOf } from './machine-from-capture';
import { parsePci, unmodelledDrivers, type PciSnapshot } from './reading/pci';
import { parseGraph, type CallTree } from './reading/graph';
import { inOrder } from './reading/graph-order';
import { unknownFunctions } from './model-and-capture/uncounted-functions';
import { scriptOf, type Script } from './reading/script';
import { parseSnapshots, type Snapshot } from './reading/snapshot';
import { lostEvents, parseTrace } from './reading/trace';
import { kernelTextOf, laterKernelOf, type LaterKernel, type Remapping } from './later-kernels/changes';

/** A capture, read. What is missing or damaged stands in `problems`; the rest can still be used. */
export interface Capture {
  readonly name: string;
  /** the model's name of its kernel; undefined for one that the model does not know */
  readonly kernel: string | undefined;
  /** a kernel behind the model's last one */
  readonly later: LaterKernel | undefined;
  readonly uname: string;
  readonly machine: MachineConfig;
  /** CPUs that ran when the script began */
  readonly cpus: number;
  readonly cmdline: string;
  /** dmesg.txt */
  readonly dmesg: string;
  /** Kconfig symbols that show */
  readonly config: readonly string[];
  readonly script: Script;
  /** call trees of the last steps; none where the rig made none */
  readonly trees: readonly CallTree[];
  readonly snapshots: readonly Snapshot[];
  readonly interrupts: readonly InterruptTable[];
  readonly sysIrqs: readonly SysIrqs[];
  /** /sys/kernel/debug/irq; none of a kernel without it */
  readonly debugfs: readonly DebugfsSection[];
  readonly pci: readonly PciSnapshot[];
  readonly unread: readonly Unread[];
  readonly problems: readonly string[];
}

const NO_CPUINFO = 'APIC ids and cores of its CPUs are guessed';

/** Reads a capture's folder. Never throws for what it finds there. */
export function readCapture(folder: string): Capture {
  const files = new CaptureFiles(folder);
  const trace = files.read('trace-vectors.txt', 'no step and no event can be checked') ?? '';
  const lines = parseTrace(trace);
  const snapshots = parseSnapshots(files.read('irqlens.txt', 'there is no state to start from and none to check') ?? '');
  const sysIrqs = parseSysKernelIrq(files.read('sys-kernel-irq.txt', 'actions and counts of the interrupts are not known: neither they nor /proc/interrupts are checked') ?? '');
  const rows = files.read('proc-interrupts.txt', 'the rows of /proc/interrupts are not checked') ?? '';
  const interrupts = parseProcInterrupts(sysIrqs.value.length > 0 ? rows : '');
  const pci = parsePci(files.read('pci.txt', 'the machine has no devices, so that no command can run') ?? '');
  const uname = files.read('uname.txt', 'which kernel it is cannot be told') ?? '';
  const dmesg = files.read('dmesg.txt', 'IOAPICs and remapping units are not known') ?? '';
  const facts = {
    cpus: parseCpuinfo(files.read('cpuinfo.txt', NO_CPUINFO) ?? ''),
    log: parseDmesg(dmesg),
    pci: pci.value,
    snapshots: snapshots.value,
  };
  const later = laterKernelOf(versionsOf(uname), remappingOf(facts.log));
  if (facts.cpus.length === 0 && files.read('cpuinfo.txt') !== undefined) files.problems.push(`cpuinfo.txt names no CPU: ${NO_CPUINFO}`);
  const graph = parseGraph(files.read('graph-tree.txt') ?? '');
  const script = scriptOf([...lines.value, ...inOrder(graph.value.lines)]);
  const lost = lostEvents(trace);
  if (lost > 0) files.problems.push(`trace-vectors.txt lacks ${lost} events that were overwritten`);
  for (const file of ['trace-vectors.txt', 'irqlens.txt', 'proc-interrupts.txt', 'sys-kernel-irq.txt', 'pci.txt', 'dmesg.txt', 'cpuinfo.txt']) noteTruncation(files, file);
  const cpuinfo = files.read('cpuinfo.txt') ?? '';
  files.problems.push(...contradictionsOf({ cpuinfo, script, snapshots: snapshots.value, interrupts: interrupts.value, sysIrqs: sysIrqs.value }));
  files.problems.push(...unmodelledDrivers(pci.value));
  return {
    name: files.name,
    kernel: later ? kernelTextOf(later) : kernelNameOf(uname),
    later,
    uname: uname.trim(),
    machine: machineConfigOf(facts),
    cpus: facts.cpus.length,
    cmdline: (files.read('cmdline.txt', 'the kernel is booted without parameters') ?? '').trim(),
    config: configSymbolsOf(facts, assignedOf(script)),
    dmesg,
    script,
    trees: graph.value.trees,
    snapshots: snapshots.value,
    interrupts: interrupts.value,
    sysIrqs: sysIrqs.value,
    debugfs: parseDebugfs(files.read('debugfs-irq.txt') ?? ''),
    pci: pci.value,
    unread: [...script.unread, ...(later || kernelNameOf(uname) !== undefined ? unknownFunctions(graph.value.trees, later ? [...later.changes, ...later.rewordings] : []) : []), ...[lines, graph, snapshots, interrupts, sysIrqs, pci].flatMap(parsed => parsed.unread)],
    problems: files.problems,
  };
}

/** Whose units the log tells of. */
const remappingOf = ({ dmar, amd }: BootLog): Remapping => (dmar.length > 0 ? 'intel' : amd.length > 0 ? 'amd' : 'none');

/** System vectors, as the trace has them. */
const assignedOf = ({ events }: Script): number[] =>
  events.flatMap(({ event, text }) => (event === 'irq_matrix_assign_system' ? [Number(/^bit=(\d+)/.exec(text)?.[1])] : []));

/** Every one of these files ends with a newline. */
function noteTruncation(files: CaptureFiles, file: string): void {
  const text = files.read(file);
  if (text !== undefined && !text.endsWith('\n')) files.problems.push(`${file} ends in the middle of a line: what follows is missing`);
}
