/** Error numbers of include/uapi/asm-generic/errno*.h; functions return them negative. */
export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const ENXIO = 6;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENOSPC = 28;
export const ERANGE = 34;
export const ENOSYS = 38;
export const ENOTEMPTY = 39;
export const EPROTO = 71;
export const EOVERFLOW = 75;
export const ENOTCONN = 107;
export const ETIMEDOUT = 110;
export const EALREADY = 114;
export const ECANCELED = 125;
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
