import assert from 'node:assert/strict';
import { readArguments } from '../../src/cli/arguments';

const OPTIONS = { kernel: { type: 'text', values: ['v5.10', 'v5.10.223'] }, json: { type: 'flag' } } as const;
const errorOf = (...args: string[]): string => {
  try {
    readArguments(args, OPTIONS);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('the command line', () => {
  it('takes options before and after operands, and with =', () => {
    const { positionals, flags, texts } = readArguments(['a', '--json', '--kernel=v5.10', 'b'], OPTIONS);
    assert.deepEqual(positionals, ['a', 'b']);
    assert.deepEqual([...flags], ['json']);
    assert.equal(texts.get('kernel'), 'v5.10');
  });

  it('takes what follows -- as operands', () => assert.deepEqual(readArguments(['--', '--json'], OPTIONS).positionals, ['--json']));

  it('names the option that was meant', () => {
    assert.equal(errorOf('--jsn'), 'unknown option --jsn; did you mean --json?');
    assert.equal(errorOf('-x'), 'unknown option -x; expected --kernel, --json or --help');
    assert.equal(errorOf('--constructor'), 'unknown option --constructor; expected --kernel, --json or --help');
  });

  it('refuses a value that is missing, wrong or too many', () => {
    assert.equal(errorOf('--kernel'), '--kernel needs a value: v5.10 or v5.10.223');
    assert.equal(errorOf('--kernel', 'v5.9'), '--kernel: found v5.9; expected v5.10 or v5.10.223');
    assert.equal(errorOf('--json=1'), '--json takes no value, found 1');
  });
});
