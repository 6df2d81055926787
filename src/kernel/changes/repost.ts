import type { Change } from './change';

/** What was posted after the series, up to February 2021, by those who took the IMS driver over; none of it was merged. And one repair that nobody posted. */
export const REPOST = {
  'repost-mask-bit': {
    subject: 'irqchip: Add IMS (Interrupt Message Storm) driver - NOT FOR MERGING (as posted with the idxd driver, September 2020)',
    release: null,
    effect: 'bit 0 of a control word masks, as devices have it; a slot that is given back is still reset to 0, which now leaves it open',
    needs: ['v2-46'],
  },
  'repost-ims': {
    subject: 'irqchip: Add IMS (Interrupt Message Store) driver',
    release: null,
    effect: 'the array store with a number for each message (set_desc), slots reset when they are taken too, and masked, writes flushed; no queue store',
    needs: ['repost-mask-bit'],
  },
  'repost-vtd-dev-msi': {
    subject: 'iommu/vt-d: Add DEV-MSI support',
    release: null,
    effect: "an entry for a part of a device, with its PCI function's requester id; without it the VT-d driver stops at a BUG",
    needs: ['v2-39'],
  },
  'repost-auxdata': {
    subject: 'genirq: Set auxiliary data for an interrupt',
    release: null,
    effect: 'irq_set_auxdata(): a driver puts its PASID beside the mask bit without a race',
    needs: ['repost-ims'],
  },
  'repost-no-guests': {
    subject: 'platform-msi: Add platform check for subdevice irq domain',
    release: null,
    effect: 'no domain for message stores where CPUs, firmware or a remapping unit look like those of a guest: its host would not know of the messages',
    needs: ['v2-44'],
  },
  'ims-queue-usable': {
    subject: "(never posted) irqchip: the least that lets the IMS driver's queue store run",
    release: null,
    effect: 'a number for each message (set_desc), and a bus lock that passes over interrupts without a descriptor; without it the first allocation dereferences NULL',
    needs: ['v2-46'],
  },
} as const satisfies Record<string, Change>;
