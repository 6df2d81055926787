import type { Section, Snapshot, VectorOwner } from '../debug-adapter/panel-protocol';

/** A session on another kernel that goes along, at the same place. */
export interface Other {
  session: string;
  snapshot: Snapshot;
}

/** What the extension host sends the page. Every message is whole: the page keeps no model state between them. */
export type ToPage =
  | { type: 'snapshot'; session: string; snapshot: Snapshot; other?: Other }
  | { type: 'vectors'; cpu: number; vectors: VectorOwner[] }
  /** nothing to show, and why */
  | { type: 'idle'; reason: string }
  | { type: 'running'; session: string };

/** What the page sends the host. */
export type ToHost =
  /** the page has loaded and wants the state; `irq` and `sections` are what it showed when it was hidden */
  | { type: 'ready'; irq: number | null; sections: Section[] }
  /** follow this interrupt; null: the one the frame is about */
  | { type: 'select'; irq: number | null }
  | { type: 'sections'; sections: Section[] }
  | { type: 'vectors'; cpu: number }
  | { type: 'openText'; path: string }
  /** start again on this kernel */
  | { type: 'kernel'; kernel: string }
  /** start this kernel beside the session */
  | { type: 'compare'; kernel: string };

/** What survives the page being hidden or reloaded. */
export interface PageState {
  irq: number | null;
  closed: Section[];
}
