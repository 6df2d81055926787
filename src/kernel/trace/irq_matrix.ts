import type { cpumap, irq_matrix } from '../irq/matrix';
import { flag, trace_event, unsigned } from './trace';

// Events of include/trace/events/irq_matrix.h.

const totals = (m: irq_matrix): string =>
  `online_maps=${m.online_maps} global_avl=${unsigned(m.global_available)}, global_rsvd=${unsigned(m.global_reserved)}, total_alloc=${unsigned(m.total_allocated)}`;

const global = (event: string) => (m: irq_matrix) => trace_event(event, totals(m));

const cpu = (event: string) => (bit: number, on: number, m: irq_matrix, cm: cpumap) => {
  const counts = `avl=${unsigned(cm.available)} alloc=${unsigned(cm.allocated)} managed=${unsigned(cm.managed)}`;
  trace_event(event, `bit=${bit} cpu=${on} online=${flag(cm.online)} ${counts} ${totals(m)}`);
};

export const trace_irq_matrix_online = global('irq_matrix_online');
export const trace_irq_matrix_offline = global('irq_matrix_offline');
export const trace_irq_matrix_reserve = global('irq_matrix_reserve');
export const trace_irq_matrix_remove_reserved = global('irq_matrix_remove_reserved');

export const trace_irq_matrix_assign_system = (bit: number, m: irq_matrix): void =>
  trace_event('irq_matrix_assign_system', `bit=${bit} ${totals(m)}`);

export const trace_irq_matrix_reserve_managed = cpu('irq_matrix_reserve_managed');
export const trace_irq_matrix_remove_managed = cpu('irq_matrix_remove_managed');
export const trace_irq_matrix_alloc_managed = cpu('irq_matrix_alloc_managed');
export const trace_irq_matrix_assign = cpu('irq_matrix_assign');
export const trace_irq_matrix_alloc = cpu('irq_matrix_alloc');
export const trace_irq_matrix_free = cpu('irq_matrix_free');
