import { HPET_CFG, HPET_CFG_REGISTER, HPET_ID, HPET_ID_REGISTER, HPET_PERIOD, HPET_TN, HPET_Tn_CFG } from '../../../hardware/hpet';
import type { Op } from '../../../stepper/op';
import { cpuhp_setup_state } from '../../cpuhp_setup';
import { CPUHP } from '../../include/cpuhotplug';
import type { irq_domain } from '../../include/irqdomain';
import { ENODEV } from '../../lib/errno';
import { pr_warn } from '../../lib/printk';
import { type clock_event_device, clockevents_config_and_register } from '../../time/clockevents';
import { kernel, machine } from '../../world';
import { hpet_cpuhp_dead, hpet_cpuhp_online, hpet_select_clockevents } from './hpet_msi';

// High precision event timers, as far as they interrupt: arch/x86/kernel/hpet.c; those that send messages: hpet_msi.ts.

/** What a timer is used for: nothing; PIT or RTC; a CPU's clock; /dev/hpet. */
type hpet_mode = 'UNUSED' | 'LEGACY' | 'CLOCKEVT' | 'DEVICE';

/** A timer. C has its clock event device in a field. */
export class hpet_channel implements clock_event_device {
  name = '';
  cpu = 0;
  rating = 0;
  periodic = false;
  in_use = false;
  mode: hpet_mode = 'UNUSED';
  event_handler: clock_event_device['event_handler'] = null;
  set_state_periodic: clock_event_device['set_state_periodic'];
  set_state_oneshot = hpet_clkevt_set_state_oneshot;
  set_state_shutdown = hpet_clkevt_set_state_shutdown;
  tick_resume: clock_event_device['tick_resume'];

  constructor(
    readonly num: number,
    /** its configuration as firmware left it */
    readonly boot_cfg: number,
    /** of the IOAPIC pin that it is routed to; later the Linux interrupt */
    public irq: number,
  ) {}
}

export const hpet_globals = (nr_cpus: number) => ({
  /** 0: there is none, or it is not used */
  hpet_address: 0,
  hpet_blockid: 0,
  hpet_msi_disable: false,
  boot_hpet_disable: false,
  hpet_legacy_int_enabled: false,
  hpet_base: { nr_clockevents: 0, channels: [] as hpet_channel[] },
  hpet_domain: null as irq_domain | null,
  cpu_hpet_channel: new Array<hpet_channel | null>(nr_cpus).fill(null),
});

export const hpet_readl = (a: number): number => machine.read32(kernel.hpet_address + a);
export const hpet_writel = (d: number, a: number): void => machine.write32(kernel.hpet_address + a, d);

/** C: container_of(). Source: clockevent_to_channel() */
export const clockevent_to_channel = (evt: clock_event_device): hpet_channel => kernel.hpet_base.channels.find(hc => hc === evt)!;

const IS_ENABLED = (symbol: string): boolean => kernel.config.config.has(symbol);

/** hpet= of the command line. Source: hpet_setup(), disable_hpet() */
export function* hpet_setup(str: string): Op {
  for (const option of str.split(',')) if (option.startsWith('disable')) kernel.boot_hpet_disable = true;
}

const is_hpet_capable = (): boolean => !kernel.boot_hpet_disable && kernel.hpet_address !== 0;

/** Source: hpet_enable_legacy_int() */
function* hpet_enable_legacy_int(): Op {
  hpet_writel(HPET_CFG_REGISTER.with(hpet_readl(HPET_CFG), { legacy: 1 }), HPET_CFG);
  kernel.hpet_legacy_int_enabled = true;
}

const update_channel = ({ num }: hpet_channel, fields: Parameters<typeof HPET_TN.encode>[0]): void =>
  hpet_writel(HPET_TN.with(hpet_readl(HPET_Tn_CFG(num)), fields), HPET_Tn_CFG(num));

/** When is the clock's affair. Source: hpet_clkevt_set_state_periodic() */
function* hpet_clkevt_set_state_periodic(evt: clock_event_device): Op<number> {
  update_channel(clockevent_to_channel(evt), { enable: 1, periodic: 1, setval: 1, mode32: 1 });
  return 0;
}

/** Source: hpet_clkevt_set_state_oneshot() */
function* hpet_clkevt_set_state_oneshot(evt: clock_event_device): Op<number> {
  update_channel(clockevent_to_channel(evt), { periodic: 0, enable: 1, mode32: 1 });
  return 0;
}

/** Source: hpet_clkevt_set_state_shutdown() */
function* hpet_clkevt_set_state_shutdown(evt: clock_event_device): Op<number> {
  update_channel(clockevent_to_channel(evt), { enable: 0 });
  return 0;
}

