import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import type { BitField, Message } from '../debug-adapter/panel-protocol';
import { besideOf } from './beside';
import { changedClass, changedStyles } from './changed';

const hex32 = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;

/** The composed MSI message and what its bits mean. */
class MessageView extends LitElement {
  static override properties = { message: { attribute: false } };
  declare message: Message;

  static override styles = [
    changedStyles,
    css`
      p { margin: 8px 0 4px; }
      table { border-collapse: collapse; }
      th, td { text-align: left; padding: 1px 12px 1px 0; vertical-align: top; }
      thead th, .doc { color: var(--vscode-descriptionForeground); font-weight: normal; }
    `,
  ];

  override render(): TemplateResult {
    const { message } = this;
    return html`<p>
        <strong>Message</strong>, ${message.format}:
        <code class=${changedClass(message.changed)}>${hex32(message.address_hi)} ${hex32(message.address_lo)} data ${hex32(message.data)}</code>${besideOf(message)}
      </p>
      ${message.fields.length > 0 ? this.bits(message.fields) : nothing}`;
  }

  private bits(fields: readonly BitField[]): TemplateResult {
    return html`<table aria-label="bits of the message">
        <thead><tr><th scope="col">word</th><th scope="col">bits</th><th scope="col">field</th><th scope="col">value</th><th scope="col">meaning</th></tr></thead>
        <tbody>
          ${fields.map(
            (field) => {
              const { word, bits: [high, low], name, value, doc } = field;
              return html`<tr><td>${word}</td><td>${high === low ? high : `${high}:${low}`}</td><td>${name}</td><td><code>${value}</code>${besideOf(field)}</td><td class="doc">${doc ?? ''}</td></tr>`;
            },
          )}
        </tbody>
      </table>`;
  }
}

customElements.define('message-view', MessageView);
