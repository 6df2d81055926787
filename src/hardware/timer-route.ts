import { RTE } from './io-apic';
import { APIC_LVT0, LVT } from './local-apic-registers';
import type { Machine } from './machine';
import { DELIVERY } from './message';

/**
 * The ways of the PIT's ticks to the boot CPU: its pin of an IOAPIC, without the 8259 pair and with it; and the pair's line at LINT0, as an
 * interrupt of the local vector table and as the pair's own.
 */
export const TIMER_ROUTES = ['io-apic', '8259A', 'virtual-wire', 'ext-int'] as const;
export type TimerRoute = (typeof TIMER_ROUTES)[number];

/** The way that the registers leave open; null: none. */
export function timerRoute({ config, cpus, ioapics, pic }: Machine): TimerRoute | null {
  const pair = (pic.mask & 1) === 0;
  const lint0 = LVT.decode(cpus[0].lapic.peek(APIC_LVT0)!);
  if (pair && !lint0.masked) return lint0.delivery_mode === DELIVERY.EXTINT ? 'ext-int' : 'virtual-wire';

  const gsi = timerGsi(config);
  const ioapic = ioapics.find(({ config: { gsiBase, pins } }) => gsi >= gsiBase && gsi < gsiBase + pins);
  if (!ioapic || RTE.get(ioapic.rte[gsi - ioapic.config.gsiBase], 'mask') === 1) return null;
  return pair ? '8259A' : 'io-apic';
}

/** Its number in an MP table. */
const ISA_BUS = 0;

/** As firmware says: by ACPI, else by its MP table, else the pin of its ISA number. */
function timerGsi({ isaOverrides, mpTable = [], ioapics }: Machine['config']): number {
  const override = isaOverrides.find(({ irq }) => irq === 0);
  if (override) return override.gsi;
  const line = mpTable.find(({ bus, irq }) => bus === ISA_BUS && irq === 0);
  return line ? (ioapics.find(({ id }) => id === line.apic)?.gsiBase ?? 0) + line.pin : 0;
}
