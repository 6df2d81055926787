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
/** A line in the kernel's log, level err. */
export const pr_err = (text: string): void => printk('err', text);
/** A line in the kernel's log, level warn. */
export const pr_warn = (text: string): void => printk('warn', text);
/** A line in the kernel's log, level info. */
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

const CUT_HERE = '------------[ cut here ]------------';

/** What runs, and the calls that led there, but for what a model cannot know: registers and addresses. @param rip what runs if it is not the innermost call. Source: arch/x86/kernel/dumpstack.c, show_regs() */
function show_regs(rip?: string): string[] {
  const [innermost = '?', ...callers] = rip === undefined ? calls() : [rip, ...calls()];
  return [`RIP: 0010:${innermost}`, 'Call Trace:', ...callers.map(name => ` ${name}`)];
}

/** What the kernel prints around a warning, but for what a model cannot know: the line in the file, pid and modules. Source: kernel/panic.c, __warn() */
function __warn(where: string, text?: string): void {
  const report = [CUT_HERE, ...(text === undefined ? [] : [text]), `WARNING: CPU: ${kernel.this_cpu} at ${where}`, ...show_regs()];
  for (const line of report) printk('warn', line);
  warned(text ?? `WARNING at ${where}`, report);
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

/** The modelled kernel cannot go on: no fault of the tool. */
export class kernel_death extends Error {
  /** @param report what the kernel prints about it, line by line */
  constructor(
    message: string,
    readonly report: readonly string[],
  ) {
    super(message);
  }
}

/** A bug check that failed, or a panic. */
export class kernel_bug extends kernel_death {
  override readonly name = 'kernel BUG';
}

/** An exception of the CPU in kernel mode. @param rip what the CPU wanted to run, if it is no call. @returns what is said about it, logged. Source: arch/x86/kernel/dumpstack.c, __die() */
export function die(level: LogLevel, head: readonly string[], str: string, error_code: number, rip?: string): string[] {
  for (const line of head) printk(level, line);
  const body = [`${str}: ${error_code.toString(16).padStart(4, '0')} [#1] SMP`, `CPU: ${kernel.this_cpu}`, ...show_regs(rip)];
  for (const line of body) printk('warn', line);
  return [...head, ...body];
}

/** The kernel gives up. */
export function panic(text: string): never {
  const report = [`Kernel panic - not syncing: ${text}`, `CPU: ${kernel.this_cpu}`, 'Call Trace:', ...['dump_stack', 'panic', ...calls()].map(name => ` ${name}`)];
  for (const line of report) printk('emerg', line);
  throw new kernel_bug(report[0], report);
}

/** @throws kernel_bug where the condition holds. `where`: kernel file and function. */
export function BUG_ON(condition: boolean, where: string): void {
  if (!condition) return;
  const what = `kernel BUG at ${where}!`;
  throw new kernel_bug(what, die('emerg', [CUT_HERE, what], 'invalid opcode', 0));
}
