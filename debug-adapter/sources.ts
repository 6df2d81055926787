// Files: the model's own listing, which is what runs, and the scenario.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, isAbsolute, join, normalize } from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { ModuleInfo } from '../src/stepper/stepper';
import { modules } from '../src/stepper/registry';
import type { Client } from './client';
import { RequestError } from './protocol/errors';
import { request } from './protocol/registry';

const SCHEME = 'irqstep-model:/';

export class Sources {
  /** The listing's files on this machine that were compared with what runs. */
  private readonly onDisk = new Map<string, string | undefined>();

  /**
   * @param listing the folder where the model's listing is installed
   * @param scenario path of the scenario's file
   * @param own paths of the scenario's modules
   */
  constructor(
    private readonly client: Client,
    private readonly listing: string,
    readonly scenario: string,
    private readonly own: readonly string[] = [],
  ) {}

  /** The model's modules and the scenario's; what a script registers for its own steps has no text, and other sessions may have modules too. */
  get modules(): ModuleInfo[] {
    return modules().filter(({ source, path }) => source !== '' && (!isAbsolute(path) || this.own.includes(path)));
  }

  all(): DebugProtocol.Source[] {
    return [this.source(this.scenario), ...this.modules.map(module => this.source(module.path))];
  }

  /** @param path as the stepper knows it: `irq/msi.ts`, or the scenario's own */
  source(path: string): DebugProtocol.Source {
    const index = this.modules.findIndex(module => module.path === path);
    if (index < 0) return { name: basename(path), path: this.client.path(path) };
    const { hash } = this.modules[index];
    const checksums = [{ algorithm: 'SHA256' as const, checksum: hash }];
    if (this.own.includes(path)) return { name: basename(path), path: this.client.path(path), checksums };
    const common = { name: basename(path), origin: `kernel model, ${path}`, checksums };
    if (this.client.modelUris) return { ...common, path: SCHEME + path };
    const file = this.fileOf(this.modules[index]);
    return file === undefined ? { ...common, sourceReference: index + 1 } : { ...common, path: this.client.path(file) };
  }

  /** The stepper's path of a client's source, or why it has none. */
  pathOf({ path, sourceReference }: { readonly path?: string | undefined; readonly sourceReference?: number | undefined }): { readonly path: string } | { readonly why: string } {
    if (sourceReference !== undefined && sourceReference > 0) {
      const module = this.modules.find((_, i) => i === sourceReference - 1);
      return module ?? { why: `there is no source ${sourceReference}; there are ${this.modules.length}` };
    }
    if (path === undefined) return { why: 'the source has neither a path nor a reference' };
    if (path.startsWith(SCHEME)) return this.listed(path.slice(SCHEME.length));
    return this.file(normalize(this.client.fromPath(path)));
  }

  content(source: { readonly path?: string | undefined; readonly sourceReference?: number | undefined }): string {
    const found = this.pathOf(source);
    if ('why' in found) throw new RequestError(found.why);
    const module = this.modules.find(m => m.path === found.path);
    return module ? module.source : readFileSync(this.scenario, 'utf8');
  }

  private listed(path: string): { path: string } | { why: string } {
    return this.modules.some(module => module.path === path) ? { path } : { why: `the model has no file ${path}` };
  }

  private file(path: string): { path: string } | { why: string } {
    if (path === normalize(this.scenario)) return { path: this.scenario };
    const own = this.modules.find(m => this.own.includes(path) && m.path === path);
    if (own) return existsSync(path) && sha256(readFileSync(path)) === own.hash ? own : { why: 'this file has changed since the scenario was launched: restart it' };
    const slashed = path.replaceAll('\\', '/');
    const module = this.modules.find(m => slashed.endsWith(`/${m.path}`));
    if (!module) return { why: `this file is neither the scenario nor a part of the kernel model, and no module of the scenario` };
    if (existsSync(path) && sha256(readFileSync(path)) === module.hash) return module;
    return { why: `this file is not the ${module.path} that runs: its text is another` };
  }

  private fileOf(module: ModuleInfo): string | undefined {
    if (!this.onDisk.has(module.path)) {
      const file = join(this.listing, module.path);
      this.onDisk.set(module.path, existsSync(file) && sha256(readFileSync(file)) === module.hash ? file : undefined);
    }
    return this.onDisk.get(module.path);
  }
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** A client's reference to a file. */
export const SOURCE = { 'path?': 'string', 'sourceReference?': 'number' } as const;

export const sourceRequests = [
  request('loadedSources', { args: {}, capability: 'supportsLoadedSourcesRequest' }, (_args, { run }) => ({ sources: run?.sources.all() ?? [] })),

  request('source', { args: { sourceReference: 'number', 'source?': SOURCE } }, ({ sourceReference, source }, { run }) => {
    if (!run) throw new RequestError('source: nothing has been launched');
    return { content: run.sources.content(source ?? { sourceReference }), mimeType: 'text/typescript' };
  }),

  request(
    'breakpointLocations',
    { args: { source: SOURCE, line: 'number', 'endLine?': 'number', 'column?': 'number', 'endColumn?': 'number' }, capability: 'supportsBreakpointLocationsRequest' },
    ({ source, line, endLine }, { run, client }) => {
      const found = run?.sources.pathOf(source);
      if (!run || !found || 'why' in found) return { breakpoints: [] };
      const probes = run.stepper.probesBetween(found.path, client.fromLine(line), client.fromLine(endLine ?? line));
      return { breakpoints: probes.map(probe => client.range(probe)) };
    },
  ),
];
