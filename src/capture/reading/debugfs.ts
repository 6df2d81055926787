import { IRQD } from '../../kernel/include/irq';
import type { World } from '../../kernel/world';
import { textFiles } from '../../text/files';
import { sectionsOf, type Section } from './files';

// /sys/kernel/debug/irq as the rig writes it: each file behind a header, as head does.

const FOLDER = '/sys/kernel/debug/irq/';

/** The files under one label, by their paths. */
export interface DebugfsSection extends Section {
  readonly files: ReadonlyMap<string, string>;
}

/** Reads debugfs-irq.txt. */
export function parseDebugfs(text: string): DebugfsSection[] {
  return sectionsOf(text).map(section => ({ ...section, files: filesOf(section.lines) }));
}

function filesOf(lines: readonly string[]): Map<string, string> {
  const files = new Map<string, string[]>();
  let file: string[] = [];
  for (const line of lines) {
    const path = /^==> (.*) <==$/.exec(line)?.[1];
    if (path === undefined) file.push(line);
    else files.set(path, (file = []));
  }
  // An empty line parts one file from the next.
  return new Map([...files].map(([path, content]) => [path, content.join('\n').trimEnd()]));
}

/** The model's files. */
export const debugfsFiles = (world: World): Map<string, string> =>
  new Map(textFiles(world).flatMap(file => (file.path.startsWith(FOLDER) ? [[file.path, file.read().trimEnd()] as const] : [])));

/** The irq that a file tells of. */
export function irqOfFile(path: string): number | undefined {
  const irq = /\/irqs\/(\d+)$/.exec(path)?.[1];
  return irq === undefined ? undefined : Number(irq);
}

/** Without what tells whether the interrupt is being handled at that instant. */
export const withoutProgress = (text: string): string =>
  text
    .replace(/^ +IRQD_IRQ_INPROGRESS\n/m, '')
    .replace(/^(dstate: +0x)([\da-f]+)$/m, (_, start: string, state: string) => start + ((parseInt(state, 16) & ~IRQD.IRQ_INPROGRESS) >>> 0).toString(16).padStart(8, '0'));
