import { EAGAIN, EBUSY, EINVAL, EIO, ENOENT, ENOMEM, ENOSPC, EPERM } from '../../kernel/lib/errno';

/** The C library's words for errors. */
const STRERROR: Record<number, string> = {
  [EPERM]: 'Operation not permitted',
  [ENOENT]: 'No such file or directory',
  [EIO]: 'Input/output error',
  [EAGAIN]: 'Resource temporarily unavailable',
  [ENOMEM]: 'Cannot allocate memory',
  [EBUSY]: 'Device or resource busy',
  [EINVAL]: 'Invalid argument',
  [ENOSPC]: 'No space left on device',
};

/** What the script's shell shows of a write that returned `ret`: a length or an errno. */
export const shellResult = (ret: number): string => (ret >= 0 ? 'rc=0' : `sh: write error: ${STRERROR[-ret] ?? `Unknown error ${-ret}`} rc=1`);
