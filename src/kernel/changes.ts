import type { Change } from './changes/change';
import { FIXES } from './changes/fixes';
import { LATER } from './changes/later';
import { REPOST } from './changes/repost';
import { SERIES_ALLOC_INFO } from './changes/series_alloc_info';
import { SERIES_DEVICE_MSI } from './changes/series_device_msi';
import { SERIES_DOMAINS } from './changes/series_domains';
import { SERIES_GETTERS } from './changes/series_getters';
import { STABLE } from './changes/stable';
import { V5_10 } from './changes/v5_10';
import { V5_9 } from './changes/v5_9';

export { GROUPS, type Change, type Group } from './changes/change';

/** The patches of the series as posted the second time, in their order. */
export const SERIES = { ...SERIES_GETTERS, ...SERIES_ALLOC_INFO, ...SERIES_DOMAINS, ...SERIES_DEVICE_MSI } as const;

/** What differs between the kernels that can be chosen. */
export const CHANGES = { ...SERIES, ...FIXES, ...V5_9, ...V5_10, ...STABLE, ...LATER, ...REPOST } as const;

export type ChangeId = keyof typeof CHANGES;

export const changeOf = (id: ChangeId): Change => CHANGES[id];

const SERIES_IDS = Object.keys(SERIES) as ChangeId[];
/** Patches of the series that were merged stand before those that were not. */
const MERGED_PATCHES = 38;
const FIXES_OF_V5_10: readonly ChangeId[] = ['dmar-hpet-msi-flags', 'kconfig-arch-fallbacks', 'vf-inherits-msi-domain'];

const v5_9 = Object.keys(V5_9) as ChangeId[];
const v5_10 = [...v5_9, ...SERIES_IDS.slice(0, MERGED_PATCHES), ...FIXES_OF_V5_10, ...(Object.keys(V5_10) as ChangeId[])];

const device_msi = [...v5_10, ...SERIES_IDS.slice(MERGED_PATCHES)];
/** Repairs of the series that went into v5.10's stable releases. */
const FIXES_OF_STABLE: readonly ChangeId[] = ['pci-msi-domain-after-arch-init'];

/** Kernels by name: the changes that each contains. */
export const KERNELS: Readonly<Record<string, readonly ChangeId[]>> = {
  'v5.9': v5_9,
  'v5.10': v5_10,
  'v5.10.223': [...v5_10, ...FIXES_OF_STABLE, ...(Object.keys(STABLE) as ChangeId[])],
  'v5.10+device-msi': device_msi,
  'v5.10+ims-repost': [...device_msi, 'repost-mask-bit', 'repost-ims', 'repost-vtd-dev-msi', 'repost-auxdata', 'repost-no-guests'],
};

/** What a reader must know of a kernel that never was. @returns undefined for one without patches that were not merged */
export function neverMerged(changes: ReadonlySet<ChangeId>): string | undefined {
  const unmerged = [...changes].filter(id => changeOf(id).release === null);
  if (unmerged.length === 0) return undefined;
  return `with patches posted in 2020${unmerged.some(id => id in REPOST) ? ' and 2021' : ''}, not in today's mainline`;
}

/** v5.9 with the first `patches` patches of the series. @param patches 0 to 46 */
export const firstPatches = (patches: number): readonly ChangeId[] => [...v5_9, ...SERIES_IDS.slice(0, patches)];
