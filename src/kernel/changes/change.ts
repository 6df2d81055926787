/** What differs between kernels: one entry a commit or posted patch. */
export interface Change {
  /** upstream commit, where known */
  readonly commit?: string;
  /** its first line */
  readonly subject: string;
  /** of the series' cover letter; absent: not of the series */
  readonly group?: Group;
  /** first release that has it; null: never merged; absent: merged, it is not known when */
  readonly release?: string | null;
  /** what one sees */
  readonly effect: string;
  /** changes without which it does not build */
  readonly needs?: readonly string[];
  /** true: the model knows the kernel without it; absent: nothing of it shows, or what it replaces is not modelled */
  readonly removable?: true;
}

/** What the series is about, by the numbers of its cover letter. */
export const GROUPS = {
  1: 'a bug fix on the way',
  2: 'clean-up, and messages composed in one place',
  3: 'one way to ask for a remapping domain',
  4: 'one irq_alloc_info for all, generic MSI domain operations',
  5: 'every PCI device knows its MSI domain; the arch_*_msi_irqs() fallbacks go',
  6: 'x86 is ready for device MSI',
  7: 'device MSI',
  8: 'message stores: IMS',
} as const;

export type Group = keyof typeof GROUPS;
