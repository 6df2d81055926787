// What the client said of itself in `initialize`, and how positions are said to it.
import { fileURLToPath, pathToFileURL } from 'node:url';
import { request } from './protocol/registry';

export class Client {
  linesStartAt1 = true;
  columnsStartAt1 = true;
  uris = false;
  /** Fetches elements of lists by the page. */
  paging = false;
  /** Opens the model's listing by its URI, as VS Code with the extension does. */
  modelUris = false;
  /** Asks again for what it has been told is not so any more. */
  invalidated = false;

  /** Lines and columns of the model and of scenarios count from 1. */
  line = (line: number): number => (this.linesStartAt1 ? line : line - 1);
  column = (column: number): number => (this.columnsStartAt1 ? column : column - 1);
  fromLine = (line: number): number => (this.linesStartAt1 ? line : line + 1);
  fromColumn = (column: number): number => (this.columnsStartAt1 ? column : column + 1);

  path = (path: string): string => (this.uris ? pathToFileURL(path).href : path);
  fromPath = (path: string): string => (path.startsWith('file:') ? pathOf(path) : path);

  range({ line, column, endLine, endColumn }: { line: number; column: number; endLine: number; endColumn: number }): { line: number; column: number; endLine: number; endColumn: number } {
    return { line: this.line(line), column: this.column(column), endLine: this.line(endLine), endColumn: this.column(endColumn) };
  }
}

const INITIALIZE = {
  'clientID?': 'string',
  'linesStartAt1?': 'boolean',
  'columnsStartAt1?': 'boolean',
  'pathFormat?': 'string',
  'supportsVariablePaging?': 'boolean',
  'supportsInvalidatedEvent?': 'boolean',
} as const;

/** Of another machine, or not a path at all, it names no file: then it stays as it is. */
function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch {
    return url;
  }
}

export const clientRequests = [
  request('initialize', { args: INITIALIZE, capability: 'supportsValueFormattingOptions' }, (args, { client, capabilities }) => {
    client.linesStartAt1 = args.linesStartAt1 ?? true;
    client.columnsStartAt1 = args.columnsStartAt1 ?? true;
    client.uris = args.pathFormat === 'uri';
    client.paging = args.supportsVariablePaging ?? false;
    client.invalidated = args.supportsInvalidatedEvent ?? false;
    client.modelUris = args.clientID === 'vscode';
    return capabilities;
  }),
];
