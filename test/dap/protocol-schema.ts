// The protocol's JSON schema, derived from its TypeScript types, and that of the panel's requests.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import Ajv, { type ValidateFunction } from 'ajv';
import { createGenerator, type Config } from 'ts-json-schema-generator';
import type { DebugProtocol } from '@vscode/debugprotocol';

interface Schema {
  readonly definitions: Record<string, object>;
}

const PROTOCOL = schemaOf('node_modules/@vscode/debugprotocol/lib/debugProtocol.d.ts');
const PANEL = schemaOf('debug-adapter/panel-protocol.ts');

/** Deriving takes seconds: it is done once for each version of the file. */
function schemaOf(path: string): Schema {
  const hash = createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);
  const cache = `dist/test-cache/${hash}.schema.json`;
  if (!existsSync(cache)) {
    const config: Config = { path, type: '*', expose: 'all', skipTypeCheck: true, additionalProperties: false };
    mkdirSync(dirname(cache), { recursive: true });
    writeFileSync(cache, JSON.stringify(createGenerator(config).createSchema('*')));
  }
  return JSON.parse(readFileSync(cache, 'utf8')) as Schema;
}

const ajv = new Ajv({ allErrors: true, strict: false });
ajv.addSchema(PROTOCOL, 'protocol');
ajv.addSchema(PANEL, 'panel');
const compiled = new Map<string, ValidateFunction>();

/** @throws Error when there is no such definition, or the value is not what it says */
function check(schema: string, value: unknown): void {
  const validate = compiled.get(schema) ?? ajv.compile({ $ref: schema });
  compiled.set(schema, validate);
  if (!validate(value)) throw new Error(`${schema}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value)}`);
}

const definition = (name: string): string => `protocol#/definitions/DebugProtocol.${name}`;
const capital = (name: string): string => name[0].toUpperCase() + name.slice(1);

/** Arguments of these are the adapter's own. */
const OPEN = new Set(['launch', 'restart']);

/** A request that the client sends. Custom requests are checked by the panel's types. */
export function checkRequest(command: string, args?: object): void {
  if (isPanel(command)) check(`${panel(command)}/properties/arguments`, args);
  else if (!OPEN.has(command)) check(definition(`${capital(command)}Request`), { seq: 1, type: 'request', command, ...(args && { arguments: args }) });
}

/** A message that the adapter sends. */
export function checkMessage(message: DebugProtocol.ProtocolMessage): void {
  if (message.type === 'event') { check(definition(`${capital((message as DebugProtocol.Event).event)}Event`), message); return; }
  const response = message as DebugProtocol.Response;
  if (!response.success) { check(definition('ErrorResponse'), response); return; }
  if (!isPanel(response.command)) { check(definition(`${capital(response.command)}Response`), response); return; }
  check(definition('Response'), response);
  check(`${panel(response.command)}/properties/body`, response.body);
}

const isPanel = (command: string): boolean => command.startsWith('irqstep/');
const panel = (command: string): string => `panel#/definitions/PanelRequests/properties/${encodeURIComponent(command.replace('~', '~0').replace('/', '~1'))}`;
