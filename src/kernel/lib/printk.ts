import { calls, has, kernel, warned } from '../world';

// There is no clock: what the kernel says at a limited rate is said each time.

/** Kernel log levels of include/linux/kern_levels.h. */
export type LogLevel = 'emerg' | 'alert' | 'err' | 'warn' | 'notice' | 'info' | 'debug';

/** One line of the kernel's log. */
export interface LogLine {
  readonly level: LogLevel;
  text: string;
  /** the CPU whose pr_cont() goes on with it; absent: its newline is out */
  open?: number;
}

export function printk(level: LogLevel, text: string): void {
  kernel.log.push({ level, text });
}

/** printk() without a newline: pr_cont() goes on. */
export function printk_open(level: LogLevel, text: string): void {
  kernel.log.push({ level, text, open: kernel.this_cpu });
}

/** Goes on with this CPU's line; a newline ends it. Where another line came between, or none is open, it begins one. Source: kernel/printk/printk.c, log_output() */
export function pr_cont(text: string): void {
  if (kernel.log.at(-1)?.open !== kernel.this_cpu) {
    if (text === '\n' && !has('log-empty-continuation')) return;
    printk_open('warn', '');
  }
  const line = kernel.log.at(-1)!;
  line.text += text.replace(/\n$/, '');
  if (text.endsWith('\n')) line.open = undefined;
}

export const pr_emerg = (text: string): void => printk('emerg', text);
export const pr_alert = (text: string): void => printk('alert', text);
export const pr_err = (text: string): void => printk('err', text);
export const pr_warn = (text: string): void => printk('warn', text);
export const pr_info = (text: string): void => printk('info', text);

/** Says nothing: dynamic debug is off, as nobody switches it on. What shows at this level is printk('debug'). */
export function pr_debug(text: string): void {}

/** pr_warn(), once for each `where`: kernel file and function, with what else tells one from another. */
export function pr_warn_once(text: string, where: string): void {
  if (first_time(where)) pr_warn(text);
}

function first_time(key: string): boolean {
  if (kernel.once.has(key)) return false;
  kernel.once.add(key);
  return true;
}

/** What the kernel prints around a warning, but for what a model cannot know: the line in the file, pid, modules, registers and addresses. Source: kernel/panic.c, __warn() */
function __warn(where: string, text?: string): void {
  printk('warn', '------------[ cut here ]------------');
  if (text !== undefined) pr_warn(text);
  printk('warn', `WARNING: CPU: ${kernel.this_cpu} at ${where}`);
  printk('warn', 'Call Trace:');
  for (const name of calls()) printk('warn', ` ${name}`);
  warned(text ?? `WARNING at ${where}`);
}

/** WARN_ON(): logs the place and the calls that led there. @returns the condition. `where`: kernel file and function. */
export function WARN_ON(condition: boolean, where: string): boolean {
  if (condition) __warn(where);
  return condition;
}

/** Like WARN_ON(), logged once for each place. @param place tells a function's places apart where it has several */
export function WARN_ON_ONCE(condition: boolean, where: string, place = ''): boolean {
  if (condition && first_time(`WARN ${where} ${place}`)) WARN_ON(true, where);
  return condition;
}

/** WARN(): WARN_ON() with a line of its own before. */
export function WARN(condition: boolean, text: string, where: string): boolean {
  if (condition) __warn(where, text);
  return condition;
}

/** Like WARN(), logged once for each place. */
export function WARN_ONCE(condition: boolean, text: string, where: string): boolean {
  if (condition && first_time(`WARN ${where}`)) WARN(true, text, where);
  return condition;
}

/** A bug check that failed in the modelled kernel: no fault of the tool. */
export class kernel_bug extends Error {
  override readonly name = 'kernel BUG';
}

/** The kernel gives up. */
export function panic(text: string): never {
  printk('emerg', `Kernel panic - not syncing: ${text}`);
  throw new kernel_bug(`Kernel panic - not syncing: ${text}`);
}

export function BUG_ON(condition: boolean, where: string): void {
  if (!condition) return;
  printk('emerg', `kernel BUG at ${where}!`);
  throw new kernel_bug(`kernel BUG at ${where}!`);
}
