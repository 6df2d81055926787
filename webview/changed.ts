import { css, html, nothing, type TemplateResult } from 'lit';
import type { Field } from '../debug-adapter/panel-protocol';
import { besideOf, besideStyles } from './beside';

/** Marks what differs from the last stop: by a sign and an underline, not by colour alone. */
export const changedStyles = css`
  ${besideStyles}
  .changed { text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: 2px; text-decoration-color: var(--vscode-editorGutter-modifiedBackground, currentColor); font-weight: 600; }
  .changed::before { content: '\\25B8\\00A0'; color: var(--vscode-editorGutter-modifiedBackground, currentColor); }
  code { font-family: var(--vscode-editor-font-family); font-size: var(--vscode-editor-font-size); overflow-wrap: anywhere; }
`;

/** A value, marked when it changed; the title says what it was. Beside it, what it is on another kernel. */
export function valueOf(field: Field): TemplateResult {
  if (!field.changed) return html`<code>${field.value}</code>${besideOf(field)}`;
  const was = field.was === undefined ? 'new' : `was ${field.was}`;
  return html`<code class="changed" title=${was} aria-label="${field.value}, changed, ${was}">${field.value}</code>${besideOf(field)}`;
}

export const changedClass = (changed: true | undefined): string | typeof nothing => (changed ? 'changed' : nothing);
