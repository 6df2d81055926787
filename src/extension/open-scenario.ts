import * as vscode from 'vscode';
import { loadScenario } from '../scenario/load';
import type { AboutSection } from '../scenario/scenario-file';
import { writeTypings } from './new-domain';

/** Headings of the list, in its order. */
const PLATFORMS: Record<AboutSection['platform'], string> = {
  native: 'Without remapping',
  'intel-remapping': 'Intel remapping',
  'amd-remapping': 'AMD remapping',
  'hpet-uv': 'HPET and UV',
  vmd: 'Intel VMD',
  xen: 'Xen',
  'hyper-v': 'Hyper-V',
  'device-msi': 'Device MSI and IMS (posted in 2020, not in mainline)',
  'own-domain': 'A domain of your own',
  series: 'What single patches of the series show',
};

interface Example extends vscode.QuickPickItem {
  readonly uri: vscode.Uri;
  readonly about: AboutSection;
}

const COPY: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon('copy'), tooltip: 'Copy into the workspace and open it there' };

/** "irqstep: Open a Scenario": the examples that come with the extension, by platform and question. */
export function registerOpenScenario(context: vscode.ExtensionContext): void {
  const folder = vscode.Uri.joinPath(context.extensionUri, 'examples');
  context.subscriptions.push(vscode.commands.registerCommand('irqstep.openScenario', () => openScenario(folder, context.extensionUri)));
}

async function openScenario(folder: vscode.Uri, extension: vscode.Uri): Promise<void> {
  const examples = await examplesBelow(folder);
  const pick = vscode.window.createQuickPick<Example | vscode.QuickPickItem>();
  pick.title = 'Open a scenario';
  pick.placeholder = 'What do you want to see?';
  pick.matchOnDescription = true;
  pick.matchOnDetail = true;
  pick.items = Object.entries(PLATFORMS).flatMap(([platform, label]) => {
    const own = examples.filter(({ about }) => about.platform === platform);
    return own.length === 0 ? [] : [{ label, kind: vscode.QuickPickItemKind.Separator }, ...own];
  });
  const done = (open: Promise<void>): void => {
    pick.hide();
    open.catch((error: unknown) => void vscode.window.showErrorMessage(`irqstep: ${error instanceof Error ? error.message : String(error)}`));
  };
  pick.onDidAccept(() => {
    const chosen = pick.selectedItems.at(0);
    if (chosen && 'uri' in chosen) done(show(chosen.uri));
  });
  pick.onDidTriggerItemButton(({ item }) => {
    if ('uri' in item) done(copy(item.uri, extension));
  });
  pick.onDidHide(() => pick.dispose());
  pick.show();
}

async function examplesBelow(folder: vscode.Uri): Promise<Example[]> {
  const entries = await vscode.workspace.fs.readDirectory(folder);
  const found = await Promise.all(
    entries.sort(([a], [b]) => a.localeCompare(b)).map(async ([name, type]) => {
      const uri = vscode.Uri.joinPath(folder, name);
      if (type === vscode.FileType.Directory) return examplesBelow(uri);
      return /\.irq\.ya?ml$/.test(name) ? exampleOf(uri) : [];
    }),
  );
  return found.flat();
}

async function exampleOf(uri: vscode.Uri): Promise<Example[]> {
  const loaded = loadScenario(uri.fsPath, new TextDecoder().decode(await vscode.workspace.fs.readFile(uri)));
  const about = loaded.ok ? loaded.scenario.file.about : undefined;
  if (!loaded.ok || !about) return [];
  const { title } = loaded.scenario;
  return [{ uri, about, label: about.question, description: title, detail: `${uri.path.replace(/^.*\/examples\//, '')}: ${about.source}`, buttons: [COPY] }];
}

async function show(uri: vscode.Uri): Promise<void> {
  await vscode.window.showTextDocument(uri);
}

/** One with modules has a folder, which comes with it. @throws Error where there is no folder to copy to, or the file is there already */
async function copy(uri: vscode.Uri, extension: vscode.Uri): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.at(0);
  if (!folder) throw new Error('no folder is open that the scenario could be copied to');
  const [file, parent] = uri.path.split('/').reverse();
  const loaded = loadScenario(uri.fsPath);
  const modules = loaded.ok ? loaded.scenario.program.paths : [];
  const into = modules.length === 0 ? folder.uri : vscode.Uri.joinPath(folder.uri, parent);
  const target = vscode.Uri.joinPath(into, file);
  await vscode.workspace.fs.copy(uri, target, { overwrite: false });
  for (const module of modules) await vscode.workspace.fs.copy(vscode.Uri.file(module), vscode.Uri.joinPath(into, module.replace(/^.*[\\/]/, '')), { overwrite: false });
  if (modules.length > 0) await writeTypings(extension, into);
  await show(target);
}
