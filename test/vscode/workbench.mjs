// A VS Code workbench in a headless Chromium, with the extension loaded from this folder.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';
import { root } from '../../build/project.mjs';
import { findChromium } from '../../build/vscode/chromium.mjs';
import { installVsCodeServer } from '../../build/vscode/install.mjs';
import { startServer } from '../../build/vscode/server.mjs';

const BROWSER_FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const PATIENCE_MS = 60_000;

/**
 * @typedef {object} WorkbenchOptions
 * @property {string} [folder] the folder that it opens; default: examples
 * @property {string} [file] a file that it opens
 * @property {string} [extension] the extension's folder; default: this project
 * @property {string} [suite] a test entry (exporting `run`) for the extension host
 * @property {Record<string, string>} [env] environment of the extension host
 * @property {(context: import('playwright-core').BrowserContext) => Promise<void>} [prepare] called before the page opens
 */

/**
 * Installs what is missing, starts a server of its own and opens the page. Close it at the end.
 * @param {WorkbenchOptions} options
 */
export async function openWorkbench({ folder = join(root, 'examples'), file, extension = root, suite, env = {}, prepare } = {}) {
  const executablePath = await findChromium();
  const vscode = await installVsCodeServer();
  const data = mkdtempSync(join(tmpdir(), 'irqstep-vscode-'));
  // Without this flag the built workbench ignores the paths of an extension under development.
  const server = await startServer(vscode, data, env, ['--enable-smoke-test-driver']);
  /** @type {import('playwright-core').Browser | undefined} */
  let browser;

  async function close() {
    await browser?.close();
    await server.stop();
    rmSync(data, { recursive: true, force: true, maxRetries: 5 });
  }

  try {
    browser = await chromium.launch({ executablePath, headless: true, args: BROWSER_FLAGS });
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    // Tests reach nothing but this machine.
    await context.route(url => url.protocol.startsWith('http') && url.hostname !== '127.0.0.1', route => route.abort());
    await prepare?.(context);
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    /** @type {Record<string, string>} */
    const payload = { extensionDevelopmentPath: server.uri(extension), skipWelcome: 'true', skipReleaseNotes: 'true' };
    if (suite) payload.extensionTestsPath = server.uri(suite);
    if (file) payload.openFile = server.uri(file);
    await page.goto(server.url(folder, payload));
    return { ...driver(page), page, serverLog: server.log, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @typedef {Awaited<ReturnType<typeof openWorkbench>>} Workbench */

/**
 * What a person does, by the workbench's own means.
 * @param {import('playwright-core').Page} page
 */
function driver(page) {
  return {
    /** Waits for the workbench and, given one, for the language of the editor in front. @param {string} [language] */
    async ready(language) {
      await page.locator('.monaco-workbench').waitFor();
      if (language) await page.locator('#status\\.editor\\.mode', { hasText: language }).waitFor();
    },

    /** Runs a command by the title that the command palette shows. @param {string} title */
    async command(title) {
      await page.keyboard.press('F1');
      await page.locator('.quick-input-widget input').first().fill(`>${title}`);
      await page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().click();
    },

    /** Sets or removes the breakpoint of a line of the editor in front, by its gutter. @param {number} line 1-based */
    async toggleBreakpoint(line) {
      const number = page.locator('.editor-instance .margin-view-overlays .line-numbers', { hasText: new RegExp(`^${line}$`) });
      const glyphs = page.locator('.editor-instance .codicon-debug-breakpoint, .editor-instance .codicon-debug-breakpoint-unverified');
      const before = await glyphs.count();
      // A click is lost while the editor does not know yet that its language has breakpoints.
      for (let tries = 0; tries < 10 && (await glyphs.count()) === before; tries++) {
        const box = await number.boundingBox();
        if (!box) throw new Error(`line ${line} is not in view`);
        await page.mouse.click(box.x - 8, box.y + box.height / 2);
        await page.waitForTimeout(500);
      }
      if ((await glyphs.count()) === before) throw new Error(`no breakpoint appeared or went at line ${line}`);
    },

    /** Waits until a session has stopped. @returns {Promise<string[]>} the call stack view's frames, top first */
    async stopped() {
      await page.locator('.debug-toolbar').waitFor();
      await page.locator('.debug-top-stack-frame-line').first().waitFor();
      const frames = page.locator('.debug-call-stack .stack-frame');
      await frames.first().waitFor();
      return frames.allTextContents();
    },

    /** Opens a scope of the variables view if it is closed. @param {string} scope @returns {Promise<string[]>} the rows of the view */
    async variables(scope) {
      const rows = page.locator('.debug-variables .monaco-list-row');
      const row = rows.filter({ has: page.locator('.scope', { hasText: scope }) });
      await row.waitFor();
      if ((await row.getAttribute('aria-expanded')) === 'false') await row.click();
      await rows.nth(1).waitFor();
      return rows.allTextContents();
    },

    /** Waits until no session is left. */
    ended: () => page.locator('.debug-toolbar').waitFor({ state: 'hidden' }),

    /** The document inside the webview that is shown. */
    panel: () => page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame'),

    /** @param {string} name @returns {Promise<string>} the file, below dist/screenshots */
    async screenshot(name) {
      const path = join(root, 'dist', 'screenshots', `${name}.png`);
      mkdirSync(dirname(path), { recursive: true });
      await page.screenshot({ path });
      return path;
    },
  };
}
