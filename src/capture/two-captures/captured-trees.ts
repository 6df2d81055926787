// What a capture's kernel did as trees: its steps, in them the commands, in them what each task called and which events it made.
import type { TreeNode } from '../../compare/tree';
import type { Capture } from '../capture';
import { EXCEPTIONS } from '../model-and-capture/counted-functions';
import { isForeign } from '../model-and-capture/uncounted-functions';
import { GRAPH_LINES, INTERRUPT_ROOTS, type CallTree } from '../reading/graph';
import { lineText, type ScriptAction, type ScriptStepRecord } from '../reading/script';
import { kprobeText } from '../replay/kprobes';
import { taskOf, type TraceLine } from '../reading/trace';
import { gsisOf, renames, renamesByStep, type Rename } from './irq-keys';
import { EventIdentity } from './totals';

/** Interrupt code, without the accessors that some compilers put into their callers. */
const isInterruptCode = (name: string): boolean => !(name in EXCEPTIONS) && !isForeign(name);

/**
 * The boot, and the steps. What a function that is no interrupt code calls belongs to its caller.
 * @param by what tells one irq from another: its device's entry, and the totals before an event; or, beside what has no such devices, when it first appeared
 */
export function capturedTrees(capture: Capture, by: 'device' | 'appearance' = 'device'): TreeNode[] {
  const { script, trees } = capture;
  const rename: ReadonlyMap<string, Rename> = by === 'device' ? renamesByStep(capture) : new Map();
  const gsis = gsisOf(capture);
  const inOrder = by === 'device';
  const first = script.steps.at(0)?.start.line ?? script.lastLine + 1;
  const boot = new StepTree(script.events.filter(({ line }) => line < first), [], renames(gsis), inOrder);
  const steps = script.steps.map((step, i) => {
    const end = script.steps.at(i + 1)?.start.line ?? Infinity;
    const within = ({ line }: { readonly line: number }): boolean => line >= step.start.line && line < end;
    return new StepTree(step.start.line > GRAPH_LINES ? [] : script.events.filter(within), trees.filter(within), rename.get(step.name) ?? renames(gsis), inOrder).node(step);
  });
  return [{ key: 'boot', text: 'boot', children: boot.children() }, ...steps];
}

/** Who called: "[kworker]". */
const frame = (name: string, children: readonly TreeNode[]): TreeNode => ({ key: `[${name}]`, text: `[${name}]`, children });

/** Whether a node only says who called, or by which command: a task, or a line of the script. */
export const isFrame = ({ key }: TreeNode): boolean => /^[[$]/.test(key);

interface Made {
  readonly line: number;
  /** undefined: interrupts */
  readonly task: string | undefined;
  readonly node: TreeNode;
}

/** One step. */
class StepTree {
  private readonly made: readonly Made[];

  constructor(
    events: readonly TraceLine[],
    trees: readonly CallTree[],
    private readonly rename: Rename,
    inOrder: boolean,
  ) {
    const identity = new EventIdentity(rename);
    const made = events.map((line): Made => ({ line: line.line, task: line.hardirq ? undefined : taskOf(line), node: eventNode(line, identity, inOrder) }));
    this.made = [...made, ...trees.flatMap(tree => this.treeParts(tree, identity))];
  }

  node({ name, start, actions }: ScriptStepRecord): TreeNode {
    const between = (from: number, end: number): Made[] => this.made.filter(({ task, line }) => task !== undefined && line >= from && line < end);
    const starts = [...actions.map(action => action.start.line), Infinity];
    const performed = actions.map((action, i) => this.command(action, between(starts[i], starts[i + 1])));
    const interrupts = this.made.filter(({ task }) => task === undefined);
    return { key: name, text: name, place: lineText(start.line), children: [...this.children(between(0, starts[0])), ...performed, ...this.children(interrupts)] };
  }

  /** By task; the interrupts, which come when they come, last. */
  children(made: readonly Made[] = this.made): TreeNode[] {
    const byTask = new Map<string | undefined, TreeNode[]>();
    for (const { task, node } of made) {
      const nodes = byTask.get(task) ?? [];
      byTask.set(task, nodes);
      nodes.push(node);
    }
    const interrupts = byTask.get(undefined);
    byTask.delete(undefined);
    const tasks = [...byTask].map(([task, children]) => frame(kindOf(task!), children));
    return interrupts ? [...tasks, frame('interrupts', interrupts)] : tasks;
  }

  private command({ text, result }: ScriptAction, made: readonly Made[]): TreeNode {
    const results: TreeNode[] = result === undefined ? [] : [{ key: '=', text: `= ${result}`, children: [] }];
    const own = made.filter(({ task }) => kindOf(task!) === SHELL).map(({ node }) => node);
    const others = this.children(made.filter(({ task }) => kindOf(task!) !== SHELL));
    return { key: `$ ${this.rename(text)}`, text: `$ ${text}`, identity: this.rename(text), children: [...own, ...others, ...results] };
  }

  /** A tree of the function graph tracer: the task's part, and interrupts that hit it. Those that only acknowledge come with the clock and the console. */
  private treeParts(tree: CallTree, identity: EventIdentity): Made[] {
    const { line, task, cpu } = tree;
    const parts: Made[] = [];
    const interrupt = (node: TreeNode): void => {
      if (node.children.length > 0) parts.push({ line, task: undefined, node });
    };
    const nodes = new TreeReader(tree, identity, interrupt).nodes();
    return [...nodes.map((node): Made => ({ line, task: taskOf({ task, cpu }), node })), ...parts];
  }
}

/** The rig's shell. */
const SHELL = 'init';

/** "kworker/0:2-61" and "kworker-61" are a kworker; a thread of a CPU keeps its number. */
const kindOf = (task: string): string => (/^kworker\b/.test(task) ? 'kworker' : task.replace(/-\d+$/, ''));

/** @param inOrder whether the events come as they were made */
export function eventNode({ event, text: printed }: { readonly event: string; readonly text: string }, identity: EventIdentity, inOrder: boolean): TreeNode {
  const text = event.startsWith('kp_') ? kprobeText(printed) : printed;
  return { key: `* ${event}`, text: `* ${event}: ${text}`, identity: identity.of(text, inOrder), children: [] };
}

interface Open {
  readonly indent: number;
  readonly name: string;
  readonly children: TreeNode[];
}

/** Nests what the tracer has indented. */
class TreeReader {
  private readonly roots: TreeNode[] = [];
  private readonly open: Open[] = [{ indent: -1, name: '', children: this.roots }];

  /** @param interrupt gets what an interrupt called */
  constructor(
    private readonly tree: CallTree,
    private readonly identity: EventIdentity,
    private readonly interrupt: (node: TreeNode) => void,
  ) {}

  nodes(): TreeNode[] {
    const { calls, events } = this.tree;
    for (const one of [...calls, ...events].sort((a, b) => a.line - b.line)) {
      while (this.open.at(-1)!.indent >= one.indent) this.close();
      if ('event' in one) this.open.at(-1)!.children.push(eventNode(one, this.identity, false));
      else this.open.push({ indent: one.indent, name: one.name, children: [] });
    }
    while (this.open.length > 1) this.close();
    return this.roots;
  }

  private close(): void {
    const { name, children } = this.open.pop()!;
    const caller = this.open.at(-1)!;
    const node: TreeNode = { key: name, text: name, children };
    if (INTERRUPT_ROOTS.includes(name)) this.interrupt(node);
    else caller.children.push(...(isInterruptCode(name) ? [node] : children));
  }
}
