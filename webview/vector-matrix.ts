import { LitElement, css, html, type PropertyValues, type TemplateResult } from 'lit';
import type { Matrix, MatrixCpu, VectorOwner } from '../debug-adapter/panel-protocol';
import { besideOf, besideStyles } from './beside';
import { KIND_TEXT, cellsOf, type CellKind } from './vector-cells';

const ROW = 16;
const LABEL = 190;
const VISIBLE_ROWS = 24;

/** Theme colours of the kinds; each also has its own shape, so that colour is not needed to tell them apart. */
const COLOUR: Record<CellKind, string> = {
  outside: '--vscode-editorWidget-background',
  free: '--vscode-editor-background',
  system: '--vscode-disabledForeground',
  reserved: '--vscode-charts-yellow',
  managed: '--vscode-charts-orange',
  allocated: '--vscode-charts-blue',
  moving: '--vscode-charts-red',
};

/** CPUs by vectors, drawn on one canvas of the rows in view; the line below says in words what the cursor is on. */
class VectorMatrix extends LitElement {
  static override properties = { matrix: { attribute: false }, owners: { attribute: false }, cpu: { state: true }, vector: { state: true } };
  declare matrix: Matrix;
  declare owners: Map<number, VectorOwner[]>;
  declare cpu: number;
  declare vector: number;
  private top = 0;
  private observer = new ResizeObserver(() => this.draw());

  static override styles = css`
    ${besideStyles}
    .figures { margin: 0 0 6px; }
    .view { position: relative; overflow-y: auto; max-height: ${VISIBLE_ROWS * ROW}px; }
    canvas { position: sticky; top: 0; display: block; width: 100%; }
    canvas:focus-visible { outline: 1px solid var(--vscode-focusBorder); }
    .where { min-height: 2.6em; margin: 6px 0 0; }
    .legend { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 6px 0 0; padding: 0; list-style: none; color: var(--vscode-descriptionForeground); }
    .allocated { color: var(--vscode-charts-blue); }
    .managed { color: var(--vscode-charts-orange); }
    .reserved { color: var(--vscode-charts-yellow); }
    .moving { color: var(--vscode-charts-red); }
    code { font-family: var(--vscode-editor-font-family); }
    button { font: inherit; color: var(--vscode-textLink-foreground); background: none; border: 0; padding: 0; cursor: pointer; }
  `;

  constructor() {
    super();
    this.cpu = 0;
    this.vector = 0x20;
    this.owners = new Map();
  }

  override disconnectedCallback(): void {
    this.observer.disconnect();
    super.disconnectedCallback();
  }

  override firstUpdated(): void {
    this.observer.observe(this.canvas);
  }

  override updated(changed: PropertyValues<this>): void {
    this.spacer.style.height = `${this.matrix.cpus.length * ROW}px`;
    if (changed.has('matrix') || changed.has('cpu')) this.needOwners();
    this.draw();
  }

  private get canvas(): HTMLCanvasElement {
    return this.renderRoot.querySelector('canvas')!;
  }

  private get spacer(): HTMLElement {
    return this.renderRoot.querySelector('.spacer')!;
  }

  override render(): TemplateResult {
    const m = this.matrix;
    return html`<p class="figures">
        global available <strong>${m.globalAvailable}</strong>, reserved <strong>${m.globalReserved}</strong>, allocated <strong>${m.totalAllocated}</strong>, online CPUs
        <strong>${m.onlineMaps}</strong>${besideOf(m)}
      </p>
      <div class="view" @scroll=${(e: Event) => this.scrolled(e.target as HTMLElement)}>
        <div class="spacer">
          <canvas
            tabindex="0"
            role="application"
            aria-roledescription="vector matrix"
            aria-label="Vectors of each CPU; arrow keys move, Enter selects the interrupt"
            aria-describedby="where"
            @keydown=${this.onKey}
            @click=${this.onClick}
          ></canvas>
        </div>
      </div>
      <p class="where" id="where" role="status">${this.describe()}</p>
      <ul class="legend">
        ${(['allocated', 'managed', 'reserved', 'moving', 'system', 'free'] as const).map((kind) => html`<li><span class=${kind} aria-hidden="true">${SIGN[kind]}</span> ${KIND_TEXT[kind]}</li>`)}
      </ul>`;
  }

  private row(): MatrixCpu | undefined {
    return this.matrix.cpus[this.cpu];
  }

  private describe(): TemplateResult {
    const row = this.row();
    if (!row) return html`No CPU.`;
    const kind = cellsOf(this.matrix, row)[this.vector];
    const owner = this.owners.get(row.cpu)?.find((o) => o.vector === this.vector);
    return html`CPU ${row.cpu}${row.online ? '' : ' (offline)'}, vector <code>0x${this.vector.toString(16)}</code> (${this.vector}): ${KIND_TEXT[kind]}${owner
        ? html`, <button @click=${() => this.choose(owner.irq)}>irq ${owner.irq}</button> ${owner.name}`
        : ''}.<br />CPU ${row.cpu}: available ${row.available}, allocated ${row.allocated}, managed ${row.managed}, managed in use ${row.managedAllocated}.`;
  }

