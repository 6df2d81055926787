import * as vscode from 'vscode';

/** What the files of the template are called, and the names in them. */
const TEMPLATE = 'my-domain';
const FILES = [`${TEMPLATE}.irq.yaml`, `${TEMPLATE}.ts`] as const;
const TEMPLATES = 'templates/irq-domain';
const TYPINGS = 'irqstep-model.d.ts';
const PROJECT = 'tsconfig.json';
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** "irqstep: New irq domain": a module, a scenario that loads it, and what an editor needs to know of irqstep/model. */
export function registerNewDomain(context: vscode.ExtensionContext): void {
  context.subscriptions.push(vscode.commands.registerCommand('irqstep.newDomain', (folder?: vscode.Uri, name?: string) => newDomain(context.extensionUri, folder, name)));
}

async function newDomain(extension: vscode.Uri, chosen: vscode.Uri | undefined, named: string | undefined): Promise<void> {
  const folder = chosen ?? (await askFolder());
  const name = folder && (named ?? (await askName(folder)));
  if (name === undefined) return;
  const template = vscode.Uri.joinPath(extension, TEMPLATES);
  for (const file of FILES) await write(vscode.Uri.joinPath(folder!, file.replace(TEMPLATE, name)), renamed(await read(vscode.Uri.joinPath(template, file)), name));
  await writeTypings(extension, folder!);
  await vscode.window.showTextDocument(vscode.Uri.joinPath(folder!, `${name}.ts`), { viewColumn: vscode.ViewColumn.Beside, preview: false });
  await vscode.window.showTextDocument(vscode.Uri.joinPath(folder!, `${name}.irq.yaml`), { viewColumn: vscode.ViewColumn.One, preview: false });
}

/** What the editor has to know of irqstep/model; a project that is there already stays as it is. */
export async function writeTypings(extension: vscode.Uri, folder: vscode.Uri): Promise<void> {
  await write(vscode.Uri.joinPath(folder, TYPINGS), await read(vscode.Uri.joinPath(extension, 'dist', TYPINGS)));
  const project = vscode.Uri.joinPath(folder, PROJECT);
  if (!(await exists(project))) await write(project, await read(vscode.Uri.joinPath(extension, TEMPLATES, PROJECT)));
}

/** my-domain, MY-DOMAIN and my_domain, as the words of a name are written in each place. */
function renamed(text: string, name: string): string {
  return text.replaceAll(TEMPLATE, name).replaceAll(TEMPLATE.toUpperCase(), name.toUpperCase()).replaceAll(TEMPLATE.replaceAll('-', '_'), name.replaceAll('-', '_'));
}

async function askFolder(): Promise<vscode.Uri | undefined> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length === 1) return folders[0].uri;
  if (folders.length > 1) return (await vscode.window.showWorkspaceFolderPick({ placeHolder: 'Where shall the domain be?' }))?.uri;
  return (await vscode.window.showOpenDialog({ canSelectFolders: true, canSelectFiles: false, openLabel: 'Put the domain here' }))?.at(0);
}

async function askName(folder: vscode.Uri): Promise<string | undefined> {
  return vscode.window.showInputBox({
    title: 'New irq domain',
    prompt: 'Its name: the files and the domain are called so',
    value: TEMPLATE,
    validateInput: async name => {
      if (!NAME.test(name)) return 'expected words of small letters and digits, such as my-domain';
      for (const file of FILES) if (await exists(vscode.Uri.joinPath(folder, file.replace(TEMPLATE, name)))) return `${file.replace(TEMPLATE, name)} is there already; expected another name`;
      return undefined;
    },
  });
}

const read = async (uri: vscode.Uri): Promise<string> => new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
const write = (uri: vscode.Uri, text: string): Thenable<void> => vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));

async function exists(uri: vscode.Uri): Promise<boolean> {
  try {
    await vscode.workspace.fs.stat(uri);
    return true;
  } catch {
    return false;
  }
}
