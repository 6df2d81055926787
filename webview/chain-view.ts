import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import type { Chain, Level } from '../debug-adapter/panel-protocol';
import { besideOf } from './beside';
import { changedStyles, valueOf } from './changed';
import './struct-view';

/** An interrupt on all its levels, from the device's domain to the CPU's. */
class ChainView extends LitElement {
  static override properties = { chain: { attribute: false } };
  declare chain: Chain;

  static override styles = [
    changedStyles,
    css`
      ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 6px 0; align-items: stretch; }
      li { display: flex; align-items: center; flex: 1 1 210px; }
      li + li::before { content: '\\2192'; padding: 0 8px; color: var(--vscode-descriptionForeground); }
      .level { flex: 1; align-self: stretch; border: 1px solid var(--vscode-widget-border, var(--vscode-contrastBorder, currentColor)); border-radius: 4px; padding: 6px 8px; min-width: 0; }
      .domain { font-weight: 600; }
      .chip { color: var(--vscode-descriptionForeground); }
      dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 0 0 8px; }
      dt { color: var(--vscode-descriptionForeground); }
      dd { margin: 0; min-width: 0; }
    `,
  ];

  override render(): TemplateResult {
    const { chain } = this;
    return html`<dl>
        <dt>handlers</dt>
        <dd>${chain.actions || 'none requested'}${besideOf(chain)}</dd>
        <dt>state</dt>
        <dd>${valueOf(chain.state)}</dd>
        <dt>affinity</dt>
        <dd>${valueOf(chain.affinity)} &nbsp;effective ${valueOf(chain.effectiveAffinity)}</dd>
      </dl>
      <ol aria-label="irq_data chain, outermost level first">
        ${chain.levels.map((level) => this.level(level))}
      </ol>`;
  }

  private level(level: Level): TemplateResult {
    return html`<li>
      <div class="level">
        <div class="domain">${level.domain ?? 'no domain'}</div>
        <div class="chip">chip ${level.chip}${besideOf(level)}</div>
        <div>hwirq ${valueOf(level.hwirq)}</div>
        ${level.chipData ? html`<struct-view .struct=${level.chipData}></struct-view>` : nothing}
      </div>
    </li>`;
  }
}

customElements.define('chain-view', ChainView);
