import { die, kernel_death } from './printk';

/** An access through a bad pointer in the modelled kernel: no fault of the tool. */
export class kernel_oops extends kernel_death {
  override readonly name = 'kernel oops';
}

/** Says what the page fault handler says. @param how what the CPU did there @param error_code what the CPU reports. Source: arch/x86/mm/fault.c, show_fault_oops(), no_context() */
function oops(address: number, how: string, error_code: number, rip?: string): never {
  const hex = address.toString(16).padStart(16, '0');
  const what = `BUG: kernel NULL pointer dereference, address: ${hex}`;
  const head = [what, `#PF: supervisor ${how} in kernel mode`, `#PF: error_code(0x${error_code.toString(16).padStart(4, '0')}) - not-present page`];
  throw new kernel_oops(what, [...die('alert', head, 'Oops', error_code, rip), `CR2: ${hex}`]);
}

/** A function pointer about to be called. @throws kernel_oops for NULL */
export function called<F>(fn: F | null | undefined): F {
  return fn ?? oops(0, 'instruction fetch', 0x0010, '0x0');
}

/** A pointer to a structure about to be read. @param offset of the member in C, in bytes @param reader the function that reads, if it is no call in the model @throws kernel_oops for NULL */
export function member_of<S>(pointer: S | null | undefined, offset: number, reader?: string): S {
  return pointer ?? oops(offset, 'read access', 0x0000, reader);
}

/** A pointer to memory that is about to be written, from its beginning. @throws kernel_oops for NULL */
export function written<S>(pointer: S | null | undefined): S {
  return pointer ?? oops(0, 'write access', 0x0002);
}
