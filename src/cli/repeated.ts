import type { Aligned } from '../compare/align';
import { withoutFigures } from '../compare/figures';

/** Tells differences that are like one before but for the figures: those of a second vector are those of the first. */
export class Repeated {
  private readonly ids = new Map<string, number>();
  private readonly known = new Map<Aligned, number>();
  private readonly shown = new Set<number>();

  /** Whether one like it has been asked about before. */
  seen(aligned: Aligned): boolean {
    const id = this.idOf(aligned);
    if (this.shown.has(id)) return true;
    this.shown.add(id);
    return false;
  }

  /** Equal for differences that are alike. */
  private idOf(aligned: Aligned): number {
    const known = this.known.get(aligned);
    if (known !== undefined) return known;
    const { kind, a, b, children } = aligned;
    const inside = children.filter(child => child.kind !== 'same').map(child => this.idOf(child));
    const content = JSON.stringify([kind, ...[a, b].map(side => withoutFigures(side?.node.text ?? '')), ...inside]);
    const id = this.ids.get(content) ?? this.ids.size;
    this.ids.set(content, id);
    this.known.set(aligned, id);
    return id;
  }
}
