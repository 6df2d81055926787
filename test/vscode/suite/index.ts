// VS Code's extension host loads this file and calls run(): every *.test.js beside it, in mocha.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Mocha from 'mocha';

/** Rejects when a test fails. IRQSTEP_TEST_REPORTER and IRQSTEP_TEST_TOTALS come from the test script. */
export async function run(): Promise<void> {
  const mocha = new Mocha({
    timeout: 60_000,
    color: true,
    reporter: process.env['IRQSTEP_TEST_REPORTER'] ?? 'spec',
    reporterOptions: { totals: process.env['IRQSTEP_TEST_TOTALS'] },
  });
  for (const file of readdirSync(__dirname)) if (file.endsWith('.test.js')) mocha.addFile(join(__dirname, file));
  const failures = await new Promise<number>(resolve => mocha.run(resolve));
  if (failures > 0) throw new Error(`${failures} tests failed`);
}
