// mocha's spec report on the terminal, and the totals in a file for the summary of all runs.
const { writeFileSync } = require('node:fs');

// mocha is an ES module: what `require` makes of one depends on the Node (here the machine's, in VS Code its own).
const loaded = /** @type {typeof import('mocha') & { default?: typeof import('mocha') }} */ (require('mocha'));
const Mocha = loaded.default ?? loaded;

module.exports = class extends Mocha.reporters.Spec {
  /** @param {import('mocha').Runner} runner @param {import('mocha').MochaOptions} options */
  constructor(runner, options) {
    super(runner, options);
    const file = options.reporterOptions?.totals;
    runner.once('end', () => {
      const { passes, failures, pending } = /** @type {import('mocha').Stats} */ (runner.stats);
      if (file) writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped: pending }));
    });
  }
};
