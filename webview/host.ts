import type { PageState, ToHost } from './messages';

interface VsCodeApi {
  postMessage(message: ToHost): void;
  getState(): PageState | undefined;
  setState(state: PageState): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

/** May be acquired once in a page's life. */
export const host = acquireVsCodeApi();

export const loadState = (): PageState => host.getState() ?? { irq: null, closed: ['series'] };
export const saveState = (state: PageState): void => host.setState(state);
