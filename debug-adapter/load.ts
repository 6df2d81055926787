import { loadScenario } from '../src/scenario/load';
import type { Load } from './launch';

/** Reads scenarios from their files. */
export const load: Load = (path, options) => {
  const loaded = loadScenario(path, undefined, options);
  if (!loaded.ok) return loaded;
  const { kernel, program } = loaded.scenario;
  return { ok: true, kernel, modules: program.paths, make: loaded.make };
};
