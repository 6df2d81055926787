import { type ChangeId, changeOf } from '../../kernel/changes';
import type { LATER } from '../../kernel/changes/later';
import type { RewordingId } from './rewordings';

// Kernels behind the last one of the model. What they do otherwise, or at another time, are changes of the model; what they print otherwise is in rewordings.ts.

/** A kernel behind the last one of the model: it is replayed as `base` with those changes of the model, in those words. */
export interface LaterKernel {
  /** a key of KERNELS */
  readonly base: string;
  readonly changes: readonly (keyof typeof LATER & ChangeId)[];
  readonly rewordings: readonly RewordingId[];
}

const V6_1: LaterKernel = {
  base: 'v5.10.223',
  changes: ['msi-data-without-assert', 'msi-activate-each', 'msi-device-data', 'msi-quirk-by-reservation', 'affinity-set-at-alloc'],
  rewordings: ['irqd-bits', 'msi-can-mask', 'log-acpi-quiet', 'ioapic-message', 'ioapic-15-bit-destination', 'log-affinity-quiet', 'irq-vector-silent', 'irq-resolve-mapping', 'msi-mask-functions'],
};

const V6_12: LaterKernel = {
  base: V6_1.base,
  changes: [
    ...V6_1.changes, 'msi-checks-early', 'multi-msi-early-reject', 'msi-parent-domains', 'irq-domain-instantiate', 'xhci-one-interrupt', 'affinity-eperm', 'nvme-probe-waits', 'proc-requested-only',
    'affinity-file-modes', 'control-protection-exception', 'virtualization-exception', 'vector-cleanup-timer', 'posted-msi-vector', 'physical-destinations',
  ],
  rewordings: [...V6_1.rewordings, 'apic-static-calls', 'topology-log', 'parallel-bringup', 'apic-log-words', 'resend-list', 'synchronize-nested'],
};

/** Which units remap interrupts. */
export type Remapping = 'none' | 'intel' | 'amd';

/** What later kernels do otherwise where interrupts are remapped. */
const REMAPPED: LaterKernel['changes'] = ['ioapic-parent-by-fwspec', 'ir-isolated-msi', 'xhci-msi-as-msix'];
const V6_12_REMAPPED: Readonly<Record<Remapping, LaterKernel['changes']>> = {
  none: [],
  intel: ['vtd-msi-parent-domains', ...REMAPPED, 'dmar-fault-local'],
  amd: ['amd-msi-parent-domains', ...REMAPPED],
};

/** By the release that `uname` names; stable releases of one have had the same changes. */
const LATER_KERNELS: Readonly<Record<string, (remapping: Remapping) => LaterKernel>> = {
  'v6.1': () => V6_1,
  'v6.12': remapping => ({ ...V6_12, changes: [...V6_12.changes, ...V6_12_REMAPPED[remapping]] }),
};

/** @param versions as `v6.1.192` */
export const laterKernelOf = (versions: readonly string[], remapping: Remapping = 'none'): LaterKernel | undefined =>
  Object.entries(LATER_KERNELS).find(([release]) => versions.some(version => version === release || version.startsWith(`${release}.`)))?.[1](remapping);

/** The kernel as parseKernel() reads it. @param but changes that are left out */
export const kernelTextOf = ({ base, changes }: LaterKernel, but: readonly ChangeId[] = []): string => [base, ...changes.filter(id => !but.includes(id))].join('+');

/** The kernel's changes that are not without this one. */
export const dependentsOf = ({ changes }: LaterKernel, id: ChangeId): ChangeId[] => changes.filter(other => other !== id && needs(other, id));

const needs = (id: ChangeId, other: ChangeId): boolean => id === other || (changeOf(id).needs ?? []).some(needed => needs(needed as ChangeId, other));
