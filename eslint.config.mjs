import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { irqstep } from './build/eslint/index.mjs';

export default defineConfig(
  // What is written on irqstep/model needs typings that a build makes: the type checker looks at it.
  globalIgnores(['dist/', '.vscode-test/', 'examples/', 'templates/']),
  {
    files: ['**/*.{ts,mjs}'],
    extends: [js.configs.recommended, tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { irqstep },
    rules: {
      'irqstep/layers': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // `map.get(key)!` is how a lookup that cannot miss is written.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // An Op without a stop of its own is still an Op: its callers `yield*` it.
      'require-yield': 'off',
      // The type checker knows what is defined.
      'no-undef': 'off',
    },
  },
  {
    // The rule cannot see a type that stands in a comment.
    files: ['**/*.mjs'],
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off', '@typescript-eslint/no-unsafe-member-access': 'off', '@typescript-eslint/no-unsafe-return': 'off' },
  },
  {
    // A callback has the kernel's parameters under the kernel's names, also those that it does not use: a breakpoint's condition may ask for them.
    files: ['src/kernel/**/*.ts'],
    rules: { '@typescript-eslint/no-unused-vars': ['error', { args: 'none' }] },
  },
  {
    files: ['src/{kernel,scenario,capture}/**/*.ts'],
    rules: { 'irqstep/yield-star': 'error', 'irqstep/no-model-call-from-getter': 'error' },
  },
  {
    // A run is replayed and hashed: nothing in it may depend on when or where it runs.
    files: ['src/{kernel,hardware,scenario}/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', 'Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'a run has no randomness' }],
    },
  },
);
