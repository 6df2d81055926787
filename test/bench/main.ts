// npm run bench [-- module [model folder]]
import { reportRoundTrip } from './round-trip.bench';
import { reportScale } from './scale.bench';
import { report } from './stepper.bench';

const [module = 'test/bench/workload/nvme.ts', model = 'src/kernel'] = process.argv.slice(2);

async function main(): Promise<void> {
  await report({ module, model });
  await reportRoundTrip();
  reportScale();
}

void main();
