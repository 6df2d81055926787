import { readdirSync, statSync } from 'node:fs';
import { UsageError } from './arguments';

/** What is compared: a capture has at least one of them. */
const PARTS = /^(trace-vectors|irqlens)\.txt(\.gz)?$/;

export const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** @throws UsageError where the folder does not exist, or holds no capture */
export function checkCapture(path: string): void {
  if (!isFolder(path)) throw new UsageError(`there is no folder ${path}; expected one with a capture`);
  if (!readdirSync(path).some(file => PARTS.test(file))) throw new UsageError(`${path} holds no capture: neither trace-vectors.txt nor irqlens.txt is in it`);
}
