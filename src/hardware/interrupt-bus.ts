import type { HardwareEvent } from './events';
import type { IoApic } from './io-apic';
import type { LocalApic } from './local-apic';
import { DELIVERY, type InterruptRequest } from './message';

/** Connects senders (messages, IOAPICs, IPIs) with local APICs, and EOIs with IOAPICs. */
export class InterruptBus {
  readonly lapics: LocalApic[] = [];
  readonly ioapics: IoApic[] = [];
  readonly events: HardwareEvent[] = [];
  /** requests waiting in all local APICs: a quick test for "is there anything" */
  requested = 0;

  /** Brings a request to the local APICs that it addresses. @returns whether one took it */
  deliver(request: InterruptRequest): boolean {
    const addressed = this.lapics.filter(lapic => lapic.addressedBy(request.destination, request.logical));
    if (addressed.length === 0) {
      this.events.push({ kind: 'lost', request, cpu: null, why: 'no such destination' });
      return false;
    }
    const one = request.delivery === DELIVERY.LOWEST_PRIORITY || (request.redirect && request.logical);
    const takers = one ? [lowestPriority(addressed)] : addressed;
    return takers.map(lapic => this.deliverTo(lapic, request)).some(taken => taken);
  }

  /** @returns whether the local APIC took it */
  deliverTo(lapic: LocalApic, request: InterruptRequest): boolean {
    const { delivery, vector, level } = request;
    if (delivery === DELIVERY.FIXED || delivery === DELIVERY.LOWEST_PRIORITY) {
      const why = lapic.refuses(vector);
      if (why === null) lapic.accept(vector, level);
      else this.events.push({ kind: 'lost', request, cpu: lapic.cpu, why });
      return why === null;
    }
    this.events.push({ kind: 'signal', cpu: lapic.cpu, delivery, vector });
    return true;
  }

  /** A level interrupt has ended. */
  broadcastEoi(vector: number): void {
    for (const ioapic of this.ioapics) ioapic.eoi(vector);
  }
}

/** The least busy one; of equals the first CPU, so that a run repeats. */
function lowestPriority(lapics: readonly LocalApic[]): LocalApic {
  return lapics.reduce((best, lapic) => (lapic.processorPriority() < best.processorPriority() ? lapic : best));
}
