import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import '@vscode-elements/elements/dist/vscode-collapsible/index.js';
import type { Section, Snapshot, VectorOwner } from '../debug-adapter/panel-protocol';
import './chain-view';
import './domain-tree';
import './message-view';
import './series-view';
import './struct-view';
import './vector-matrix';
import { besideStyles, withBeside } from './beside';
import { host, loadState, saveState } from './host';
import type { PageState, ToPage } from './messages';

const SECTIONS: readonly { id: Section; title: string }[] = [
  { id: 'chain', title: 'Interrupt' },
  { id: 'current', title: 'Allocation info, descriptor and message' },
  { id: 'domains', title: 'Domains' },
  { id: 'matrix', title: 'Vector matrix' },
  { id: 'series', title: 'Kernel and patch series' },
];

/** The page: draws the last snapshot, tells the host what the user looks at. */
class IrqstepPanel extends LitElement {
  static override properties = { snapshot: { state: true }, session: { state: true }, idle: { state: true }, running: { state: true } };

  declare snapshot: Snapshot | null;
  declare session: string;
  /** Said while there is no snapshot. */
  declare idle: string;
  declare running: boolean;
  private other: Snapshot | undefined;
  private state: PageState = loadState();
  private owners = new Map<number, VectorOwner[]>();

  static override styles = css`
    ${besideStyles}
    :host { display: block; padding: 0 8px 16px; color: var(--vscode-foreground); font: var(--vscode-font-weight) var(--vscode-font-size) var(--vscode-font-family); }
    header { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; padding: 6px 2px; position: sticky; top: 0; background: var(--vscode-editor-background); z-index: 2; }
    h1 { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    h2 { font: inherit; font-weight: 600; margin: 0; }
    header .run { color: var(--vscode-descriptionForeground); }
    header button { font: inherit; color: var(--vscode-textLink-foreground); background: none; border: 0; padding: 0 2px; cursor: pointer; }
    header button:focus-visible { outline: 1px solid var(--vscode-focusBorder); }
    main.stale { opacity: 0.6; }
    .body { padding: 6px 4px 10px; }
    .note { color: var(--vscode-descriptionForeground); padding: 6px 2px; }
    .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 8px 16px; align-items: start; }
  `;

  constructor() {
    super();
    this.snapshot = null;
    this.session = '';
    this.idle = 'Waiting for a session to stop.';
    this.running = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener('message', this.onMessage);
    host.postMessage({ type: 'ready', irq: this.state.irq, sections: this.openSections() });
  }

  override disconnectedCallback(): void {
    window.removeEventListener('message', this.onMessage);
    super.disconnectedCallback();
  }

  private readonly onMessage = (event: MessageEvent<ToPage>): void => {
    const message = event.data;
    switch (message.type) {
      case 'snapshot':
        this.owners = new Map();
        this.snapshot = message.other ? withBeside(message.snapshot, message.other) : message.snapshot;
        this.other = message.other?.snapshot;
        this.session = message.session;
        this.running = false;
        break;
      case 'vectors':
        this.owners = new Map(this.owners).set(message.cpu, message.vectors);
        this.requestUpdate();
        break;
      case 'idle':
        this.snapshot = null;
        this.idle = message.reason;
        break;
      case 'running':
        this.running = true;
        // What another session showed last is not this one's.
        if (message.session !== this.session) this.snapshot = null;
        this.session = message.session;
        this.idle = `${message.session} is running.`;
        break;
    }
  };

  private openSections(): Section[] {
    return SECTIONS.map((s) => s.id).filter((id) => !this.state.closed.includes(id));
  }

  private remember(change: Partial<PageState>): void {
    this.state = { ...this.state, ...change };
    saveState(this.state);
    this.requestUpdate();
  }

  private select(irq: number | null): void {
    this.remember({ irq });
    host.postMessage({ type: 'select', irq });
  }

  private toggle(section: Section, open: boolean): void {
    const closed = this.state.closed.filter((id) => id !== section);
    this.remember({ closed: open ? closed : [...closed, section] });
    host.postMessage({ type: 'sections', sections: this.openSections() });
  }

