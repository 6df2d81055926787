import { HPET_TN, HPET_Tn_CFG, HPET_Tn_ROUTE } from '../../../hardware/hpet';
import type { Op } from '../../../stepper/op';
import { IRQ_HANDLED, IRQF_NOBALANCING, IRQF_TIMER } from '../../include/interrupt';
import type { irq_data } from '../../include/irq';
import { msi_msg } from '../../include/msi';
import { irq_chip_compose_msi_msg } from '../../irq/chip';
import { irq_get_irq_data } from '../../irq/irqdesc';
import { disable_irq, enable_irq, free_irq, irq_set_affinity, request_irq } from '../../irq/manage';
import { cpumask } from '../../lib/cpumask';
import { pr_info } from '../../lib/printk';
import { type clock_event_device, clockevents_config_and_register } from '../../time/clockevents';
import { kernel, machine } from '../../world';
import { hpet_assign_irq, hpet_create_irq_domain } from './apic/msi_hpet';
import { clockevent_to_channel, type hpet_channel, hpet_init_clockevent, hpet_readl, hpet_writel } from './hpet';

// Each CPU gets a timer that sends it messages, where the local APICs' own timers may stop: this part of arch/x86/kernel/hpet.c.

const channel_of = (data: irq_data): hpet_channel => data.common.handler_data as hpet_channel;

/** Source: hpet_msi_unmask() */
export function* hpet_msi_unmask(data: irq_data): Op {
  const { num } = channel_of(data);
  hpet_writel(HPET_TN.with(hpet_readl(HPET_Tn_CFG(num)), { enable: 1, fsb: 1 }), HPET_Tn_CFG(num));
}

/** Source: hpet_msi_mask() */
export function* hpet_msi_mask(data: irq_data): Op {
  const { num } = channel_of(data);
  hpet_writel(HPET_TN.with(hpet_readl(HPET_Tn_CFG(num)), { enable: 0, fsb: 0 }), HPET_Tn_CFG(num));
}

/** The timer has no room for the upper half of an address. Source: hpet_msi_write() */
export function* hpet_msi_write({ num }: hpet_channel, msg: msi_msg): Op {
  hpet_writel(msg.data, HPET_Tn_ROUTE(num));
  hpet_writel(msg.address_lo, HPET_Tn_ROUTE(num) + 4);
}

/** The timer has forgotten all of it. Source: hpet_clkevt_msi_resume() */
function* hpet_clkevt_msi_resume(evt: clock_event_device): Op<number> {
  const hc = clockevent_to_channel(evt);
  const data = irq_get_irq_data(hc.irq)!;
  const msg = new msi_msg();

  yield* irq_chip_compose_msi_msg(data, msg);
  yield* hpet_msi_write(hc, msg);
  yield* hpet_msi_unmask(data);
  return 0;
}

/** Source: hpet_msi_interrupt_handler() */
function* hpet_msi_interrupt_handler(irq: number, data: unknown): Op<number> {
  const hc = data as hpet_channel;

  if (!hc.event_handler) {
    pr_info(`hpet: Spurious interrupt HPET channel ${hc.num}`);
    return IRQ_HANDLED;
  }

  yield* hc.event_handler(hc);
  return IRQ_HANDLED;
}

/** The interrupt is off while it goes where it belongs. @returns 0 or -1. Source: hpet_setup_msi_irq() */
function* hpet_setup_msi_irq(hc: hpet_channel): Op<number> {
  if (yield* request_irq(hc.irq, hpet_msi_interrupt_handler, IRQF_TIMER | IRQF_NOBALANCING, hc.name, hc)) return -1;

  yield* disable_irq(hc.irq);
  yield* irq_set_affinity(hc.irq, cpumask.of(kernel.nr_cpu_ids, hc.cpu));
  yield* enable_irq(hc.irq);

  return 0;
}

/** Source: init_one_hpet_msi_clockevent() */
function* init_one_hpet_msi_clockevent(hc: hpet_channel, cpu: number): Op {
  hc.cpu = cpu;
  kernel.cpu_hpet_channel[cpu] = hc;
  yield* hpet_setup_msi_irq(hc);

  yield* hpet_init_clockevent(hc, 110);
  hc.tick_resume = hpet_clkevt_msi_resume;

  yield* clockevents_config_and_register(hc);
}

/** Source: hpet_get_unused_clockevent() */
function* hpet_get_unused_clockevent(): Op<hpet_channel | null> {
  for (const hc of kernel.hpet_base.channels) {
    if (hc.mode !== 'CLOCKEVT' || hc.in_use) continue;
    hc.in_use = true;
    return hc;
  }
  return null;
}

/** On a CPU that has come up. Source: hpet_cpuhp_online() */
export function* hpet_cpuhp_online(cpu: number): Op<number> {
  const hc = yield* hpet_get_unused_clockevent();

  if (hc) yield* init_one_hpet_msi_clockevent(hc, cpu);
  return 0;
}

/** Its timer is free for another one. Source: hpet_cpuhp_dead() */
export function* hpet_cpuhp_dead(cpu: number): Op<number> {
  const hc = kernel.cpu_hpet_channel[cpu];

  if (!hc) return 0;
  yield* free_irq(hc.irq, hc);
  hc.in_use = false;
  kernel.cpu_hpet_channel[cpu] = null;
  return 0;
}

const boot_cpu_has_arat = (): boolean => machine.config.arat !== false;

/** The timers that send messages and are not taken, one for each CPU that there may be. Source: hpet_select_clockevents() */
export function* hpet_select_clockevents(): Op {
  const base = kernel.hpet_base;
  base.nr_clockevents = 0;

  if (kernel.hpet_msi_disable || boot_cpu_has_arat()) return;

  kernel.hpet_domain = yield* hpet_create_irq_domain(kernel.hpet_blockid);
  if (!kernel.hpet_domain) return;

  for (const hc of base.channels) {
    if (hc.mode !== 'UNUSED') continue;
    if (!HPET_TN.get(hc.boot_cfg, 'fsb_cap')) continue;

    hc.name = `hpet${hc.num}`;

    const irq = yield* hpet_assign_irq(kernel.hpet_domain, hc, hc.num);
    if (irq <= 0) continue;

    hc.irq = irq;
    hc.mode = 'CLOCKEVT';

    if (++base.nr_clockevents === kernel.cpu_possible_mask.weight) break;
  }

  // The kernel has the two the wrong way round.
  pr_info(`hpet: ${base.channels.length} channels of ${base.nr_clockevents} reserved for per-cpu timers`);
}
