import { APIC_LVTT, APIC_TDCR, APIC_TMICT, LVT, TDCR_BY_16, TIMER_MODE } from '../../../../hardware/local-apic-registers';
import type { Op } from '../../../../stepper/op';
import { pr_info, pr_warn } from '../../../lib/printk';
import { kernel, machine } from '../../../world';
import { LOCAL_TIMER_VECTOR } from '../hw_irq';
import { apic_printk, APIC_VERBOSE, apic_write } from './apic';

// The local APIC's timer is measured: this part of arch/x86/kernel/apic/apic.c. The model has no clock; the machine says what its clocks count meanwhile.

const APIC_DIVISOR = 16;
const PMTMR_TICKS_PER_SEC = 3579545;
const NSEC_PER_SEC = 1_000_000_000;
const DEFAULT_HZ = 250;

/** CONFIG_HZ: 250 where nothing is said. */
function HZ(): number {
  const symbol = [...kernel.config.config].find(name => name.startsWith('HZ='));
  return symbol === undefined ? DEFAULT_HZ : Number(symbol.slice('HZ='.length));
}

/** Ticks of 100 ms. */
const LAPIC_CAL_LOOPS = (): number => HZ() / 10;

export const apic_timer_globals = () => ({
  /** bus clocks of one tick; 0: not measured yet */
  lapic_timer_period: 0,
});

/** What is counted in so many ticks, as the kernel prints a frequency: whole MHz, and the rest in ticks of 1 / HZ. */
function mhz(count: number): string {
  const per_mhz = 1_000_000 / HZ();
  return `${Math.floor(count / per_mhz)}.${String(count % per_mhz).padStart(4, '0')} MHz`;
}

/** Source: arch/x86/kernel/apic/apic.c, __setup_APIC_LVTT() */
function* __setup_APIC_LVTT(clocks: number, masked: boolean): Op {
  apic_write(APIC_LVTT, LVT.encode({ vector: LOCAL_TIMER_VECTOR, timer_mode: TIMER_MODE.PERIODIC, masked }));
  apic_write(APIC_TDCR, TDCR_BY_16);
  apic_write(APIC_TMICT, Math.floor(clocks / APIC_DIVISOR));
}

/** Clocks that were counted in 100 ms, set right where the PM timer counted more or less than that. */
interface counted {
  readonly delta: number;
  readonly deltatsc: number;
}

/** @returns null where there is no PM timer. Source: arch/x86/kernel/apic/apic.c, calibrate_by_pmtimer() */
function* calibrate_by_pmtimer(deltapm: number, { delta, deltatsc }: counted): Op<counted | null> {
  const pm_100ms = Math.floor(PMTMR_TICKS_PER_SEC / 10);
  const pm_thresh = Math.floor(pm_100ms / 100);

  apic_printk(APIC_VERBOSE, `... PM-Timer delta = ${deltapm}`);
  if (!deltapm) return null;

  if (deltapm > pm_100ms - pm_thresh && deltapm < pm_100ms + pm_thresh) {
    apic_printk(APIC_VERBOSE, '... PM-Timer result ok');
    return { delta, deltatsc };
  }

  const mult = Math.floor((NSEC_PER_SEC * 2 ** 22 + PMTMR_TICKS_PER_SEC / 2) / PMTMR_TICKS_PER_SEC);
  const ms = ((BigInt(deltapm) * BigInt(mult)) >> 22n) / 1_000_000n;
  pr_warn(`APIC calibration not consistent with PM-Timer: ${ms}ms instead of 100ms`);

  const adjusted = { delta: Math.floor((delta * pm_100ms) / deltapm), deltatsc: Math.floor((deltatsc * pm_100ms) / deltapm) };
  pr_info(`APIC delta adjusted to PM-Timer: ${adjusted.delta} (${delta})`);
  apic_printk(APIC_VERBOSE, `TSC delta adjusted to PM-Timer: ${adjusted.deltatsc} (${deltatsc})`);
  return adjusted;
}

/** The factor from nanoseconds to the timer's ticks, as a fixed point number of 32 bits. Source: arch/x86/kernel/apic/apic.c, lapic_init_clockevent() */
function lapic_clockevent_mult(): number {
  const ticks = Math.floor(kernel.lapic_timer_period / APIC_DIVISOR);
  return Number((BigInt(ticks) << 32n) / BigInt(NSEC_PER_SEC / HZ()));
}

/** @returns 0, or -1: the timer is too slow. Source: arch/x86/kernel/apic/apic.c, calibrate_APIC_clock() */
function* calibrate_APIC_clock(): Op<number> {
  apic_printk(APIC_VERBOSE, 'Using local APIC timer interrupts.');
  apic_printk(APIC_VERBOSE, 'calibrating APIC timer ...');

  yield* __setup_APIC_LVTT(0xffffffff, true);
  const { lapic, pmTimer, tsc } = machine.clocks;
  apic_printk(APIC_VERBOSE, `... lapic delta = ${lapic}`);

  const raw = { delta: lapic, deltatsc: tsc };
  const { delta, deltatsc } = (yield* calibrate_by_pmtimer(pmTimer, raw)) ?? raw;
  kernel.lapic_timer_period = Math.floor((delta * APIC_DIVISOR) / LAPIC_CAL_LOOPS());

  apic_printk(APIC_VERBOSE, `..... delta ${delta}`);
  apic_printk(APIC_VERBOSE, `..... mult: ${lapic_clockevent_mult()}`);
  apic_printk(APIC_VERBOSE, `..... calibration result: ${kernel.lapic_timer_period}`);
  apic_printk(APIC_VERBOSE, `..... CPU clock speed is ${mhz(Math.floor(deltatsc / LAPIC_CAL_LOOPS()))}.`);
  apic_printk(APIC_VERBOSE, `..... host bus clock speed is ${mhz(kernel.lapic_timer_period)}.`);

  if (kernel.lapic_timer_period < 1_000_000 / HZ()) {
    pr_warn('APIC frequency too slow, disabling apic timer');
    return -1;
  }
  return 0;
}

/** Every CPU ticks by its own timer; the machine's never does. Source: arch/x86/kernel/apic/apic.c, setup_APIC_timer() */
function* setup_APIC_timer(): Op {
  yield* __setup_APIC_LVTT(kernel.lapic_timer_period, false);
}

/** Source: arch/x86/kernel/apic/apic.c, setup_boot_APIC_clock() */
export function* setup_boot_APIC_clock(): Op {
  if (yield* calibrate_APIC_clock()) return;
  yield* setup_APIC_timer();
}

/** Source: arch/x86/kernel/apic/apic.c, setup_secondary_APIC_clock() */
export function* setup_secondary_APIC_clock(): Op {
  yield* setup_APIC_timer();
}
