import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { loadScenario } from '../../src/scenario/load';

const example = readFileSync('examples/nvme-msix.irq.yaml', 'utf8');
const pieces = ['{', '}', '[', ']', ':', '- ', '&a ', '*a', '!!x ', '"', "'", '|\n', '\t', '\n', '# ', '? ', '---\n', '<<: *a', '\0', '\u2028', 'null', '-1', '1e999', '0x10', 'machine', 'steps', 'nvme0', 'true'];

describe('a scenario that was damaged', () => {
  it('loads or is refused with places that are in the file, and never anything else', () => {
    const damage = fc.array(fc.record({ at: fc.nat(example.length), cut: fc.nat(12), put: fc.constantFrom(...pieces) }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, edits => {
        const text = edits.reduce((t, { at, cut, put }) => t.slice(0, at) + put + t.slice(at + cut), example);
        const loaded = loadScenario('x', text);
        if (loaded.ok) return;
        const lines = text.split('\n');
        assert.ok(loaded.diagnostics.length > 0);
        for (const { line, column, endLine, endColumn, message } of loaded.diagnostics) {
          assert.ok(line >= 1 && line <= lines.length && column >= 1 && column <= lines[line - 1].length + 1, `${line}:${column} ${message}`);
          assert.ok(endLine > line || (endLine === line && endColumn >= column), message);
          assert.ok(message.length > 0 && message.length < 1000, message);
        }
      }),
      { seed: 5, numRuns: 1000 },
    );
  }).timeout(60_000);
});
