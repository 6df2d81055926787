import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import '@vscode-elements/elements/dist/vscode-tree/index.js';
import type { VscodeTreeItem } from '@vscode-elements/elements/dist/vscode-tree-item/vscode-tree-item.js';
import '@vscode-elements/elements/dist/vscode-tree-item/index.js';
import type { Device, Domain } from '../debug-adapter/panel-protocol';
import { besideOf } from './beside';
import { changedClass, changedStyles } from './changed';

/** The domains as a tree, with the devices that take their interrupts from them. */
class DomainTree extends LitElement {
  static override properties = { domains: { attribute: false }, selected: { attribute: false } };
  declare domains: Domain[];
  declare selected: number | null;

  static override styles = [
    changedStyles,
    css`
      vscode-tree-item { --vscode-tree-item-height: 22px; }
      .detail { color: var(--vscode-descriptionForeground); padding-left: 8px; }
    `,
  ];

  override render(): TemplateResult {
    return html`<vscode-tree aria-label="Interrupt domains" indent-guides="onHover" expand-mode="singleClick" @vsc-tree-select=${this.onSelect}>
      ${this.childrenOf(null)}
    </vscode-tree>`;
  }

  private childrenOf(parent: number | null): TemplateResult[] {
    return this.domains.filter((domain) => domain.parent === parent).map((domain) => this.domain(domain));
  }

  private domain(domain: Domain): TemplateResult {
    const children = this.childrenOf(domain.id);
    return html`<vscode-tree-item open data-domain=${domain.name}>
      <span class=${changedClass(domain.changed)}>${domain.name}</span>
      <span class="detail">${domain.mapped} mapped, ${domain.busToken}, ${domain.flags}${besideOf(domain)}</span>
      ${children} ${domain.devices.map((device) => this.device(device))}
    </vscode-tree-item>`;
  }

  private device(device: Device): TemplateResult {
    return html`<vscode-tree-item open data-device=${device.name}>
      ${device.name} ${device.driver ?? ''}
      <span class="detail">${device.kind ?? 'no MSI'}</span>
      ${device.irqs.map(
        (irq) => html`<vscode-tree-item data-irq=${irq} .selected=${irq === this.selected}>irq ${irq}</vscode-tree-item>`,
      )}
      ${device.irqs.length ? nothing : html`<vscode-tree-item>no interrupt allocated</vscode-tree-item>`}
    </vscode-tree-item>`;
  }

  /** Items selected from here stay selected beside the user's choice, and the event's detail differs between versions of the tree: the other one is meant. */
  private readonly onSelect = (): void => {
    const chosen = [...this.renderRoot.querySelectorAll<VscodeTreeItem>('vscode-tree-item[data-irq]')].filter((item) => item.selected).map((item) => Number(item.dataset['irq']));
    const irq = chosen.find((other) => other !== this.selected);
    if (irq !== undefined) this.dispatchEvent(new CustomEvent<number>('select-irq', { detail: irq }));
  };
}

customElements.define('domain-tree', DomainTree);
