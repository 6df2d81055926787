// npm run soak [-- --seed N] [--operations N]: a million random operations, or a failure's scenario file.
import { parseArgs } from 'node:util';
import { campaign } from './campaign';

const { values } = parseArgs({ options: { seed: { type: 'string' }, operations: { type: 'string', default: '1000000' } } });
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const operations = Number(values.operations);
if (!Number.isInteger(seed) || !Number.isInteger(operations)) throw new Error('--seed and --operations are whole numbers');

const start = Date.now();
console.log(`${operations} operations with seed ${seed} (npm run soak -- --seed ${seed} does them again)`);
let shown = 0;
const progress = (done: number): void => {
  if (done - shown < 50_000) return;
  shown = done;
  console.log(`${done} operations, ${Math.round((Date.now() - start) / 1000)} s`);
};
const { operations: done, failure } = campaign({ seed, operations, folder: 'dist/failures', progress });
if (failure) {
  console.log(`failed: ${failure.message}\n${failure.steps} steps lead to it: npx irqstep run ${failure.path} --check`);
  process.exitCode = 1;
} else {
  console.log(`${done} operations, no invariant is broken`);
}
