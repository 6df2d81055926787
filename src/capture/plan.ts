import type { Capture } from './capture';
import { lensSnapshots, type ScriptAction, type ScriptStepRecord } from './script';

/** A command of the script and the snapshot that was taken behind it. */
export interface PlannedAction {
  readonly action: ScriptAction;
  readonly label: string | undefined;
}

/** A part of a step that is performed. */
export interface PlannedStep {
  readonly name: string;
  /** label of the snapshot that the state is loaded from before it; undefined: the state that is there */
  readonly resume: string | undefined;
  readonly actions: readonly PlannedAction[];
  /** numbers of its first and last line in the trace */
  readonly lines: readonly [first: number, last: number];
}

/** What is verified: these steps, in this order; behind a CPU's offline only the part from this label on. */
const RANGE: readonly { readonly step: string; readonly from?: string }[] = [
  { step: 'lens-edu' },
  { step: 'edu-cpu-offline', from: 'edu-cpu-online' },
  { step: 'lens-msix' },
  { step: 'lens-msix-managed' },
  { step: 'lens-msix-managed-more' },
];

/** @returns the steps of the range that the capture has, and what keeps some of it from being checked */
export function planOf(capture: Capture): { readonly steps: readonly PlannedStep[]; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const steps: PlannedStep[] = [];
  for (const { step: name, from } of RANGE) {
    const record = capture.steps.find(step => step.name === name);
    if (!record) continue;
    const actions = withLabels(record, capture, problems);
    const start = from === undefined ? 0 : actions.findIndex(({ label }) => label === from) + 1;
    if (from !== undefined && start === 0) {
      problems.push(`${name} has no snapshot ${from}: the rest of it is not checked`);
      continue;
    }
    const resume = from ?? (steps.length === 0 ? snapshotBefore(capture, actions) : undefined);
    if (resume === undefined && steps.length === 0) {
      problems.push(`irqlens.txt has no snapshot before ${name}: there is no state to start it from`);
      continue;
    }
    const performed = actions.slice(start);
    const first = start === 0 ? record.start.line : (performed.at(0)?.action.start.line ?? record.endLine);
    steps.push({ name, resume, actions: performed, lines: [first, record.endLine] });
  }
  problems.push(...missingTables(capture, steps));
  return { steps, problems };
}

/** Snapshots whose rows a file lacks that is there. */
function missingTables({ interrupts, sysIrqs }: Capture, steps: readonly PlannedStep[]): string[] {
  const labels = steps.flatMap(({ actions }) => actions.flatMap(({ label }) => label ?? []));
  const files = { 'proc-interrupts.txt': interrupts, 'sys-kernel-irq.txt': sysIrqs };
  return Object.entries(files).flatMap(([file, sections]) => {
    const missing = labels.filter(label => !sections.some(s => s.label === label));
    return sections.length === 0 || missing.length === 0 ? [] : `${file} lacks ${missing.length} of ${labels.length} snapshots from ${missing[0]} on: they are not checked`;
  });
}

/** Puts the snapshots' labels to the commands of a step. */
function withLabels(record: ScriptStepRecord, capture: Capture, problems: string[]): PlannedAction[] {
  const labels = lensSnapshots(record.name, capture.cpus);
  const commands = record.actions.filter(({ kind }) => kind !== 'IDLE');
  if (!record.complete) problems.push(`trace-vectors.txt ends in step ${record.name}, behind ${commands.length} of ${labels.length} commands`);
  else if (commands.length !== labels.length) problems.push(`step ${record.name} has ${commands.length} commands where the script has ${labels.length}`);
  const known = new Set(capture.snapshots.map(({ label }) => label));
  return record.actions
    .filter(({ kind, result }) => kind === 'IDLE' || result !== undefined)
    .map(action => {
      const label = labels[commands.indexOf(action)] || undefined;
      if (label === undefined || known.has(label)) return { action, label };
      problems.push(`irqlens.txt has no snapshot ${label}: the state behind line ${action.start.line} is not checked`);
      return { action, label: undefined };
    });
}

/** The last snapshot before the first one of these commands. */
function snapshotBefore({ snapshots }: Capture, actions: readonly PlannedAction[]): string | undefined {
  const first = actions.find(({ label }) => label !== undefined)?.label;
  return snapshots[snapshots.findIndex(({ label }) => label === first) - 1]?.label;
}
