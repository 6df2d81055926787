import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import type { Patch, Series } from '../debug-adapter/panel-protocol';

/** The patches by group, with what each changes; choosing one, or a release, asks for a run there. */
class SeriesView extends LitElement {
  static override properties = { series: { attribute: false }, kernel: { attribute: false } };
  declare series: Series;
  declare kernel: string;

  static override styles = css`
    p, h3, ol { margin: 0; padding: 0; }
    .lead { color: var(--vscode-descriptionForeground); padding-bottom: 6px; }
    .kernels { display: flex; flex-wrap: wrap; gap: 4px 8px; padding-bottom: 8px; }
    h3 { font: inherit; font-weight: 600; padding: 10px 0 4px; }
    ol { list-style: none; }
    li { display: grid; grid-template-columns: 2.6em 1fr; gap: 0 8px; padding: 3px 0; border-left: 3px solid transparent; padding-left: 6px; }
    li.present { border-left-color: var(--vscode-charts-blue, var(--vscode-focusBorder)); }
    li.here { background: var(--vscode-list-inactiveSelectionBackground); }
    button { font: inherit; color: var(--vscode-textLink-foreground); background: none; border: 1px solid var(--vscode-widget-border, var(--vscode-descriptionForeground)); border-radius: 2px; padding: 0 6px; cursor: pointer; }
    button[aria-current='true'] { color: var(--vscode-foreground); font-weight: 600; border-color: var(--vscode-focusBorder); }
    button:focus-visible { outline: 1px solid var(--vscode-focusBorder); }
    button.beside { border-color: transparent; padding: 0 3px; }
    li > button { align-self: start; font-variant-numeric: tabular-nums; text-align: right; }
    .effect { color: var(--vscode-descriptionForeground); }
    li.here .effect { color: inherit; }
  `;

  override render(): TemplateResult {
    const { series, kernel } = this;
    return html`<p class="lead">${kernel}${this.where()}. Choosing a kernel or a patch starts the scenario again there; \u21C4 starts it there too, beside this run.</p>
      <div class="kernels">${[...series.kernels].map((name) => html`<span>${this.button(name, name, `Start again on ${name}`, name === kernel)}${this.beside(name)}</span>`)}</div>
      ${series.groups.map(
        ({ title, patches }) => html`<section>
          <h3>${title}</h3>
          <ol>${patches.map((patch) => this.patch(patch))}</ol>
        </section>`,
      )}`;
  }

  private where(): string {
    const { patches, groups } = this.series;
    const all = groups.reduce((sum, group) => sum + group.patches.length, 0);
    if (patches === null) return ' has some of the patches, marked at their left';
    return ` has ${patches === 0 ? 'none' : patches === all ? 'all' : `the first ${patches}`} of the ${all} patches`;
  }

  private patch({ number, subject, effect, needs, merged, present }: Patch): TemplateResult {
    const here = this.series.patches === number;
    const notes = [...(merged ? [] : ['not merged']), ...(needs.length > 0 ? [`needs ${needs.join(', ')}`] : [])];
    return html`<li class="${present ? 'present' : ''} ${here ? 'here' : ''}" data-patch=${number}>
      ${this.button(String(number), `series:${number}`, `Start again after patch ${number}`, here)}
      <div>
        <span>${subject}</span> ${this.beside(`series:${number}`)}
        <div class="effect">${effect}${notes.length > 0 ? html` (${notes.join('; ')})` : nothing}</div>
      </div>
    </li>`;
  }

  private button(text: string, kernel: string, label: string, current: boolean): TemplateResult {
    return html`<button aria-label=${label} title=${label} aria-current=${current} @click=${() => this.choose(kernel)}>${text}</button>`;
  }

  private beside(kernel: string): TemplateResult | typeof nothing {
    if (kernel === this.kernel) return nothing;
    const label = `Compare with ${kernel}, beside this run`;
    return html`<button class="beside" aria-label=${label} title=${label} @click=${() => this.dispatchEvent(new CustomEvent<string>('compare-kernel', { detail: kernel }))}>\u21C4</button>`;
  }

  private choose(kernel: string): void {
    this.dispatchEvent(new CustomEvent<string>('choose-kernel', { detail: kernel }));
  }
}

customElements.define('series-view', SeriesView);
