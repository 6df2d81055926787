/** A module did what no domain, chip or driver may do. */
export class ModuleError extends Error {
  override readonly name = 'module error';
}

/** In a module. */
export interface Place {
  readonly path: string;
  readonly line: number;
  readonly column: number;
}

/** "./m.ts:3:7: " */
export const at = ({ path, line, column }: Place): string => `${path}:${line}:${column}: `;
