// The panel's view of one interrupt: its levels, and what is being handed about.
import { AMD_MSI_DATA, DMAR_MSI_ADDRESS_LO } from '../../src/hardware/message';
import { XEN_PIRQ_ADDRESS_LO } from '../../src/hardware/xen/interface';
import type { msi_msg } from '../../src/kernel/include/msi';
import type { World } from '../../src/kernel/world';
import type { ChangeTracker } from './changes';
import type { BitField, Chain, Current, Field, Level, Message, Struct } from '../panel-protocol';
import { childrenOf, messageLayout, type Item } from '../variables/children';
import { describe } from '../variables/describe';
import { actionsOf, allocInfoOf, chipName, descOf, levelsOf, messageOf, msiDescOf, type Variables } from '../variables/interrupt';
import { hexText } from '../variables/numbers';
import { structOf } from '../variables/types';

/** Structures that lie within others; all else is a pointer, and its summary is enough. */
const EMBEDDED = new Set(['irq_cfg', 'msi_msg', 'pci_msi_attrib', 'platform_msi_desc', 'device_msi_desc', 'ims_slot', 'ioapic_alloc_info', 'irq_2_iommu', 'irte', 'irq_2_irte', 'irte_ga', 'union', 'pirq']);

export function chainOf({ kernel }: World, irq: number | undefined, changes: ChangeTracker): Chain | null {
  const desc = descOf(kernel, irq);
  if (!desc || irq === undefined) return null;
  const common = desc.irq_common_data;
  const levels = levelsOf(desc);
  const plain: Field[] = [
    fieldOf({ name: 'state_use_accessors', value: common.state_use_accessors, owner: 'irq_common_data' }),
    fieldOf({ name: 'affinity', value: common.affinity }),
    fieldOf({ name: 'effective_affinity', value: common.effective_affinity }),
    ...levels.map((level, i): Field => ({ name: `level ${i}`, value: '', fields: [fieldOf({ name: 'hwirq', value: level.hwirq }), ...membersOf(level.chip_data)] })),
  ];
  const [state, affinity, effectiveAffinity, ...marked] = changes.fields(`irq ${irq}`, plain);
  return {
    irq,
    actions: actionsOf(desc),
    state: state,
    affinity: affinity,
    effectiveAffinity: effectiveAffinity,
    levels: levels.map((level, i): Level => {
      const [hwirq, ...fields] = marked[i].fields!;
      const data = level.chip_data;
      return { domain: level.domain?.name ?? null, chip: chipName(level), hwirq: hwirq, chipData: typeof data === 'object' && data !== null ? { type: structOf(data), fields } : null };
    }),
  };
}

export function currentOf(frames: readonly Variables[], world: World, irq: number | undefined, changes: ChangeTracker): Current {
  const { kernel } = world;
  const info = allocInfoOf(frames);
  const desc = msiDescOf(frames, kernel, irq);
  const message = messageOf(frames, kernel, irq);
  const given = descOf(kernel, irq)?.irq_data.chip === kernel.hv_msi_irq_chip;
  return {
    allocInfo: info ? struct(info, 'irq_alloc_info', changes) : null,
    msiDesc: desc ? struct(desc, `msi_desc ${desc.irq || (irq ?? 0)}`, changes) : null,
    message: message ? messageFields(message, `message ${irq ?? 0}`, changes, given) : null,
  };
}

const struct = (value: object, key: string, changes: ChangeTracker): Struct => ({ type: structOf(value), fields: changes.fields(key, membersOf(value)) });

/** @param given by a Hyper-V host, which alone knows what it stands for */
function messageFields(msg: msi_msg, key: string, changes: ChangeTracker, given: boolean): Message {
  const { address_hi, address_lo, data } = msg;
  const layout = messageLayout(msg);
  const empty = address_hi === 0 && address_lo === 0 && data === 0;
  const opaque = given && layout.address_lo === DMAR_MSI_ADDRESS_LO;
  const words = empty || opaque ? [] : (['address_lo', 'data'] as const).flatMap(word => layout[word].fields.map((f): BitField => bitField(word, f, layout[word].get(msg[word], f.name))));
  return {
    address_hi,
    address_lo,
    data,
    format: empty ? 'none (all zero)' : opaque ? 'given by the Hyper-V host: its bits say nothing to a guest' : formatName(layout),
    fields: words,
    ...changes.value(key, 'message', `${address_hi} ${address_lo} ${data}`),
  };
}

function formatName({ address_lo, data }: ReturnType<typeof messageLayout>): string {
  if (address_lo === DMAR_MSI_ADDRESS_LO) return 'Intel remappable format';
  if (address_lo === XEN_PIRQ_ADDRESS_LO) return 'Xen: the number of a pirq';
  return data === AMD_MSI_DATA ? 'AMD: the number of a table entry' : 'compatibility format';
}

const bitField = (word: string, { name, low, size, doc }: { name: string; low: number; size: number; doc: string }, value: number): BitField => ({
  word,
  bits: [low + size - 1, low],
  name,
  value: hexText(value),
  ...(doc === '' ? {} : { doc }),
});

function membersOf(value: unknown): Field[] {
  if (typeof value !== 'object' || value === null) return [];
  const items = childrenOf(value).named();
  return items.filter(item => typeof item.value !== 'function').map(fieldOf);
}

/** A structure within the structure, and the bits of a register, lie below; of what is pointed to, the summary is enough. */
function fieldOf({ name, value, owner, text: shown, children }: Item): Field {
  const { text, type } = describe(value, { name, ...(owner === undefined ? {} : { owner }) });
  const fields = children ? children.named().map(fieldOf) : type !== undefined && EMBEDDED.has(type) ? membersOf(value) : undefined;
  return { name, value: shown ?? text, ...(type === undefined ? {} : { type }), ...(fields ? { fields } : {}) };
}
