import { isVectorEvent, markOf, type TraceLine } from './trace';
import type { Unread } from './files';

// What the script of a capture did, from the marks it left in the trace.

/** One command of the script, with the events that the kernel printed while it ran. */
export interface ScriptAction {
  /** IDLE: events that came while no command ran */
  readonly kind: 'CMD' | 'WRITE' | 'TRY' | 'IDLE';
  /** `alloc 0000:00:04.0 1 4 x`, or `/proc/irq/24/smp_affinity_list <- 1`, or a shell command */
  readonly text: string;
  /** what the script got: `4 : alloc ...` or `rc=0`; undefined where the trace ends before it */
  readonly result: string | undefined;
  readonly start: TraceLine;
  readonly events: readonly TraceLine[];
}

export interface ScriptStepRecord {
  /** `lens-msix` */
  readonly name: string;
  readonly start: TraceLine;
  readonly actions: readonly ScriptAction[];
  /** the step's end was seen: a DONE, or the next STEP */
  readonly complete: boolean;
  /** number of the line that ends it, or of the last line of the trace */
  readonly endLine: number;
  /** lines of the step that are neither an event that is compared nor a mark */
  readonly unread: readonly Unread[];
}

type Open<T> = { -readonly [K in keyof T]: T[K] };
type OpenAction = Open<ScriptAction> & { events: TraceLine[] };
type OpenStep = Open<ScriptStepRecord> & { actions: OpenAction[]; unread: Unread[] };

/** Divides a trace into the script's steps. */
export function scriptOf(trace: readonly TraceLine[], file = 'trace-vectors.txt'): ScriptStepRecord[] {
  const steps: OpenStep[] = [];
  let action: OpenAction | undefined;
  const begin = (kind: ScriptAction['kind'], text: string, start: TraceLine, result?: string): OpenAction | undefined => {
    const begun = { kind, text, result, start, events: [] };
    openStep(steps)?.actions.push(begun);
    return begun;
  };
  for (const line of trace) {
    const mark = markOf(line);
    const unread = (): void => void openStep(steps)?.unread.push({ file, line: line.line, text: `${line.event}: ${line.text}` });
    switch (mark?.kind) {
      case undefined:
        if (mark === null || !isVectorEvent(line.event)) unread();
        else (action ??= begin('IDLE', '', line))?.events.push(line);
        break;
      case 'STEP':
        finish(steps, line);
        steps.push({ name: mark.text.split(' ')[0], start: line, actions: [], complete: false, endLine: trace.at(-1)!.line, unread: [] });
        action = undefined;
        break;
      case 'DONE':
      case 'FINAL':
        finish(steps, line);
        action = undefined;
        break;
      case 'CMD':
      case 'WRITE':
        action = begin(mark.kind, mark.text, line);
        break;
      case 'RES':
        if (action?.kind === 'CMD') action.result = mark.text;
        else unread();
        action = undefined;
        break;
      case 'TRY': {
        const [command, result] = splitTry(mark.text);
        if (action?.kind === 'WRITE') action.result = result;
        else begin('TRY', command, line, result);
        action = undefined;
        break;
      }
      case 'BOOT':
        break;
    }
  }
  return steps;
}

function openStep(steps: readonly OpenStep[]): OpenStep | undefined {
  const last = steps.at(-1);
  return last && !last.complete ? last : undefined;
}

function finish(steps: readonly OpenStep[], { line }: TraceLine): void {
  const open = openStep(steps);
  if (open) Object.assign(open, { complete: true, endLine: line });
}

/** `echo 1 > FILE -> rc=0` */
function splitTry(text: string): [command: string, result: string] {
  const at = text.lastIndexOf(' -> ');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 4).trim()];
}

/**
 * Where the rig's script (scen/lens.sh) takes a snapshot: behind each command of a step the snapshot's label, or '' for none.
 * The trace does not tell; the labels' order in the capture is checked against this.
 * @param cpus that the script found: on one it moves nothing
 */
export function lensSnapshots(step: string, cpus: number): readonly string[] {
  return (cpus === 1 ? { ...LENS_SNAPSHOTS, ...ONE_CPU } : LENS_SNAPSHOTS)[step] ?? [];
}

const ONE_CPU: Record<string, readonly string[]> = {
  'lens-edu': ['', 'edu-alloc', 'edu-req', '', 'edu-unreq', 'lens-edu'],
  'lens-msix': ['', 'msix4-alloc', 'msix4-req', 'msix4-unreq1', 'msix4-rereq1', 'msix4-unreq', 'lens-msix4'],
};

const LENS_SNAPSHOTS: Record<string, readonly string[]> = {
  'lens-edu': [
    '', 'edu-alloc', 'edu-req', '', 'edu-aff1', 'edu-aff1-fire1', 'edu-aff1-fire2',
    '', '', 'edu-affN', '', '', '', '', '', 'edu-aff-back', '', '', '',
  ],
  'edu-cpu-offline': ['edu-cpu-offline', 'edu-cpu-offline-fire', 'edu-cpu-online', 'edu-unreq', 'lens-edu'],
  'lens-msix': ['', 'msix4-alloc', 'msix4-req', 'msix4-aff', 'msix4-unreq1', 'msix4-rereq1', 'msix4-unreq', 'lens-msix4'],
  'lens-msix-managed': ['msixmgd-alloc', 'msixmgd-req', '', 'lens-msix-managed'],
  'lens-msix-managed-more': ['msixmgd2-alloc', 'msixmgd2-req', '', 'lens-msix-managed-more'],
};
