import type { Unread } from './files';
import { GRAPH_LINES } from './graph';
import { isVectorEvent, markOf, type TraceLine } from './trace';

// What the script of a capture did, from the marks it left in the trace.

/** One command of the script that left marks. */
export interface ScriptAction {
  readonly kind: 'CMD' | 'WRITE' | 'TRY';
  /** `alloc 0000:00:04.0 1 4 x`, or `/proc/irq/24/smp_affinity_list <- 1`, or a shell command */
  readonly text: string;
  /** what the script got: `4 : alloc ...` or `rc=0`; undefined where the trace ends before it */
  readonly result: string | undefined;
  /** the mark before it; a TRY has none of its own there: the last one before it */
  readonly start: TraceLine;
}

export interface ScriptStepRecord {
  /** `lens-msix` */
  readonly name: string;
  readonly start: TraceLine;
  /** those behind its DONE and before the next STEP too */
  readonly actions: readonly ScriptAction[];
  /** the step's end was seen: a DONE, or the next STEP */
  readonly complete: boolean;
  /** what its DONE says */
  readonly done: string | undefined;
}

export interface Script {
  readonly steps: readonly ScriptStepRecord[];
  /** what is compared, in the order of the file: trace events, and the rig's kprobe events around a CPU's offline */
  readonly events: readonly TraceLine[];
  /** BOOT COMPLETE */
  readonly bootEnd: TraceLine | undefined;
  readonly lastLine: number;
  /** lines that are neither an event nor a mark */
  readonly unread: readonly Unread[];
}

type Open<T> = { -readonly [K in keyof T]: T[K] };
type OpenStep = Open<ScriptStepRecord> & { actions: Open<ScriptAction>[] };

/** Divides a trace into the script's steps and the kernel's events. */
export function scriptOf(trace: readonly TraceLine[]): Script {
  const steps: OpenStep[] = [];
  const events: TraceLine[] = [];
  const unread: Unread[] = [];
  let bootEnd: TraceLine | undefined;
  let open: Open<ScriptAction> | undefined;
  let last: TraceLine | undefined;
  const begin = (action: Open<ScriptAction>): Open<ScriptAction> => {
    steps.at(-1)?.actions.push(action);
    return action;
  };
  for (const line of trace) {
    const mark = markOf(line);
    const notRead = (): void => void unread.push({ ...placeOf(line.line), text: `${line.event}: ${line.text}` });
    switch (mark?.kind) {
      case undefined:
        if (mark !== null && isCompared(line)) events.push(line);
        else notRead();
        continue;
      case 'STEP':
        finish(steps);
        steps.push({ name: mark.text.split(' ')[0], start: line, actions: [], complete: false, done: undefined });
        open = undefined;
        break;
      case 'DONE':
        finish(steps, mark.text);
        break;
      case 'FINAL':
      case 'fg-end':
        finish(steps);
        break;
      case 'CMD':
      case 'WRITE':
        open = begin({ kind: mark.kind, text: mark.text, result: undefined, start: line });
        break;
      case 'RES':
        if (open?.kind === 'CMD') open.result = mark.text;
        else notRead();
        open = undefined;
        break;
      case 'TRY': {
        const [command, result] = splitTry(mark.text);
        if (open?.kind === 'WRITE') open.result = result;
        else begin({ kind: 'TRY', text: command, result, start: last ?? line });
        open = undefined;
        break;
      }
      case 'BOOT':
        bootEnd = line;
        break;
    }
    last = line;
  }
  return { steps, events, bootEnd, lastLine: trace.at(-1)?.line ?? 0, unread };
}

const isCompared = ({ event }: TraceLine): boolean => isVectorEvent(event) || event.startsWith('kp_');

function finish(steps: readonly OpenStep[], done?: string): void {
  const last = steps.at(-1);
  if (!last) return;
  last.complete = true;
  last.done ??= done;
}

/** Where a line stands. */
export const placeOf = (line: number): { file: string; line: number } =>
  line > GRAPH_LINES ? { file: 'graph-tree.txt', line: line - GRAPH_LINES } : { file: 'trace-vectors.txt', line };

/** `line 337`, or `line 12 of graph-tree.txt` */
export function lineText(number: number): string {
  const { file, line } = placeOf(number);
  return number > GRAPH_LINES ? `line ${line} of ${file}` : `line ${line}`;
}

/** `echo 1 > FILE -> rc=0` */
function splitTry(text: string): [command: string, result: string] {
  const at = text.lastIndexOf(' -> ');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 4).trim()];
}
