import { IRQD } from '../kernel/include/irq';
import type { ChangeId } from '../kernel/changes';
import { LATER } from '../kernel/changes/later';

// What makes a kernel behind the last one of the model print something else: named changes, each of which says what it makes of the model's text. Those that change what is done, or when, are changes of the model.

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
}

const hex8 = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, '0')}`;

/** The bits above one that is gone move down. */
const without = (state: number, gone: number): number => (state & (gone - 1)) | ((state >>> 1) & ~(gone - 1));

const replaced = (rules: readonly (readonly [pattern: RegExp, by: string])[]) => (line: string): string =>
  rules.reduce((text, [pattern, by]) => text.replace(pattern, by), line);

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
} as const satisfies Record<string, Rewording>;

export type RewordingId = keyof typeof REWORDINGS;

/** A kernel behind the last one of the model: it is replayed as `base` with those changes of the model, in those words. */
export interface LaterKernel {
  /** a key of KERNELS */
  readonly base: string;
  readonly changes: readonly (keyof typeof LATER & ChangeId)[];
  readonly rewordings: readonly RewordingId[];
}

const V6_1: LaterKernel = {
  base: 'v5.10.223',
  changes: ['msi-data-without-assert', 'msi-activate-each', 'msi-device-data', 'msi-quirk-by-reservation', 'affinity-set-at-alloc'],
  rewordings: ['irqd-bits', 'msi-can-mask', 'log-acpi-quiet', 'ioapic-message', 'ioapic-15-bit-destination', 'log-affinity-quiet', 'irq-vector-silent'],
};

/** By the release that `uname` names; stable releases of one have had the same changes. */
const LATER_KERNELS: Readonly<Record<string, LaterKernel>> = { 'v6.1': V6_1 };

/** @param versions as `v6.1.192` */
export const laterKernelOf = (versions: readonly string[]): LaterKernel | undefined =>
  Object.entries(LATER_KERNELS).find(([release]) => versions.some(version => version === release || version.startsWith(`${release}.`)))?.[1];

/** The kernel as parseKernel() reads it. @param but one that is left out */
export const kernelTextOf = ({ base, changes }: LaterKernel, but?: string): string => [base, ...changes.filter(id => id !== but)].join('+');

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

  /** @returns null for a line that is not printed */
  logLine(line: string): string | null {
    return this.ids.reduce<string | null>((text, id) => {
      const { log } = REWORDINGS[id] as Rewording;
      return text === null || !log ? text : this.noted(this.log, id, text, log(text));
    }, line);
  }

  private noted<T extends string | null>(uses: Map<RewordingId, number>, id: RewordingId, before: string, after: T): T {
    if (after !== before) uses.set(id, (uses.get(id) ?? 0) + 1);
    return after;
  }
}
