// The scenario language: modules of the user's own, and what is called in them.

/**
 * From the scenario's folder, where it has to be, or at least in the workspace.
 * @pattern ^\.\.?/[^\\:*?"<>|]+\.ts$
 * @expected a path from here, such as ./my-domain.ts
 */
export type ModulePath = string;

/**
 * A function that one of the modules exports.
 * @pattern ^[A-Za-z_$][\w$]*$
 * @expected the name of an exported function
 */
export type FunctionName = string;

export interface CallSection {
  function: FunctionName;
  /** What it is called with. */
  args?: (ArgumentNumber | ArgumentText | ArgumentFlag)[];
}

/**
 * @expected a number
 */
export type ArgumentNumber = number;

/**
 * @expected a text
 */
export type ArgumentText = string;

/**
 * @expected true or false
 */
export type ArgumentFlag = boolean;

