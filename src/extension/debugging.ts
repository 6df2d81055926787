import { isAbsolute, relative, resolve } from 'node:path';
import * as vscode from 'vscode';

export const DEBUG_TYPE = 'irqstep';
const SCENARIO = /\.irq\.ya?ml$/;
/** Documents in the scenario language. */
export const SCENARIO_FILES: vscode.DocumentSelector = { pattern: '**/*.irq.{yaml,yml}' };

/** Debug type, its configurations and its adapter. */
export function registerDebugging(context: vscode.ExtensionContext): void {
  context.subscriptions.push(
    vscode.debug.registerDebugConfigurationProvider(DEBUG_TYPE, new ConfigurationProvider()),
    vscode.debug.registerDebugConfigurationProvider(DEBUG_TYPE, new ConfigurationProvider(), vscode.DebugConfigurationProviderTriggerKind.Dynamic),
    vscode.debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, new AdapterFactory(context.extensionUri)),
    vscode.commands.registerCommand('irqstep.debugScenario', debugScenario),
  );
}

/** A launch configuration for one scenario. */
export function launchOf(program: string): vscode.DebugConfiguration {
  return { type: DEBUG_TYPE, request: 'launch', name: `irqstep: ${program.replace(/^.*[\\/]/, '')}`, program };
}

async function debugScenario(uri?: vscode.Uri): Promise<void> {
  const scenario = uri ?? activeScenario();
  if (scenario) await vscode.debug.startDebugging(vscode.workspace.getWorkspaceFolder(scenario), launchOf(scenario.fsPath));
  else void vscode.window.showErrorMessage('Open a scenario first: a file that ends in .irq.yaml');
}

function activeScenario(): vscode.Uri | undefined {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return uri && SCENARIO.test(uri.path) ? uri : undefined;
}

class ConfigurationProvider implements vscode.DebugConfigurationProvider {
  async provideDebugConfigurations(folder: vscode.WorkspaceFolder | undefined): Promise<vscode.DebugConfiguration[]> {
    if (!folder) return [];
    const files = await vscode.workspace.findFiles(new vscode.RelativePattern(folder, '**/*.irq.{yaml,yml}'), '**/node_modules/**', 200);
    return files.map((file) => launchOf(file.fsPath)).sort((a, b) => a.name.localeCompare(b.name));
  }

  /** F5 without a launch.json arrives as an empty configuration. */
  resolveDebugConfiguration(_folder: vscode.WorkspaceFolder | undefined, config: vscode.DebugConfiguration): vscode.DebugConfiguration | undefined {
    if (config['program']) return config;
    const scenario = activeScenario();
    if (scenario) return { ...launchOf(scenario.fsPath), ...config, program: scenario.fsPath, type: DEBUG_TYPE, request: 'launch', name: config.name || launchOf(scenario.fsPath).name };
    void vscode.window.showErrorMessage('irqstep debugs a scenario: open a file that ends in .irq.yaml, or name one as "program" in launch.json.');
    return undefined;
  }

  /** The last word. */
  resolveDebugConfigurationWithSubstitutedVariables(folder: vscode.WorkspaceFolder | undefined, config: vscode.DebugConfiguration): vscode.DebugConfiguration {
    return withModules(config, folder);
  }
}

/** Modules are the workspace's own code. Whether it may run is the user's word alone: no launch.json can say it in place of him. */
function withModules(config: vscode.DebugConfiguration, folder: vscode.WorkspaceFolder | undefined): vscode.DebugConfiguration {
  const cwd = (config['cwd'] as string | undefined) ?? folder?.uri.fsPath;
  const trusted = vscode.workspace.isTrusted && isOfTrustedFolder(resolve(cwd ?? '', String(config['program'])));
  return { ...config, ...(cwd !== undefined && { cwd }), allowModules: trusted && config['allowModules'] !== false };
}

/** Who starts a VS Code without its question of trust says which folder the answer is for. */
function isOfTrustedFolder(program: string): boolean {
  const folder = process.env['IRQSTEP_TRUSTED_FOLDER'];
  if (folder === undefined) return true;
  const path = relative(folder, program);
  return !path.startsWith('..') && !isAbsolute(path);
}

/** The adapter is a process of its own: a long run in it cannot hold up the editor. */
class AdapterFactory implements vscode.DebugAdapterDescriptorFactory {
  constructor(private readonly extension: vscode.Uri) {}

  createDebugAdapterDescriptor(): vscode.DebugAdapterDescriptor {
    const adapter = vscode.Uri.joinPath(this.extension, 'dist', 'debug-adapter.js').fsPath;
    return new vscode.DebugAdapterExecutable(process.execPath, [adapter], { env: { ELECTRON_RUN_AS_NODE: '1' } });
  }
}
