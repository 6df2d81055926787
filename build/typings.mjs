// The typings of irqstep/model in dist/: made when something of theirs has changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './project.mjs';

/** Where the package has it. */
const TYPINGS = join(root, 'dist', 'irqstep-model.d.ts');
/** What it was made of. */
const MADE_OF = join(root, 'dist', 'build', 'typings.json');

/** Writes the declarations of irqstep/model, unless nothing that they are made of has changed. */
export async function writeTypings() {
  if (existsSync(TYPINGS) && existsSync(MADE_OF)) {
    const before = /** @type {Record<string, string>} */ (JSON.parse(readFileSync(MADE_OF, 'utf8')));
    if (Object.entries(before).every(([file, hash]) => hashOf(file) === hash)) return;
  }
  const { modelTypings } = await import('./model-typings.mjs');
  const { text, files } = modelTypings();
  mkdirSync(dirname(MADE_OF), { recursive: true });
  writeFileSync(TYPINGS, text);
  writeFileSync(MADE_OF, JSON.stringify(Object.fromEntries(files.map(file => [file, hashOf(file)]))));
}

/** @param {string} file */
const hashOf = file => (existsSync(join(root, file)) ? createHash('sha256').update(readFileSync(join(root, file))).digest('hex') : '');
