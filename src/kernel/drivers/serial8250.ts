import type { Op } from '../../stepper/op';
import { IRQ_HANDLED } from '../include/interrupt';
import { free_irq, request_irq } from '../irq/manage';

// drivers/tty/serial/8250 as far as interrupts go: a port has its interrupt while it is open.

/** Interrupts of a PC's ports ttyS0 to ttyS3 (SERIAL_PORT_DFNS). */
export const PORT_IRQ = [4, 3, 4, 3];

function* serial8250_interrupt(_irq: number, _dev_id: unknown): Op<number> {
  return IRQ_HANDLED;
}

/** A port is opened. @returns 0 or an errno. Source: serial8250_do_startup(), univ8250_setup_irq(), serial_link_irq_chain() */
export function* serial8250_startup(line: number): Op<number> {
  const name = `ttyS${line}`;
  return yield* request_irq(PORT_IRQ[line], serial8250_interrupt, 0, name, name);
}

/** A port is closed. Source: serial8250_do_shutdown(), serial_unlink_irq_chain() */
export function* serial8250_shutdown(line: number): Op {
  yield* free_irq(PORT_IRQ[line], `ttyS${line}`);
}
