import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import '@vscode-elements/elements/dist/vscode-tree/index.js';
import type { VscodeTreeItem } from '@vscode-elements/elements/dist/vscode-tree-item/vscode-tree-item.js';
import '@vscode-elements/elements/dist/vscode-tree-item/index.js';
import type { Device, Domain, Irq, Members } from '../debug-adapter/panel-protocol';
import { besideOf } from './beside';
import { changedStyles } from './changed';

/** Of interrupts without a device, so many are listed; /proc/interrupts has them all. */
const LISTED = 200;

/** The domains as a tree, with the devices that take their interrupts from them, and what is in no domain. */
class DomainTree extends LitElement {
  static override properties = { domains: { attribute: false }, outside: { attribute: false }, selected: { attribute: false } };
  declare domains: Domain[];
  declare outside: Members;
  declare selected: number | null;

  static override styles = [
    changedStyles,
    css`
      vscode-tree-item { --vscode-tree-item-height: 22px; }
      .detail { color: var(--vscode-descriptionForeground); padding-left: 4px; }
      .name { flex: none; }
      [selected] > .detail { color: inherit; }
    `,
  ];

  override render(): TemplateResult {
    return html`<vscode-tree aria-label="Interrupt domains" indent-guides="onHover" expand-mode="singleClick" @vsc-tree-select=${this.onSelect}>
      ${this.childrenOf(null)} ${this.withoutDomain()}
    </vscode-tree>`;
  }

  private childrenOf(parent: number | null): TemplateResult[] {
    return this.domains.filter((domain) => domain.parent === parent).map((domain) => this.domain(domain));
  }

  private domain(domain: Domain): TemplateResult {
    const children = this.childrenOf(domain.id);
    return html`<vscode-tree-item open data-domain=${domain.name}>
      <span class="name ${domain.changed ? 'changed' : ''}">${domain.name}</span>
      <span class="detail">${domain.mapped} mapped, ${domain.busToken}, ${domain.flags}${besideOf(domain)}</span>
      ${children} ${this.members(domain)}
    </vscode-tree-item>`;
  }

  private withoutDomain(): TemplateResult | typeof nothing {
    const { devices, others } = this.outside;
    if (devices.length + others.length === 0) return nothing;
    return html`<vscode-tree-item open data-domain="">
      <i>in no domain</i>
      ${this.members(this.outside)}
    </vscode-tree-item>`;
  }

  private members({ devices, others }: Members): TemplateResult {
    return html`${devices.map((device) => this.device(device))} ${others.length > 0 ? this.others(others) : nothing}`;
  }

  private others(irqs: readonly Irq[]): TemplateResult {
    const open = irqs.some(({ irq }) => irq === this.selected);
    return html`<vscode-tree-item ?open=${open} data-others>
      <span class="name">other interrupts</span> <span class="detail">${irqs.length}</span>
      ${irqs.slice(0, LISTED).map((irq) => this.irq(irq))}
      ${irqs.length > LISTED ? html`<vscode-tree-item>and ${irqs.length - LISTED} more, see /proc/interrupts</vscode-tree-item>` : nothing}
    </vscode-tree-item>`;
  }

  private device({ name, driver, kind, irqs, pointsNowhere }: Device): TemplateResult {
    return html`<vscode-tree-item open data-device=${name}>
      <span class="name">${name} ${driver ?? ''}</span>
      <span class="detail">${kind ?? 'no MSI'}${pointsNowhere ? ', msi_domain NULL' : ''}</span>
      ${irqs.map((irq) => this.irq(irq))}
      ${irqs.length ? nothing : html`<vscode-tree-item>no interrupt allocated</vscode-tree-item>`}
    </vscode-tree-item>`;
  }

  private irq({ irq, actions }: Irq): TemplateResult {
    return html`<vscode-tree-item data-irq=${irq} .selected=${irq === this.selected}><span class="name">irq ${irq}</span> <span class="detail">${actions}</span></vscode-tree-item>`;
  }

  /** Items selected from here stay selected beside the user's choice, and the event's detail differs between versions of the tree: the other one is meant. */
  private readonly onSelect = (): void => {
    const chosen = [...this.renderRoot.querySelectorAll<VscodeTreeItem>('vscode-tree-item[data-irq]')].filter((item) => item.selected).map((item) => Number(item.dataset['irq']));
    const irq = chosen.find((other) => other !== this.selected);
    if (irq !== undefined) this.dispatchEvent(new CustomEvent<number>('select-irq', { detail: irq }));
  };
}

customElements.define('domain-tree', DomainTree);
