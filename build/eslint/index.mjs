// The project's own lint rules.
import { layers } from './layers.mjs';
import { noModelCallFromGetter } from './no-model-call-from-getter.mjs';
import { yieldStar } from './yield-star.mjs';

const rules = { 'yield-star': yieldStar, 'no-model-call-from-getter': noModelCallFromGetter, layers };

// typescript-eslint's type of a rule knows more kinds of nodes than ESLint's own.
export const irqstep = /** @type {import('eslint').ESLint.Plugin} */ (/** @type {unknown} */ ({ rules }));
