import { IRQD } from '../../kernel/include/irq';
import { LATER } from '../../kernel/changes/later';

// What makes a kernel behind the last one of the model print something else, where it does the same: named changes, each of which says what it makes of the model's text.

/** What a change makes of a text. A rule says what is printed, never what is left out of the comparison. */
export interface Rewording {
  readonly subject: string;
  /** the first release that has it */
  readonly release?: string;
  readonly effect: string;
  /** of irqlens.txt, proc-interrupts.txt, sys-kernel-irq.txt */
  readonly state?: (line: string) => string;
  /** of the log; null: it is not printed any more */
  readonly log?: (line: string) => string | null;
  /** of a step's whole log, for lines that are new or come at another time */
  readonly steps?: (lines: readonly string[], isBoot: boolean) => readonly string[];
}

const hex8 = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, '0')}`;

/** The bits above one that is gone move down. */
const without = (state: number, gone: number): number => (state & (gone - 1)) | ((state >>> 1) & ~(gone - 1));

type By = string | ((match: string, ...groups: string[]) => string);

const replaced = (rules: readonly (readonly [pattern: RegExp, by: By])[]) => (line: string): string =>
  // replace() has an overload for each of the two
  rules.reduce((text, [pattern, by]) => (typeof by === 'string' ? text.replace(pattern, by) : text.replace(pattern, by)), line);

const APIC_WORDS = replaced([
  [/^mapped APIC to /, 'Mapped APIC to '],
  [/^(e|m)(nabled|asked) ExtINT on CPU#/, (_, first: string, rest: string) => `${first.toUpperCase()}${rest} ExtINT on CPU#`],
  [/^init IO_APIC IRQs$/, 'Init IO_APIC IRQs'],
  [/^ (apic \d+ pin \d+ not connected)$/, '$1'],
  [/^( pin[\da-f]{2}, .*, )physical,/, '$1physic\tal,'],
  [/^Using local APIC timer interrupts\.$/, 'Using local APIC timer interrupts. Calibrating APIC timer ...'],
]);

