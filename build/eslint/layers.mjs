// The arrows of the design run one way: who may import whom.
import { dirname, relative, resolve, sep } from 'node:path';
import { ESLintUtils } from '@typescript-eslint/utils';

const base = ['src/hardware', 'src/kernel', 'src/stepper'];
const middle = [...base, 'src/text', 'src/scenario', 'src/capture'];

/** Layer: the folders and files that it may import besides its own. */
const MAY_IMPORT = /** @type {Record<string, readonly string[]>} */ ({
  'src/hardware': [],
  'src/stepper': [],
  'src/kernel': ['src/hardware', 'src/stepper/op'],
  'src/text': middle,
  'src/scenario': middle,
  'src/capture': [...middle, 'src/compare'],
  'src/compare': [],
  'src/recording': [...middle, 'src/compare'],
  'src/cli': [...middle, 'src/compare', 'src/recording'],
  'debug-adapter': [...middle, 'src/compare', 'src/recording'],
  'src/extension': ['debug-adapter', 'webview/messages', ...middle],
  webview: ['debug-adapter/panel-protocol'],
});

/** Layers that know VS Code. */
const KNOW_VSCODE = ['src/extension'];

export const layers = ESLintUtils.RuleCreator.withoutDocs({
  meta: {
    type: 'problem',
    docs: { description: 'imports follow the layers of the design' },
    messages: {
      layer: '{{layer}} may not import {{target}}; it may import {{allowed}}.',
      vscode: '{{layer}} may not know VS Code; only {{allowed}} may.',
    },
    schema: [],
    defaultOptions: [],
  },
  create(context) {
    const file = projectPath(context.cwd, context.filename);
    const layer = layerOf(file);
    if (!layer) return {};

    /** @param {{ source: import('@typescript-eslint/utils').TSESTree.StringLiteral | null }} node */
    function check({ source }) {
      if (!source || !layer) return;
      if (source.value === 'vscode' && !KNOW_VSCODE.includes(layer)) {
        context.report({ node: source, messageId: 'vscode', data: { layer, allowed: KNOW_VSCODE.join(', ') } });
      }
      if (!source.value.startsWith('.')) return;
      const target = projectPath(context.cwd, resolve(dirname(context.filename), source.value));
      const allowed = MAY_IMPORT[layer] ?? [];
      if (layerOf(target) === undefined || [layer, ...allowed].some(other => isIn(target, other))) return;
      context.report({ node: source, messageId: 'layer', data: { layer, target, allowed: allowed.join(', ') || 'no other layer' } });
    }

    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check };
  },
});

/** @param {string} path */
const layerOf = path => Object.keys(MAY_IMPORT).find(layer => isIn(path, layer));

/** @param {string} path @param {string} folder */
const isIn = (path, folder) => path === folder || path.startsWith(`${folder}/`);

/** @param {string} cwd @param {string} path */
const projectPath = (cwd, path) => relative(cwd, path).split(sep).join('/');
