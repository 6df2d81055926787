import type { LogLine } from '../kernel/lib/printk';
import { linesOf } from './files';

/** What the files that count print: the beginnings of their lines, by file. */
const PRINTED: Record<string, readonly RegExp[]> = {
  'kernel/irq': [/^IRQ ?\d+: /, /^NR_IRQS: /, /^irq \d+: /, /^genirq: /, /^Eff\. affinity /, /^Trying to free (already-free )?IRQ /, /^handlers:$/, /^Disabling IRQ #/],
  'arch/x86/kernel/apic/vector.c': [
    /^CPU \d+ has \d+ vectors, /, /^Interrupt reservation exceeds /, /^printing local APIC contents /, /^\.\.\. APIC /, /^printing PIC contents$/, /^\.\.\. PIC /,
  ],
  'arch/x86/kernel/apic/io_apic.c': [
    /^IOAPIC/, /^Int: type /, /^ENABLING IO-APIC IRQs$/, /^init IO_APIC IRQs$/, /^ apic \d+ pin \d+ not connected$/, /^\.\.TIMER: /, /^number of /, /^testing the IO APIC/, /^IO APIC #/,
    /^\.{4,} +(register|IRQ redirection)/, /^\.{7}/, /^ pin[\da-f]{2}, /, /^IRQ to pin mappings:$/, /^IRQ\d+ -> /, /^mapped IOAPIC to /, /^\.+ done\.$/,
  ],
  'arch/x86/kernel/apic': [/^APIC: /, /^Switched APIC routing /, /^mapped APIC to /, /^x2apic/, /^Using local APIC timer /],
  'arch/x86/kernel/irq.c': [/^unexpected IRQ trap /, /No irq handler for vector$/],
  'arch/x86/kernel/hpet.c': [/^hpet: .*MSI/],
  'drivers/iommu': [/^DMAR-IR: /, /^AMD-Vi: (Interrupt remapping|Virtual APIC|X2APIC|x2apic)/i],
  'WARN_ON() in one of them': [/^WARNING: CPU: \d+ .*\b(kernel\/irq|arch\/x86\/kernel\/(apic|irq)|drivers\/pci\/msi\.c|drivers\/iommu)/],
};
const PATTERNS = Object.values(PRINTED).flat();

/** What the clock makes of the APIC timer. */
const CLOCKED = /^APIC (calibration|delta) /;

/** A line of the log, as it is compared. */
const counts = (line: string): boolean => PATTERNS.some(pattern => pattern.test(line)) && !CLOCKED.test(line);

/** Addresses, the pid, and where in its function a warning stands are masked. */
const masked = (line: string): string =>
  line
    .replace(/^(WARNING: CPU: \d+) (?:PID: \d+ )?(at [\w/.-]+?\.c)(?::\d+)? (\w+).*$/, '$1 $2 $3')
    .replace(/^(mapped \w+ to) [\da-f]+ \(.*\)$/, '$1')
    .trimEnd();

export interface LogResult {
  readonly matched: number;
  readonly total: number;
  readonly difference: { readonly captured: string | null; readonly model: string | null } | undefined;
}

/** Compares the lines that count of a kernel's log with the model's, in order. */
export function compareLog(dmesg: string, log: readonly LogLine[]): LogResult {
  const captured = linesOf(dmesg).map(line => line.replace(/^\[\s*\d+\.\d+\]\s?/, '')).filter(counts).map(masked);
  const model = log.map(({ text }) => text).filter(counts).map(masked);
  const { matched, difference } = compareInOrder(captured, model);
  return { matched, total: captured.length, difference };
}

/** Lines of both sides in the same order; what only one side has is passed over. The first such line is the difference. */
function compareInOrder(captured: readonly string[], model: readonly string[]): Omit<LogResult, 'total'> {
  let matched = 0;
  let at = 0;
  let difference: LogResult['difference'];
  for (const line of captured) {
    const found = model.indexOf(line, at);
    if (found === at) {
      matched++;
      at++;
    } else if (found > at) {
      difference ??= { captured: line, model: model[at] };
      matched++;
      at = found + 1;
    } else difference ??= { captured: line, model: model.at(at) ?? null };
  }
  if (at < model.length) difference ??= { captured: null, model: model[at] };
  return { matched, difference };
}