  override render(): TemplateResult {
    const { snapshot } = this;
    if (!snapshot) return html`<p class="note" role="status">${this.idle}</p>`;
    return html`
      ${this.header(snapshot)}
      <main class=${this.running ? 'stale' : ''} aria-busy=${this.running}>
        ${SECTIONS.map(({ id, title }) => this.section(id, this.titleOf(id, title, snapshot), snapshot))}
      </main>
    `;
  }

  private header(snapshot: Snapshot): TemplateResult {
    return html`<header>
      <h1>Interrupt hierarchy</h1>
      <h2 aria-live="polite">${this.running ? 'Running' : `Statement ${snapshot.step.toLocaleString('en')}`}</h2>
      <span class="run">${this.session}, ${snapshot.kernel}${snapshot.kernelNote === undefined ? '' : ` (${snapshot.kernelNote})`}</span>
      ${this.other ? html`<span class="beside">${this.other.kernel}, statement ${this.other.step.toLocaleString('en')}</span>` : nothing}
      ${this.state.irq === null
        ? html`<span class="run">following the current frame</span>`
        : html`<span>irq ${this.state.irq} <button @click=${() => this.select(null)}>follow the frame again</button></span>`}
      <button @click=${() => host.postMessage({ type: 'openText', path: '/proc/interrupts' })}>/proc/interrupts</button>
    </header>`;
  }

  private titleOf(id: Section, title: string, snapshot: Snapshot): string {
    return id === 'chain' && snapshot.irq !== null ? `${title} ${snapshot.irq}` : title;
  }

  private section(id: Section, title: string, snapshot: Snapshot): TemplateResult {
    const open = !this.state.closed.includes(id);
    return html`<vscode-collapsible
      data-section=${id}
      heading=${title}
      ?open=${open}
      @vsc-collapsible-toggle=${(e: CustomEvent<{ open: boolean }>) => this.toggle(id, e.detail.open)}
    >
      <div class="body">${open ? this.content(id, snapshot) : nothing}</div>
    </vscode-collapsible>`;
  }

  private content(id: Section, snapshot: Snapshot): TemplateResult {
    switch (id) {
      case 'chain':
        return snapshot.chain
          ? html`<chain-view .chain=${snapshot.chain}></chain-view>`
          : html`<p class="note">${snapshot.note ?? 'No interrupt here. Choose one in the domain tree.'}</p>`;
      case 'current':
        return this.current(snapshot);
      case 'domains':
        return html`<domain-tree .domains=${snapshot.domains ?? []} .outside=${snapshot.outside ?? { devices: [], others: [] }} .selected=${snapshot.irq} @select-irq=${(e: CustomEvent<number>) => this.select(e.detail)}></domain-tree>`;
      case 'series':
        return snapshot.series
          ? html`<series-view .series=${snapshot.series} .kernel=${snapshot.kernel} @choose-kernel=${(e: CustomEvent<string>) => host.postMessage({ type: 'kernel', kernel: e.detail })} @compare-kernel=${(e: CustomEvent<string>) => host.postMessage({ type: 'compare', kernel: e.detail })}></series-view>`
          : html`<p class="note">The next stop shows it.</p>`;
      default:
        return snapshot.matrix
          ? html`<vector-matrix
              .matrix=${snapshot.matrix}
              .owners=${this.owners}
              @need-vectors=${(e: CustomEvent<number>) => host.postMessage({ type: 'vectors', cpu: e.detail })}
              @select-irq=${(e: CustomEvent<number>) => this.select(e.detail)}
            ></vector-matrix>`
          : html`<p class="note">There is no vector matrix yet.</p>`;
    }
  }

  private current({ current }: Snapshot): TemplateResult {
    if (!current || !(current.allocInfo || current.msiDesc || current.message))
      return html`<p class="note">No allocation is under way in this frame, and the interrupt has no msi_desc.</p>`;
    return html`<div class="pair">
        ${current.allocInfo ? html`<struct-view .struct=${current.allocInfo}></struct-view>` : nothing}
        ${current.msiDesc ? html`<struct-view .struct=${current.msiDesc}></struct-view>` : nothing}
      </div>
      ${current.message ? html`<message-view .message=${current.message}></message-view>` : nothing}`;
  }
}

customElements.define('irqstep-panel', IrqstepPanel);
