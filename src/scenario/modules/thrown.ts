// Where in a module an error was thrown, also in a plain function, which has no frame.
import type { Instrumented } from '../../stepper/instrument';
import { probeOf } from '../../stepper/registry';
import { $, BudgetError, DepthError } from '../../stepper/runtime';
import { at, ModuleError, type Place } from './module-error';

interface Code {
  readonly path: string;
  readonly original: Instrumented['original'];
  /** lines and characters of the text before it */
  readonly lines: number;
  readonly columns: number;
}

/** The error, with the place of it that a module's author looks for. */
export function placed(error: Error): Error {
  const place = thrownAt(error);
  if (!place || error instanceof BudgetError || error instanceof DepthError || error instanceof ModuleError) return error;
  const found = new Error(`${at(place)}${error.message || error.name}`);
  found.name = error.name;
  return found;
}

/** What a function of irqstep/model says to a call that it cannot do, with the place of the call. */
export function refused(what: string): ModuleError {
  const place = thrownAt(new Error()) ?? ($.sp > 0 ? probeOf($.pos[$.sp]) : undefined);
  return new ModuleError(`${place ? at(place) : ''}${what}`);
}

/** Whether a module is to blame, and not the model. */
export const isOfModule = (error: Error): boolean => error instanceof ModuleError || error instanceof BudgetError || error instanceof DepthError || thrownAt(error) !== undefined;

const codes: Code[] = [];
const SCHEME = 'irqstep-module:';
/** What the host puts before a function's text: its parameters. */
const HEAD_LINES = 2;
const HEAD = '"use strict";';
const WRAPPER = 'return(()=>{';

/** @returns what has to stand before its code, and under which name the host knows it */
export function noteCode(path: string, { original }: Instrumented): { readonly head: string; readonly url: string } {
  codes.push({ path, original, lines: HEAD_LINES, columns: HEAD.length + WRAPPER.length });
  return { head: HEAD, url: `${SCHEME}${codes.length - 1}` };
}

/** A generator: below it stands who called the model. */
const RESUMED = /\n\s+at \S*\.?next \(<anonymous>\)/;
const PLACE = new RegExp(`${SCHEME}(\\d+):(\\d+):(\\d+)`);

/** @returns undefined for what was not thrown by a module's own statement, or by what is no Op and was called there */
export function thrownAt(error: Error): Place | undefined {
  const stack = error.stack ?? '';
  const resumed = stack.search(RESUMED);
  const found = PLACE.exec(resumed < 0 ? stack : stack.slice(0, resumed));
  if (!found) return undefined;
  const [id, line, column] = found.slice(1).map(Number);
  const { path, original, lines, columns } = codes[id];
  const own = line - lines;
  return { path, ...original(own, own === 1 ? column - columns : column) };
}
