import type * as vscode from 'vscode';

/** The response to a request that lets the run go on. */
const RESUMES = ['continue', 'next', 'stepIn', 'stepOut', 'stepBack', 'reverseContinue', 'restart'];

interface Message {
  readonly type?: string;
  readonly event?: string;
  readonly command?: string;
  readonly success?: boolean;
}

/** Whether the run of a session goes on with this message of its adapter. */
export function isResume(message: unknown): boolean {
  const { type, event, command, success } = message as Message;
  return event === 'continued' || (type === 'response' && success === true && RESUMES.includes(command ?? ''));
}

export const isStop = (message: unknown): boolean => (message as Message).event === 'stopped';

interface Waiter {
  readonly isFor: (session: vscode.DebugSession) => boolean;
  readonly resolve: (session: vscode.DebugSession) => void;
  readonly reject: (error: Error) => void;
}

/** Which sessions are stopped, as their adapters say. */
export class Stops {
  private readonly stopped = new Set<vscode.DebugSession>();
  private waiters: readonly Waiter[] = [];

  isStopped(session: vscode.DebugSession): boolean {
    return this.stopped.has(session);
  }

  /** @returns whether the message is a stop */
  note(session: vscode.DebugSession, message: unknown): boolean {
    if (isResume(message)) this.stopped.delete(session);
    if (!isStop(message)) return false;
    this.stopped.add(session);
    const reached = this.waiters.filter(({ isFor }) => isFor(session));
    this.waiters = this.waiters.filter((waiter) => !reached.includes(waiter));
    for (const { resolve } of reached) resolve(session);
    return true;
  }

  /** The next stop of a session. Rejected when it ends before. */
  next(session: vscode.DebugSession): Promise<vscode.DebugSession> {
    return this.wait((other) => other === session).stopped;
  }

  /** The next stop of a session of this name, which need not have begun. */
  nextOf(name: string): { readonly stopped: Promise<vscode.DebugSession>; readonly cancel: () => void } {
    return this.wait(({ name: other }) => other === name);
  }

  /** It has ended. */
  forget(session: vscode.DebugSession): void {
    this.stopped.delete(session);
    const left = this.waiters.filter(({ isFor }) => isFor(session));
    this.waiters = this.waiters.filter((waiter) => !left.includes(waiter));
    for (const { reject } of left) reject(new Error(`${session.name} has ended`));
  }

  private wait(isFor: Waiter['isFor']): { readonly stopped: Promise<vscode.DebugSession>; readonly cancel: () => void } {
    let waiter: Waiter | undefined;
    const stopped = new Promise<vscode.DebugSession>((resolve, reject) => {
      waiter = { isFor, resolve, reject };
      this.waiters = [...this.waiters, waiter];
    });
    return { stopped, cancel: () => (this.waiters = this.waiters.filter((other) => other !== waiter)) };
  }
}
