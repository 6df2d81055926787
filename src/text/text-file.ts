/** A file that the modelled kernel shows. A directory's path ends with a slash. */
export interface TextFile {
  readonly path: string;
  /** @throws KernelReadError where the kernel answers with an errno */
  read(): string;
}

/** What reading a file comes to where it does not work: the kernel's errno. */
export class KernelReadError extends Error {
  override readonly name = 'KernelReadError';
  constructor(
    readonly path: string,
    readonly errno: string,
    why: string,
  ) {
    super(`${path}: ${errno}: ${why}`);
  }
}
