import type { StepMap } from './scenario-file';

/** Keys of a step that say what is done; the others say how. */
export const ACTIONS = [
  'probe', 'remove', 'alloc', 'freeVectors', 'request', 'free', 'disable', 'enable', 'raise', 'write', 'expire', 'assert', 'deassert', 'affinity', 'vcpu', 'vcpuAffinity', 'uvSetup', 'uvTeardown', 'uvRaise', 'msiAlloc', 'msiFree', 'auxdata', 'sriov', 'call', 'eject', 'refuse', 'guest', 'suspend', 'resume', 'offline', 'online',
] as const satisfies readonly (keyof StepMap)[];

export type ActionKey = (typeof ACTIONS)[number];

/** The actions that a step names; a valid one names one. */
export const actionsOf = (step: StepMap): ActionKey[] => ACTIONS.filter(key => step[key] !== undefined);

/** Their text names no device. */
const BY_NAME: ReadonlySet<ActionKey> = new Set(['uvTeardown', 'uvRaise', 'call', 'suspend', 'resume']);

/** The device that an action is about, as it is written, and where in the step that stands. */
export function deviceOf(step: StepMap): { readonly name: string; readonly path: readonly string[] } | undefined {
  for (const key of ACTIONS) {
    const action = step[key];
    if (typeof action === 'string' && !BY_NAME.has(key)) return { name: action, path: [key] };
    if (typeof action === 'object' && 'device' in action && action.device !== undefined) return { name: action.device, path: [key, 'device'] };
  }
  return undefined;
}