const ANNOUNCED = /^(\.{4} node |( +#\d+)$)/;

/** CPUs are announced where the first one is; those of a node in its line. */
function announcedAtOnce(lines: readonly string[], isBoot: boolean): readonly string[] {
  const announced: string[] = [];
  for (const line of lines) {
    const match = ANNOUNCED.exec(line);
    if (match?.[2] === undefined) announced.push(...(match ? [line] : []));
    else announced[announced.length - 1] += match[2];
  }
  const first = lines.findIndex(line => ANNOUNCED.test(line));
  return lines.flatMap((line, i) => {
    if (line === 'x86: Booting SMP configuration:') return isBoot ? [`smpboot: ${line}`] : [];
    if (ANNOUNCED.test(line)) return i === first ? announced : [];
    return [line];
  });
}

export const REWORDINGS = {
  'irqd-bits': {
    subject: LATER['msi-quirk-by-reservation'].subject,
    release: LATER['msi-quirk-by-reservation'].release,
    effect: 'IRQD_MSI_NOMASK_QUIRK is gone: HANDLE_ENFORCE_IRQCTX and what stands above it are one bit lower',
    state: line => line.replace(/^( {2}state )(0x[\da-f]{8})/, (_, start: string, state: string) => start + hex8(without(Number(state), IRQD.MSI_NOMASK_QUIRK))),
  },
  'msi-can-mask': {
    subject: 'PCI/MSI: Move non-mask check back into low level accessors',
    release: 'v5.16',
    effect: 'msi_attrib.maskbit, of MSI only, is can_mask, of MSI-X too',
    state: line => line.replace(/^( {2}msi dev .* (MSIX|MSI)(?: 64)? )maskbit (\d)/, (_, start: string, kind: string, bit: string) => `${start}can_mask ${kind === 'MSIX' ? 1 : bit}`),
  },
  'log-acpi-quiet': {
    subject: 'x86/acpi/boot: Use fwspec, pr_info() and pr_debug()',
    effect: 'the APIC address and the overridden ISA interrupts are logged for debugging only; the line on the MADT begins with ACPI:',
    log: line => (/^ACPI: (Local APIC address |IRQ\d+ used by override)/.test(line) ? null : line.replace(/^(?=Using ACPI \(MADT\))/, 'ACPI: ')),
  },
  'ioapic-message': {
    subject: "x86/ioapic: Generate RTE directly from parent irqchip's MSI message",
    release: 'v5.11',
    effect: 'a pin is set up before its vector and destination are known: they are not logged',
    log: replaced([[/^(IOAPIC\[\d+\]): Set routing entry \((\S+) -> 0x[\da-f]+ -> (IRQ \d+) Mode:(\d) Active:(\d) Dest:\d+\)$/, '$1: Preconfigured routing entry ($2 -> $3 Level:$4 ActiveLow:$5)']]),
  },
  'ioapic-15-bit-destination': {
    subject: 'x86/apic: Support 15 bits of APIC ID in MSI where available',
    release: 'v5.11',
    effect: "destinations of IOAPIC entries are logged with four digits",
    log: replaced([[/^( pin[\da-f]{2}, .* D\()([\da-f]{2}\))/, '$100$2']]),
  },
  'log-affinity-quiet': {
    subject: 'genirq/cpuhotplug: Reduce the loglevel of "no longer affine"',
    effect: 'that an interrupt leaves a CPU that goes offline is logged for debugging only',
    log: line => (/^IRQ \d+: no longer affine to CPU\d+$/.test(line) ? null : line),
  },
  'irq-vector-silent': {
    subject: 'PCI/MSI: Use msi_get_virq() in pci_get_vector()',
    release: 'v5.17',
    effect: 'pci_irq_vector() does not warn of an index that the device has not',
    log: line => (/^WARNING: CPU: \d+ .*pci_irq_vector/.test(line) ? null : line),
  },
  'irq-resolve-mapping': {
    subject: 'irqdomain: Introduce irq_resolve_mapping()',
    release: 'v5.14',
    effect: 'irq_find_mapping() is part of a function that finds the descriptor, too',
  },
  'msi-mask-functions': {
    subject: 'PCI/MSI: Provide a new set of mask and unmask functions',
    release: 'v5.16',
    effect: 'mask bits of MSI and of MSI-X are written by functions of their own',
  },
  'resend-list': {
    subject: 'genirq: Use hlist for managing resend handlers',
    release: 'v6.5',
    effect: 'interrupts that wait to be sent again are on a list, which they are taken from when they are shut down',
  },
  'synchronize-nested': {
    subject: 'genirq: Prevent nested thread vs synchronize_hardirq() deadlock',
    release: 'v6.6',
    effect: 'waiting for the handlers of an interrupt is a function of its own',
  },
  'apic-static-calls': {
    subject: 'x86/apic: Provide static call infrastructure for APIC callbacks',
    release: 'v6.6',
    effect: 'before the APIC is mapped, it is logged that calls of its functions are static ones',
    steps: (lines, isBoot) => (isBoot && lines.some(line => /^mapped APIC to /i.test(line)) ? ['APIC: Static calls initialized', ...lines] : lines),
  },
  'topology-log': {
    subject: 'x86/cpu/topology: Rework possible CPU management',
    release: 'v6.9',
    effect: 'how many CPUs there may be is logged by the code that counts them',
    log: replaced([[/^smpboot: Allowing (\d+) CPUs, (\d+) hotplug CPUs$/, (_, all, hotplug) => `CPU topo: Allowing ${Number(all) - Number(hotplug)} present CPUs plus ${hotplug} hotplug CPUs`]]),
  },
  'parallel-bringup': {
    subject: 'x86/smpboot/64: Implement arch_cpuhp_init_parallel_bringup() and enable it',
    release: 'v6.5',
    effect: 'at boot all CPUs are announced, in one line for each node, before the first of them logs anything; later none says that SMP is configured',
    steps: announcedAtOnce,
  },
  'apic-log-words': {
    subject: 'x86/apic: Cleanup apic_printk()s, and the patches around it',
    release: 'v6.12',
    effect: 'lines begin with capitals and without a blank, the timer is announced in one line, and a destination mode of an IOAPIC entry is "physic<tab>al"',
    log: line => (/^calibrating APIC timer \.\.\.$/.test(line) ? null : APIC_WORDS(line)),
  },
} as const satisfies Record<string, Rewording>;

export type RewordingId = keyof typeof REWORDINGS;

/** Puts the model's text into the words of a later kernel, and counts how often which change did something to it. */
export class Words {
  /** lines of state, by change */
  readonly state = new Map<RewordingId, number>();
  /** lines of the log, by change */
  readonly log = new Map<RewordingId, number>();

  constructor(private readonly ids: readonly RewordingId[] = []) {}

  stateLine(line: string): string {
    return this.ids.reduce((text, id) => this.noted(this.state, id, text, (REWORDINGS[id] as Rewording).state?.(text) ?? text), line);
  }

  /** A step's log. */
  logLines(lines: readonly string[], isBoot: boolean): readonly string[] {
    return this.ids.reduce<readonly string[]>((text, id) => {
      const { log, steps } = REWORDINGS[id] as Rewording;
      if (steps) return this.changed(id, text, steps(text, isBoot));
      return log ? text.flatMap(line => this.noted(this.log, id, line, log(line)) ?? []) : text;
    }, lines);
  }

  /** Counts lines that are on one side only. */
  private changed(id: RewordingId, before: readonly string[], after: readonly string[]): readonly string[] {
    const only = (some: readonly string[], others: readonly string[]): number => some.filter(line => !others.includes(line)).length;
    const count = only(before, after) + only(after, before);
    if (count > 0) this.log.set(id, (this.log.get(id) ?? 0) + count);
    return after;
  }

  private noted<T extends string | null>(uses: Map<RewordingId, number>, id: RewordingId, before: string, after: T): T {
    if (after !== before) uses.set(id, (uses.get(id) ?? 0) + 1);
    return after;
  }
}
