import type { Op } from '../../stepper/op';
import { IRQF_COND_SUSPEND, IRQF_FORCE_RESUME, IRQF_NO_SUSPEND, type irqaction } from '../include/interrupt';
import type { irq_desc } from '../include/irqdesc';
import { WARN_ON_ONCE } from '../lib/printk';

/** Count what the action wants of suspend; all of a shared line have to agree. Source: kernel/irq/pm.c, irq_pm_install_action() */
export function* irq_pm_install_action(desc: irq_desc, action: irqaction): Op {
  const where = 'kernel/irq/pm.c irq_pm_install_action';
  desc.nr_actions++;
  if (action.flags & IRQF_FORCE_RESUME) desc.force_resume_depth++;
  WARN_ON_ONCE(desc.force_resume_depth !== 0 && desc.force_resume_depth !== desc.nr_actions, where);

  if (action.flags & IRQF_NO_SUSPEND) desc.no_suspend_depth++;
  else if (action.flags & IRQF_COND_SUSPEND) desc.cond_suspend_depth++;
  WARN_ON_ONCE(desc.no_suspend_depth !== 0 && desc.no_suspend_depth + desc.cond_suspend_depth !== desc.nr_actions, where);
}

export function* irq_pm_remove_action(desc: irq_desc, action: irqaction): Op {
  desc.nr_actions--;
  if (action.flags & IRQF_FORCE_RESUME) desc.force_resume_depth--;
  if (action.flags & IRQF_NO_SUSPEND) desc.no_suspend_depth--;
  else if (action.flags & IRQF_COND_SUSPEND) desc.cond_suspend_depth--;
}
