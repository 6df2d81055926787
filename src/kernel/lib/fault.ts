import { printk } from './printk';

/** An access through a bad pointer in the modelled kernel: no fault of the tool. */
export class kernel_oops extends Error {
  override readonly name = 'kernel oops';
}

/** Says what the page fault handler says. @param how what the CPU did there @param error_code what the CPU reports */
function oops(address: number, how: string, error_code: number): never {
  const what = `BUG: kernel NULL pointer dereference, address: ${address.toString(16).padStart(16, '0')}`;
  printk('alert', what);
  printk('alert', `#PF: supervisor ${how} in kernel mode`);
  printk('alert', `#PF: error_code(0x${error_code.toString(16).padStart(4, '0')}) - not-present page`);
  throw new kernel_oops(what);
}

/** A function pointer about to be called. @throws kernel_oops for NULL */
export function called<F>(fn: F | null | undefined): F {
  return fn ?? oops(0, 'instruction fetch', 0x0010);
}

/** A pointer to a structure about to be read. @param offset of the member in C, in bytes @throws kernel_oops for NULL */
export function member_of<S>(pointer: S | null | undefined, offset: number): S {
  return pointer ?? oops(offset, 'read access', 0x0000);
}
