// The protocol's JSON schema, derived from its TypeScript types, and that of the adapter's own requests.
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
const COMPARE = schemaOf('debug-adapter/compare-protocol.ts');

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
ajv.addSchema(COMPARE, 'compare');
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

/** A request that the client sends. Custom requests are checked by the adapter's own types. */
export function checkRequest(command: string, args?: object): void {
  if (isOwn(command)) check(`${own(command)}/properties/arguments`, args);
  else if (!OPEN.has(command)) check(definition(`${capital(command)}Request`), { seq: 1, type: 'request', command, ...(args && { arguments: args }) });
}

/** A message that the adapter sends. */
export function checkMessage(message: DebugProtocol.ProtocolMessage): void {
  if (message.type === 'event') {
    const { event } = message as DebugProtocol.Event;
    const body: unknown = (message as DebugProtocol.Event).body;
    if (event === 'irqstep/compared') check('compare#/definitions/Compared', body);
    else check(definition(`${capital(event)}Event`), message);
    return;
  }
  const response = message as DebugProtocol.Response;
  if (!response.success) { check(definition('ErrorResponse'), response); return; }
  if (!isOwn(response.command)) { check(definition(`${capital(response.command)}Response`), response); return; }
  check(definition('Response'), response);
  check(`${own(response.command)}/properties/body`, response.body);
}

const isOwn = (command: string): boolean => command.startsWith('irqstep/');

/** Requests of the panel are in one contract, those of two sessions side by side in the other. */
function own(command: string): string {
  const contract = /^irqstep\/(compare|counterpart|goTo)$/.test(command) ? 'compare#/definitions/CompareRequests' : 'panel#/definitions/PanelRequests';
  return `${contract}/properties/${encodeURIComponent(command.replace('~', '~0').replace('/', '~1'))}`;
}
