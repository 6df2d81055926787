// Which lines of a kernel's log are compared, and what of them is not.

/** What the files that count print: the beginnings of their lines, by file. */
const PRINTED: Record<string, readonly RegExp[]> = {
  'kernel/irq': [
    /^IRQ ?\d+: /, /^NR_IRQS: /, /^irq \d+: /, /^irq event \d+: /, /^(genirq|irq): /, /^Eff\. affinity /, /^Trying to free (already-free )?IRQ /, /^handlers:$/, /^Disabling IRQ #/,
    /^IRQ \d+ device .* returned IRQ_WAKE_THREAD /, /^Unbalanced enable for IRQ /, /^Chained irq \d+ should /, /^(Primary|Secondary action) handler called for /, /^irq \d+ handler .* enabled interrupts/,
    /^irq \d+, desc: /, /^->(handle_irq|irq_data\.chip|action)/, /^ +IRQS?_[A-Z]+ set$/, /^(IRQ lockup detection|Misrouted IRQ fixup) /,
  ],
  'arch/x86/kernel/apic/apic.c': [
    /^APIC: /, /^APIC (calibration|delta|frequency|timer|error|disabled) /, /^([Mm]apped|Disabling) APIC /, /^x2apic/, /^Using local APIC timer /, /^calibrating APIC timer /, /^lapic timer /,
    /^\.\.\. (lapic|PM-Timer|jiffies) (delta|result)/, /^\.{5} (delta|mult|calibration|CPU clock|host bus clock)\b/, /^TSC delta adjusted /, /^ESR value before /, /^([Ee]nabled|[Mm]asked) ExtINT on CPU#/,
    /^Not enabling interrupt remapping/, /^Saving IO-APIC state failed/, /^Spurious (APIC )?interrupt \(/, /^Spurious LAPIC timer /,
  ],
  'arch/x86/kernel/apic/io_apic.c': [
    /^IOAPIC/, /^Int: type /, /^ENABLING IO-APIC IRQs$/, /^[Ii]nit IO_APIC IRQs$/, /^ ?apic \d+ pin \d+ not connected$/, /^\.\.TIMER: /, /^\.\.MP-BIOS bug/, /^\.{3}trying to set up timer /,
    /^\.{5} (\(found apic|works|failed)/, /^\.{7} (works|failed)/, /^number of (MP IRQ|IO-APIC) /, /^testing the IO APIC/, /^IO APIC #/, /^\.{4} (register|IRQ redirection)/, /^\.{7} {4,}:/, /^ pin[\da-f]{2}, /,
    /^IRQ to pin mappings:$/, /^IRQ\d+ -> /, /^mapped IOAPIC to /, /^\.+ done\.$/, /^ERROR: Unable to locate IOAPIC /, /^Unable to reset IRR /, /^ExtINT (not setup )?in hardware /,
  ],
  'arch/x86/kernel/apic/vector.c': [
    /^CPU \d+ has \d+ vectors, /, /^Reserved vectors \d+ > /, /^Interrupt reservation exceeds /, /^IRQ fixup: /, /^Managed startup /, /^printing (local APIC|PIC) contents/, /^\.\.\. (APIC|PIC) /, /^[\da-f]{64}$/, /^$/,
  ],
  'other files of arch/x86/kernel/apic': [/^(Switched|Setting) APIC routing /, /^IPI shorthand broadcast: /, /^System requires x2apic physical mode/, /^Failed to (initialize PCI-MSI irqdomain|register X2APIC_PREPARE)/],
  'arch/x86/kernel/irq*.c': [/^unexpected IRQ trap /, /No irq handler for vector/, /^cascade: request_irq/],
  'arch/x86/kernel/acpi/boot.c': [/^ACPI: (Local APIC address|Using ACPI \(MADT\)|IRQ\d+ used by override|INT_SRC_OVR|Skipping IOAPIC probe|No IOAPIC entries) ?/, /^Using ACPI (\(MADT\)|for processor)/, /^Failed to find ioapic /],
  'arch/x86/kernel/smpboot.c': [/^smpboot: (Allowing|Booting Node|CPU \d+ is now offline|SMP disabled)/, /^CPU topo: Allowing /, /^(smpboot: )?x86: Booting SMP configuration:/, /^\.{4} node /, /^ +#\d+$/],
  'kernel/smp.c': [/^smp: Br(inging|ought) up /],
  'arch/x86/kernel/hpet.c': [/^hpet: \d+ channels of /, /^hpet: Spurious interrupt /],
  'drivers/pci/msi.c': [/: can't enable MSI(-X)? \(/, /: Device has broken 64-bit MSI /],
  'drivers/iommu': [
    /^DMAR-IR: /, /^DMAR: (\[INTR-REMAP\]|DRHD: handling fault|No free IRQ vectors|Can't request irq|DRHD [\da-f]+: failed to enable fault, interrupt)/,
    /^AMD-Vi: (Interrupt remapping|Disabling interrupt remapping|Virtual APIC|X2APIC|Failed to allocate IRTE|(\[Firmware Bug\]: )?(: )?(IOAPIC\[|No southbridge IOAPIC)|GA log notifier)/i,
  ],
  'WARN_ON() in one of them': [/^WARNING: CPU: \d+ .*\b(kernel\/irq|arch\/x86\/kernel\/(apic|irq)|drivers\/pci\/msi\.c|drivers\/iommu)/],
};
const PATTERNS = Object.values(PRINTED).flat();

/** What is not compared of a line that counts. */
interface Mask {
  readonly reason: string;
  readonly replace: (line: string, previous: readonly string[]) => string;
}

const FIELD = /^[\da-f]{64}$/;

const MASKS: readonly Mask[] = [
  {
    reason: 'the pid, and the line and offset at which a warning stands',
    replace: line => line.replace(/^(WARNING: CPU: \d+) (?:PID: \d+ )?(at [\w/.-]+?\.c)(?::\d+)? (\w+).*$/, '$1 $2 $3'),
  },
  {
    reason: 'interrupts that wait (IRR) at the instant at which the local APIC is printed: the timer\'s, an IPI',
    replace: (line, previous) => (FIELD.test(line) && previous.slice(-2).every(other => FIELD.test(other)) && previous.length > 1 ? 'IRR' : line),
  },
];

const counts = (line: string): boolean => PATTERNS.some(pattern => pattern.test(line));

/** A line that counts, as it is compared, and why something of it is not. */
export interface LoggedLine {
  readonly text: string;
  readonly masks: readonly string[];
}

/** The lines that count, in their order. */
export function linesThatCount(lines: readonly string[]): LoggedLine[] {
  const kept = lines.filter(counts);
  return kept.map((line, i) => {
    const masks: string[] = [];
    let text = line;
    for (const { reason, replace } of MASKS) {
      const masked = replace(text, kept.slice(0, i));
      if (masked !== text) masks.push(reason);
      text = masked;
    }
    return { text: text.trimEnd(), masks };
  });
}
