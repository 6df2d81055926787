import type { World } from '../kernel/world';
import { right } from './format';

const HEADER = `#                                _-----=> irqs-off
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| /     delay
#           TASK-PID     CPU#  ||||   TIMESTAMP  FUNCTION
#              | |         |   ||||      |         |
`;

/** tracefs' `trace`. The model has no clock: an event's time is its place in the buffer, in microseconds; its task is not recorded. */
export function traceText({ kernel }: World): string {
  const entries = kernel.trace.length;
  const lines = kernel.trace.map(({ event, cpu, hardirq, irqs_off, text }, i) => {
    const flags = `${irqs_off ? 'd' : '.'}.${hardirq ? 'h' : '.'}.`;
    const time = `${right(Math.floor(i / 1e6), 5)}.${String(i % 1e6).padStart(6, '0')}`;
    return `${right('<...>', 16)}-0       [${String(cpu).padStart(3, '0')}] ${flags} ${time}: ${event}: ${text}\n`;
  });
  return `# tracer: nop\n#\n# entries-in-buffer/entries-written: ${entries}/${entries}   #P:${kernel.nr_cpu_ids}\n#\n${HEADER}${lines.join('')}`;
}
