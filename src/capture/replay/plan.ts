import type { Capture } from '../capture';
import { GRAPH_LINES } from '../reading/graph';
import { AFTER_TRACE, AT_END, rigOf, SEND } from './rig';
import { placeOf, type ScriptAction } from '../reading/script';

/** One thing that the replay does. */
export interface PlannedItem {
  /** name of the step that it belongs to */
  readonly step: string;
  /** `boot`; `snapshot`: text is its label; `command`: one that left marks; `run`: one that did not */
  readonly kind: 'boot' | 'snapshot' | 'command' | 'run';
  readonly text: string;
  readonly command?: ScriptAction;
  /** number of the line of the trace up to which events can belong to it */
  readonly until: number;
}

/** The whole capture, in order, and what keeps some of it from being checked. */
export interface Plan {
  readonly items: readonly PlannedItem[];
  readonly problems: readonly string[];
}

/** Modules that not every kernel was built with, and whether the log shows that this one was not: one says when it is loaded, the other is in no list of those that are. */
const MISSING: readonly { readonly insmod: string; readonly isMissing: (log: string) => boolean }[] = [
  { insmod: 'insmod ahci', isMissing: log => !/\bahci \d{4}:/.test(log) },
  { insmod: 'insmod virtio_rng', isMissing: log => /Modules linked in:.*\bvirtio_pci\b/.test(log) && !/Modules linked in:.*\bvirtio_rng\b/.test(log) },
];

export function planOf(capture: Capture): Plan {
  const { script, snapshots } = capture;
  const problems: string[] = [];
  if (!script.bootEnd) return { items: [], problems: ['trace-vectors.txt has no mark BOOT COMPLETE: where the boot ends is not known'] };
  const labels = new Set(snapshots.map(({ label }) => label));
  const items: PlannedItem[] = [{ step: 'boot', kind: 'boot', text: 'boot', until: script.bootEnd.line }];
  const snapshot = (step: string, text: string, until: number): void => {
    if (labels.delete(text)) items.push({ step, kind: 'snapshot', text, until });
  };
  const first = script.steps.at(0)?.start.line ?? script.lastLine + 1;
  snapshot('boot', 'boot', first);
  script.steps.forEach((step, i) => {
    // Where this snapshot is taken, the rig sends what it has before it goes on.
    if (step.start.line > GRAPH_LINES && labels.has(AFTER_TRACE)) {
      snapshot(AFTER_TRACE, AFTER_TRACE, step.start.line);
      items.push({ step: AFTER_TRACE, kind: 'run', text: SEND, until: step.start.line });
    }
    const end = script.steps[i + 1]?.start.line ?? script.lastLine + 1;
    const known = rigOf(step.name, capture.cpus);
    if (!known) {
      const { file, line } = placeOf(step.start.line);
      problems.push(`${file}:${line} begins a step ${step.name} that is not known: only the ${step.actions.length} commands that left marks are performed, and modules that it loads are not`);
    }
    const rig = known ?? [...step.actions.map(() => '$'), ...(step.done !== undefined && labels.has(step.done) ? [`#${step.done}`] : [])];
    const wanted = rig.filter(item => item === '$').length;
    if (!step.complete) problems.push(`trace-vectors.txt ends in step ${step.name}, behind ${step.actions.length} of ${wanted} commands`);
    else if (step.actions.length !== wanted) problems.push(`step ${step.name} has ${step.actions.length} commands where the script has ${wanted}`);
    const commands = [...step.actions];
    for (const item of rig) {
      const until = (): number => commands.at(0)?.start.line ?? end;
      if (item === '$') {
        const command = commands.shift();
        if (!command || command.result === undefined) return;
        items.push({ step: step.name, kind: 'command', text: command.text, command, until: until() });
      } else if (item.startsWith('#')) {
        const label = item.slice(1);
        if (!labels.has(label)) problems.push(`irqlens.txt has no snapshot ${label}: the state behind step ${step.name} is not checked`);
        snapshot(step.name, label, until());
      } else if (!MISSING.some(({ insmod, isMissing }) => item === insmod && isMissing(capture.dmesg))) items.push({ step: step.name, kind: 'run', text: item, until: until() });
    }
  });
  snapshot(AFTER_TRACE, AFTER_TRACE, script.lastLine + 1);
  snapshot(AT_END, AT_END, script.lastLine + 2);
  problems.push(...missingTables(capture, items));
  return { items, problems };
}

/** Snapshots whose rows a file lacks that is there. */
function missingTables({ interrupts, sysIrqs }: Capture, items: readonly PlannedItem[]): string[] {
  const labels = items.flatMap(({ kind, text }) => (kind === 'snapshot' ? [text] : []));
  const files = { 'proc-interrupts.txt': interrupts, 'sys-kernel-irq.txt': sysIrqs };
  return Object.entries(files).flatMap(([file, sections]) => {
    const missing = labels.filter(label => !sections.some(s => s.label === label));
    return sections.length === 0 || missing.length === 0 ? [] : `${file} lacks ${missing.length} of ${labels.length} snapshots from ${missing[0]} on: they are not checked`;
  });
}
