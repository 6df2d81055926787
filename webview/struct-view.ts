import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import type { Field, Struct } from '../debug-adapter/panel-protocol';
import { besideOf } from './beside';
import { changedStyles, valueOf } from './changed';

/** Members of members are shown; what lies deeper is for the Variables view. */
const DEEPEST = 1;

/** A kernel structure as a table of members, nested ones indented. */
class StructView extends LitElement {
  static override properties = { struct: { attribute: false } };
  declare struct: Struct;

  static override styles = [
    changedStyles,
    css`
      table { border-collapse: collapse; width: 100%; }
      caption { text-align: left; font-weight: 600; padding: 2px 0; font-family: var(--vscode-editor-font-family); }
      th { text-align: left; font-weight: normal; color: var(--vscode-descriptionForeground); padding: 1px 12px 1px 0; vertical-align: top; white-space: nowrap; font-family: var(--vscode-editor-font-family); }
      td { padding: 1px 0; width: 100%; }
      .depth1 { padding-left: 14px; }
    `,
  ];

  override render(): TemplateResult {
    return html`<table>
      <caption>struct ${this.struct.type}${besideOf(this.struct)}</caption>
      <tbody>${this.struct.fields.map((field) => this.row(field, 0))}</tbody>
    </table>`;
  }

  private row(field: Field, depth: number): TemplateResult {
    const members = depth < DEEPEST ? field.fields : undefined;
    return html`<tr>
        <th scope="row" class="depth${depth}">${field.name}</th>
        <td>${members && field.type ? html`${valueOf({ ...field, value: field.type })}${besideOf(field)}` : valueOf(field)}</td>
      </tr>
      ${members ? members.map((inner) => this.row(inner, depth + 1)) : nothing}`;
  }
}

customElements.define('struct-view', StructView);