/** Source: hpet_clkevt_legacy_resume() */
function* hpet_clkevt_legacy_resume(evt: clock_event_device): Op<number> {
  yield* hpet_enable_legacy_int();
  return 0;
}

/** Source: hpet_init_clockevent() */
export function* hpet_init_clockevent(hc: hpet_channel, rating: number): Op {
  hc.rating = rating;
  // As firmware left it: whether the timer can be periodic is not asked.
  if (HPET_TN.get(hc.boot_cfg, 'periodic')) {
    hc.periodic = true;
    hc.set_state_periodic = hpet_clkevt_set_state_periodic;
  }
}

/** Source: hpet_legacy_clockevent_register() */
function* hpet_legacy_clockevent_register(hc: hpet_channel): Op {
  hc.cpu = 0;
  hc.name = 'hpet';
  yield* hpet_init_clockevent(hc, 50);
  hc.tick_resume = hpet_clkevt_legacy_resume;
  hc.periodic = true;
  hc.set_state_periodic = hpet_clkevt_set_state_periodic;

  yield* hpet_enable_legacy_int();
  yield* clockevents_config_and_register(hc);
}

/** Source: hpet_cfg_working() */
function* hpet_cfg_working(): Op<boolean> {
  if (hpet_readl(HPET_CFG) !== 0xffffffff) return true;
  pr_warn('hpet: Config register invalid. Disabling HPET');
  return false;
}

/** In femtoseconds. */
const HPET_MIN_PERIOD = 100_000;
const HPET_MAX_PERIOD = 100_000_000;

/** @returns whether it stands in for the PIT. Source: hpet_enable(), less the counter */
export function* hpet_enable(): Op<boolean> {
  if (!is_hpet_capable()) return false;

  const period = hpet_readl(HPET_PERIOD);
  const id = HPET_ID_REGISTER.decode(hpet_readl(HPET_ID));
  const channels = id.number + 1;
  const is_sane = (yield* hpet_cfg_working()) && period >= HPET_MIN_PERIOD && period <= HPET_MAX_PERIOD;
  if (!is_sane || (IS_ENABLED('HPET_EMULATE_RTC') && channels < 2)) {
    kernel.hpet_address = 0;
    return false;
  }

  hpet_writel(HPET_CFG_REGISTER.with(hpet_readl(HPET_CFG), { enable: 0, legacy: 0 }), HPET_CFG);

  for (let i = 0; i < channels; i++) {
    const cfg = hpet_readl(HPET_Tn_CFG(i));
    kernel.hpet_base.channels.push(new hpet_channel(i, cfg, HPET_TN.get(cfg, 'route')));
    hpet_writel(HPET_TN.with(cfg, { enable: 0, level: 0, fsb: 0 }), HPET_Tn_CFG(i));
  }

  yield* hpet_start_counter();

  if (!id.legsup) return false;
  yield* hpet_legacy_clockevent_register(kernel.hpet_base.channels[0]);
  kernel.hpet_base.channels[0].mode = 'LEGACY';
  if (IS_ENABLED('HPET_EMULATE_RTC')) kernel.hpet_base.channels[1].mode = 'LEGACY';
  return true;
}

/** Source: hpet_start_counter() */
function* hpet_start_counter(): Op {
  hpet_writel(HPET_CFG_REGISTER.with(hpet_readl(HPET_CFG), { enable: 1 }), HPET_CFG);
}

/** The first timer that is free is for programs. Source: hpet_select_device_channel() */
function* hpet_select_device_channel(): Op {
  if (!IS_ENABLED('HPET')) return;
  const hc = kernel.hpet_base.channels.find(({ mode }) => mode === 'UNUSED');
  if (hc) hc.mode = 'DEVICE';
}

/** What is left is for programs too; nobody opens /dev/hpet here. Source: hpet_reserve_platform_timers() */
function* hpet_reserve_platform_timers(): Op {
  if (!IS_ENABLED('HPET')) return;
  for (const hc of kernel.hpet_base.channels) if (hc.mode === 'UNUSED') hc.mode = 'DEVICE';
}

/** When messages can be had. @returns 0 or an errno. Source: hpet_late_init() */
export function* hpet_late_init(): Op<number> {
  if (kernel.hpet_base.channels.length === 0) return -ENODEV;

  yield* hpet_select_device_channel();
  yield* hpet_select_clockevents();
  yield* hpet_reserve_platform_timers();

  if (kernel.hpet_base.nr_clockevents === 0) return 0;

  const ret = yield* cpuhp_setup_state(CPUHP.AP_X86_HPET_ONLINE, 'x86/hpet:online', hpet_cpuhp_online);
  if (ret) return ret;
  return yield* cpuhp_setup_state(CPUHP.X86_HPET_DEAD, 'x86/hpet:dead', undefined, hpet_cpuhp_dead);
}
