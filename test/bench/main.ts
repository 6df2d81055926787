// npm run bench [-- module [model folder]]
import { report } from './stepper.bench';

const [module = 'test/bench/workload/nvme.ts', model = 'src/kernel'] = process.argv.slice(2);
void report({ module, model });
