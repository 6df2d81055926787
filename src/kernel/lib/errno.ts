/** Error numbers of include/uapi/asm-generic/errno*.h; functions return them negative. */
export const EPERM = 1;
/** Nothing of that name or number. */
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
/** The kernel refuses; of /proc/irq/N/smp_affinity: the interrupt cannot be moved. */
export const EIO = 5;
/** No such device or address. */
export const ENXIO = 6;
/** Not now. */
export const EAGAIN = 11;
/** No memory. */
export const ENOMEM = 12;
/** Not allowed. */
export const EACCES = 13;
/** Somebody else has it. */
export const EBUSY = 16;
/** It is there already. */
export const EEXIST = 17;
/** No device that can do it. */
export const ENODEV = 19;
/** An argument that cannot be. */
export const EINVAL = 22;
/** No vector, entry or slot left. */
export const ENOSPC = 28;
/** A number out of range. */
export const ERANGE = 34;
/** There is no such function. */
export const ENOSYS = 38;
export const ENOTEMPTY = 39;
export const EPROTO = 71;
/** A value too large. */
export const EOVERFLOW = 75;
/** Nothing is connected. */
export const ENOTCONN = 107;
export const ETIMEDOUT = 110;
export const EALREADY = 114;
/** Given up. */
export const ECANCELED = 125;
/** The operation is not supported, inside of the kernel (524). */
export const ENOTSUPP = 524;

const byNumber = new Map(
  Object.entries({
    EPERM, ENOENT, ESRCH, EINTR, EIO, ENXIO, EAGAIN, ENOMEM, EACCES, EBUSY, EEXIST, ENODEV, EINVAL, ENOSPC, ERANGE, ENOSYS, ENOTEMPTY, EPROTO, EOVERFLOW, ENOTCONN, ETIMEDOUT, EALREADY, ECANCELED, ENOTSUPP,
  }).map(([name, number]) => [number, name]),
);

/** "-ENOSPC" for -28; undefined for what is no errno. */
export function errnoName(value: number): string | undefined {
  const name = byNumber.get(-value);
  return name === undefined ? undefined : `-${name}`;
}