  private needOwners(): void {
    const row = this.row();
    if (row && !this.owners.has(row.cpu)) this.dispatchEvent(new CustomEvent<number>('need-vectors', { detail: row.cpu }));
  }

  private choose(irq: number): void {
    this.dispatchEvent(new CustomEvent<number>('select-irq', { detail: irq }));
  }

  private scrolled(view: HTMLElement): void {
    this.top = Math.floor(view.scrollTop / ROW);
    this.draw();
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    const last = { cpu: this.matrix.cpus.length - 1, vector: this.matrix.matrixBits - 1 };
    const moves: Partial<Record<string, [number, number]>> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-VISIBLE_ROWS, 0], PageDown: [VISIBLE_ROWS, 0], Home: [0, -256], End: [0, 256] };
    const move = moves[event.key];
    if (move) {
      event.preventDefault();
      this.cpu = Math.min(Math.max(this.cpu + move[0], 0), last.cpu);
      this.vector = Math.min(Math.max(this.vector + move[1], 0), last.vector);
      this.reveal();
    } else if (event.key === 'Enter') {
      const owner = this.owners.get(this.row()?.cpu ?? -1)?.find((o) => o.vector === this.vector);
      if (owner) this.choose(owner.irq);
    }
  };

  private reveal(): void {
    const view = this.renderRoot.querySelector('.view')!;
    if (this.cpu < this.top) view.scrollTop = this.cpu * ROW;
    else if (this.cpu >= this.top + VISIBLE_ROWS) view.scrollTop = (this.cpu - VISIBLE_ROWS + 1) * ROW;
  }

  private readonly onClick = (event: MouseEvent): void => {
    const width = this.cellWidth();
    const vector = Math.floor((event.offsetX - LABEL) / width);
    const cpu = this.top + Math.floor(event.offsetY / ROW);
    if (vector < 0 || vector >= this.matrix.matrixBits || cpu >= this.matrix.cpus.length) return;
    this.vector = vector;
    this.cpu = cpu;
  };

  private cellWidth(): number {
    return Math.max((this.canvas.clientWidth - LABEL) / this.matrix.matrixBits, 1);
  }

  private draw(): void {
    const { canvas } = this;
    const rows = this.matrix.cpus.slice(this.top, this.top + VISIBLE_ROWS);
    const scale = window.devicePixelRatio;
    canvas.style.height = `${rows.length * ROW}px`;
    canvas.width = Math.round(canvas.clientWidth * scale);
    canvas.height = Math.round(rows.length * ROW * scale);
    const context = canvas.getContext('2d');
    if (!context) return;
    context.scale(scale, scale);
    const theme = getComputedStyle(this);
    const palette = Object.fromEntries(Object.entries(COLOUR).map(([kind, name]) => [kind, theme.getPropertyValue(name) || 'gray'])) as Record<CellKind, string>;
    context.font = `11px ${theme.getPropertyValue('--vscode-editor-font-family') || 'monospace'}`;
    context.textBaseline = 'middle';
    const ink = theme.getPropertyValue('--vscode-foreground') || 'currentColor';
    rows.forEach((row, i) => this.drawRow(context, row, i * ROW, palette, ink));
    this.drawCursor(context, theme.getPropertyValue('--vscode-focusBorder') || ink);
  }

  private drawRow(context: CanvasRenderingContext2D, row: MatrixCpu, y: number, palette: Record<CellKind, string>, ink: string): void {
    context.fillStyle = ink;
    context.fillText(`${row.changed ? '\u25B8' : ' '}CPU${String(row.cpu).padEnd(4)} avl ${String(row.available).padStart(3)} act ${String(row.allocated).padStart(3)}${row.online ? '' : ' off'}`, 0, y + ROW / 2);
    const width = this.cellWidth();
    cellsOf(this.matrix, row).forEach((kind, vector) => {
      context.fillStyle = palette[kind];
      const height = HEIGHT[kind];
      context.fillRect(LABEL + vector * width, y + ROW - 1 - height, Math.max(width - 0.5, 0.5), height);
    });
  }

  private drawCursor(context: CanvasRenderingContext2D, colour: string): void {
    const width = this.cellWidth();
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.strokeRect(LABEL + this.vector * width - 1, (this.cpu - this.top) * ROW + 0.5, width + 2, ROW - 1);
  }
}

/** How tall a cell of each kind stands: the second sign besides its colour. */
const HEIGHT: Record<CellKind, number> = { outside: 2, free: 2, system: 5, reserved: 8, managed: 14, allocated: 14, moving: 11 };
const SIGN: Record<CellKind, string> = { outside: '\u2581', free: '\u2581', system: '\u2583', reserved: '\u2585', managed: '\u2588', allocated: '\u2588', moving: '\u2586' };

customElements.define('vector-matrix', VectorMatrix);
