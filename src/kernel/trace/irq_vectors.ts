import { flag, trace_event } from './trace';

// Events of arch/x86/include/asm/trace/irq_vectors.h.

const mod = (event: string) => (irq: number, vector: number, cpu: number, prev_vector: number, prev_cpu: number) =>
  trace_event(event, `irq=${irq} vector=${vector} cpu=${cpu} prev_vector=${prev_vector} prev_cpu=${prev_cpu}`);

const reserve = (event: string) => (irq: number, ret: number) => trace_event(event, `irq=${irq} ret=${ret}`);

const activate = (event: string) => (irq: number, is_managed: boolean, can_reserve: boolean, with_reserve: boolean) =>
  trace_event(event, `irq=${irq} is_managed=${flag(is_managed)} can_reserve=${flag(can_reserve)} reserve=${flag(with_reserve)}`);

export const trace_vector_config = (irq: number, vector: number, cpu: number, apicdest: number): void =>
  trace_event('vector_config', `irq=${irq} vector=${vector} cpu=${cpu} apicdest=0x${(apicdest >>> 0).toString(16).padStart(8, '0')}`);

export const trace_vector_update = mod('vector_update');
export const trace_vector_clear = mod('vector_clear');
export const trace_vector_reserve_managed = reserve('vector_reserve_managed');
export const trace_vector_reserve = reserve('vector_reserve');

/** @param vector the vector found, or the errno of the try */
export const trace_vector_alloc = (irq: number, vector: number, reserved: boolean): void =>
  trace_event('vector_alloc', `irq=${irq} vector=${Math.max(vector, 0)} reserved=${flag(reserved)} ret=${Math.min(vector, 0)}`);

/** @param vector the vector found, or the errno of the try */
export const trace_vector_alloc_managed = (irq: number, vector: number): void =>
  trace_event('vector_alloc_managed', `irq=${irq} vector=${Math.max(vector, 0)} ret=${Math.min(vector, 0)}`);

export const trace_vector_activate = activate('vector_activate');
export const trace_vector_deactivate = activate('vector_deactivate');

export const trace_vector_teardown = (irq: number, is_managed: boolean, has_reserved: boolean): void =>
  trace_event('vector_teardown', `irq=${irq} is_managed=${flag(is_managed)} has_reserved=${flag(has_reserved)}`);

export const trace_vector_setup = (irq: number, is_legacy: boolean, ret: number): void =>
  trace_event('vector_setup', `irq=${irq} is_legacy=${flag(is_legacy)} ret=${ret}`);

export const trace_vector_free_moved = (irq: number, cpu: number, vector: number, is_managed: boolean): void =>
  trace_event('vector_free_moved', `irq=${irq} cpu=${cpu} vector=${vector} is_managed=${flag(is_managed)}`);
