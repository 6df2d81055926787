import { closeSync, openSync, readSync } from 'node:fs';
import type { Diagnostic } from './diagnostic';
import { MAX_BYTES, ofFile, tooLarge } from './yaml-source';

/** A file's text, or why there is none. */
export function readText(path: string): string | Diagnostic {
  try {
    const bytes = readAtMost(path, MAX_BYTES + 1);
    return bytes.length > MAX_BYTES ? tooLarge(path) : new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return ofFile(path, READ_ERRORS[code ?? ''] ?? message);
  }
}

/** A device or a pipe has no size, and may have no end. */
function readAtMost(path: string, limit: number): Uint8Array {
  const bytes = new Uint8Array(limit);
  const file = openSync(path, 'r');
  try {
    let length = 0;
    for (let got = -1; got !== 0 && length < limit; length += got) got = readSync(file, bytes, { offset: length });
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

const READ_ERRORS: Record<string, string> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a folder; expected a file',
  EACCES: 'the file may not be read',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'this is no text in UTF-8',
};
