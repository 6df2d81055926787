import * as vscode from 'vscode';
import { type Offer, offersAt } from '../scenario/complete';
import { SCENARIO_FILES } from './debugging';

/** Keys and values of the scenario language, from its schema. */
export function registerCompletion(context: vscode.ExtensionContext): void {
  context.subscriptions.push(vscode.languages.registerCompletionItemProvider(SCENARIO_FILES, { provideCompletionItems }, ' ', '-', '{', ','));
}

function provideCompletionItems(document: vscode.TextDocument, position: vscode.Position): vscode.CompletionItem[] {
  return offersAt(document.getText(), document.offsetAt(position)).map(item);
}

function item(offer: Offer): vscode.CompletionItem {
  const kind = offer.kind === 'key' ? vscode.CompletionItemKind.Property : vscode.CompletionItemKind.Value;
  const completion = new vscode.CompletionItem(offer.label, kind);
  completion.insertText = offer.kind === 'key' ? `${offer.label}: ` : offer.label;
  if (offer.doc) completion.documentation = offer.doc;
  return completion;
}
