import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { ToHost, ToPage } from '../../webview/messages';

// The panel's own bundle in a real browser, under the policy that the extension gives it, with a stand-in for VS Code's side.

const WEBVIEW = join(process.cwd(), 'dist', 'webview');
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'";

/** Theme variables as VS Code sets them on a webview's root, of two opposite themes. */
const THEMES = {
  dark: { foreground: '#cccccc', 'sideBar-background': '#181818', 'sideBarSectionHeader-background': '#181818', 'sideBarTitle-foreground': '#cccccc', 'icon-foreground': '#cccccc', 'list-inactiveSelectionBackground': '#37373d', 'list-activeSelectionBackground': '#04395e', 'list-activeSelectionForeground': '#ffffff', 'editor-background': '#1f1f1f', descriptionForeground: '#9d9d9d', focusBorder: '#0078d4', 'textLink-foreground': '#4daafc', 'widget-border': '#454545', 'charts-blue': '#3794ff', 'charts-orange': '#d18616', 'charts-yellow': '#cca700', 'charts-red': '#f14c4c', disabledForeground: '#7f7f7f' },
  light: { foreground: '#3b3b3b', 'sideBar-background': '#f8f8f8', 'sideBarSectionHeader-background': '#f8f8f8', 'sideBarTitle-foreground': '#3b3b3b', 'icon-foreground': '#3b3b3b', 'list-inactiveSelectionBackground': '#e4e6f1', 'list-activeSelectionBackground': '#e8e8e8', 'list-activeSelectionForeground': '#000000', 'editor-background': '#ffffff', descriptionForeground: '#616161', focusBorder: '#005fb8', 'textLink-foreground': '#005fb8', 'widget-border': '#c8c8c8', 'charts-blue': '#1a85ff', 'charts-orange': '#b35e00', 'charts-yellow': '#8a6d00', 'charts-red': '#d00000', disabledForeground: '#767676' },
} as const;

const STUB = `window.sent = []; let state = JSON.parse(sessionStorage.getItem('state') ?? 'null') ?? undefined;
window.acquireVsCodeApi = () => ({ postMessage: (m) => window.sent.push(m), getState: () => state, setState: (s) => sessionStorage.setItem('state', JSON.stringify(state = s)) });
window.violations = []; document.addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));`;

const style = (theme: keyof typeof THEMES): string =>
  `:root { --vscode-font-family: sans-serif; --vscode-font-size: 13px; --vscode-font-weight: normal; --vscode-editor-font-family: monospace; --vscode-editor-font-size: 13px; ${Object.entries(THEMES[theme])
    .map(([name, value]) => `--vscode-${name}: ${value};`)
    .join(' ')} } body { margin: 0; background: var(--vscode-editor-background); }`;

const HTML = (theme: string): string => `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${CSP}"><title>Interrupt hierarchy</title>
<link rel="stylesheet" href="/${theme}.css"><script src="/stub.js"></script></head><body class="vscode-${theme}"><irqstep-panel></irqstep-panel><script src="/panel.js"></script></body></html>`;

/** A running panel and what it told its host. */
export class PanelPage {
  private constructor(
    readonly page: Page,
    private readonly browser: Browser,
    private readonly server: Server,
  ) {}

  static async open(theme: keyof typeof THEMES = 'dark', executablePath: string): Promise<PanelPage> {
    const server = createServer((request, response) => {
      const path = request.url ?? '/';
      if (path === '/stub.js') response.setHeader('content-type', 'text/javascript').end(STUB);
      else if (path.endsWith('.css')) response.setHeader('content-type', 'text/css').end(style(path.slice(1, -4) as keyof typeof THEMES));
      else if (path === '/panel.js' && existsSync(join(WEBVIEW, 'panel.js'))) response.setHeader('content-type', 'text/javascript').end(readFileSync(join(WEBVIEW, 'panel.js')));
      else response.setHeader('content-type', 'text/html').end(HTML(theme));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
    const page = await browser.newPage({ viewport: { width: 900, height: 1100 } });
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return new PanelPage(page, browser, server);
  }

  async send(message: ToPage): Promise<void> {
    await this.page.evaluate((m) => window.postMessage(m, '*'), message);
    await this.page.evaluate(() => new Promise(requestAnimationFrame));
  }

  sent(): Promise<ToHost[]> {
    return this.page.evaluate(() => (window as unknown as { sent: ToHost[] }).sent);
  }

  violations(): Promise<string[]> {
    return this.page.evaluate(() => (window as unknown as { violations: string[] }).violations);
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.server.close();
  }
}
