import assert from 'node:assert/strict';
import type { Aligned } from '../../src/compare/align';
import { compareTrees, countLines, firstDifference } from '../../src/compare/compare';
import { withoutHidden } from '../../src/compare/hide';
import { mostAlike } from '../../src/compare/similar';
import { compareTexts } from '../../src/compare/texts';
import type { TreeNode } from '../../src/compare/tree';

/** A tree from indented lines: `name(arguments)`, or an event `* name: fields`. */
function tree(text: string): TreeNode[] {
  const roots: TreeNode[] = [];
  const open: { indent: number; children: TreeNode[] }[] = [{ indent: -1, children: roots }];
  for (const line of text.split('\n').filter(one => one.trim() !== '')) {
    const content = line.trim();
    const indent = line.length - line.trimStart().length;
    while (open.at(-1)!.indent >= indent) open.pop();
    const children: TreeNode[] = [];
    open.at(-1)!.children.push({ key: /^(\* )?\w+/.exec(content)![0], text: content, children });
    open.push({ indent, children });
  }
  return roots;
}

/** What became of the lines that are not the same, one a line, indented as they stand in the alignment. */
function differences(a: string, b: string): string[] {
  const lines: string[] = [];
  const walk = ({ kind, a: left, b: right, children, movedTo, movedFrom }: Aligned, indent: string): void => {
    const names = [...new Set([left?.node.key, right?.node.key].filter(name => name !== undefined))].join(' -> ');
    if (kind !== 'same') lines.push(`${indent}${kind} ${names}${movedTo ? ` to ${movedTo.join('/')}` : ''}${movedFrom ? ` from ${movedFrom.join('/')}` : ''}`);
    for (const child of children) walk(child, `${indent} `);
  };
  compareTrees(tree(a), tree(b)).forEach(one => walk(one, ''));
  return lines;
}

const ALLOC = `
alloc(1)
  lock
  find(1)
    * found: 1
  unlock`;

const indented = (text: string): string => text.replaceAll('\n', '\n  ');

describe('comparing call trees', () => {
  it('equal trees have no difference', () => {
    assert.deepEqual(differences(ALLOC, ALLOC), []);
    assert.equal(firstDifference(compareTrees(tree(ALLOC), tree(ALLOC))), undefined);
  });

  it('a call that only one has is added or removed, also among equal neighbours', () => {
    assert.deepEqual(differences('f\n lock\n lock\n unlock', 'f\n lock\n trim(2)\n lock\n unlock'), ['inside f', ' added trim']);
    assert.deepEqual(differences('f\n g(1)\n g(2)\n  h\n g(3)', 'f\n g(1)\n g(3)'), ['inside f', ' removed g', '  removed h']);
  });

  it('arguments and the fields of an event may change', () => {
    assert.deepEqual(differences('f(1)\n * vector: irq=1', 'f(2)\n * vector: irq=2'), ['changed f', ' changed * vector']);
  });

  it('of calls of one name those that do the same belong together', () => {
    const one = 'f\n g(1)\n  a\n  b\n  c\n g(2)\n  x\n  y\n  z';
    assert.deepEqual(differences(one, 'f\n g(9)\n  x\n  y\n  z'), ['inside f', ' removed g', '  removed a', '  removed b', '  removed c', ' changed g']);
  });

  it('a wrapper is one line: what it contains belongs to what the other calls directly', () => {
    assert.deepEqual(differences(`setup${indented(ALLOC)}`, `setup\n __setup${indented(indented(ALLOC))}`), ['inside setup', ' added __setup']);
    assert.deepEqual(differences(`setup\n arch\n  native\n   getter(3)${indented(indented(indented(ALLOC)))}`, `setup${indented(ALLOC)}`), [
      'inside setup',
      ' removed arch',
      '  removed native',
      '   removed getter',
    ]);
  });

  it('both may have a wrapper of their own', () => {
    const fallback = `setup\n arch\n  native\n   getter(3)\n   domain_alloc${indented(indented(indented(ALLOC)))}`;
    const direct = `setup\n domain_alloc\n  __domain_alloc${indented(indented(indented(ALLOC)))}`;
    assert.deepEqual(differences(fallback, direct), ['inside setup', ' removed arch', '  removed native', '   removed getter', '   inside domain_alloc', '    added __domain_alloc']);
  });

  it('several calls in wrappers of their own are paired with those without, in their order', () => {
    const free = (n: number): string => ALLOC.replaceAll('1', String(n)).replaceAll('\n', '\n   ');
    assert.deepEqual(differences(`all\n arch\n  native(1)${free(1)}\n  native(2)${free(2)}\n  native(3)${free(3)}`, `all\n domain${[1, 2, 3].map(free).join('')}`).filter(line => !/native|arch/.test(line)), ['inside all']);
  });

  it('what makes a line the same may be less than what it says', () => {
    const event = (text: string, identity: string): TreeNode => ({ key: '* free', text, identity, children: [] });
    assert.equal(firstDifference(compareTrees([event('* free: bit=33 total=7', 'bit=33 -1')], [event('* free: bit=33 total=9', 'bit=33 -1')])), undefined);
    assert.equal(firstDifference(compareTrees([event('* free: bit=33 total=7', 'bit=33 -1')], [event('* free: bit=33 total=7', 'bit=33 -2')]))?.at.kind, 'changed');
  });

  it('calls that only one side shows can be left out: what they call belongs to their callers', () => {
    const trees = compareTrees(tree('f\n inlined\n  g(1)\n   x\n   y\n  lock\n h(1)'), tree('f\n g(1)\n  x\n  y\n lock\n h(1)'));
    assert.equal(firstDifference(trees)?.at.kind, 'removed');
    assert.equal(firstDifference(withoutHidden(trees, ({ node }) => node.key === 'inlined')), undefined);
    assert.equal(firstDifference(withoutHidden(trees, ({ node }) => node.key === 'g'))?.at.a?.node.key, 'inlined');
  });

  it('a function of another name that does the same is renamed', () => {
    assert.deepEqual(differences(ALLOC, ALLOC.replace('alloc(1)', 'reserve(1)')), ['renamed alloc -> reserve']);
    assert.deepEqual(differences('f\n pci_msi_set_desc(1)', 'f\n pci_msi_domain_set_desc(1)'), ['inside f', ' renamed pci_msi_set_desc -> pci_msi_domain_set_desc']);
    assert.deepEqual(differences('f\n free(1)', 'f\n store(1)'), ['inside f', ' removed free', ' added store']);
  });

  it('a subtree that stands elsewhere has moved, and what differs in it is found', () => {
    const late = `boot\n early\n  x\n late${indented(ALLOC)}`;
    const soon = `boot\n early\n  x${indented(ALLOC)}\n late`;
    assert.deepEqual(differences(late, soon), ['inside boot', ' inside early', '  moved alloc from boot/late', ' inside late', '  removed alloc to boot/early']);
    assert.deepEqual(differences(late, soon.replace('found: 1', 'found: 2')), [
      'inside boot',
      ' inside early',
      '  moved alloc from boot/late',
      '   inside find',
      '    changed * found',
      ' inside late',
      '  removed alloc to boot/early',
    ]);
  });

  it('a lone line has moved only when as many are new as are gone', () => {
    assert.deepEqual(differences('f\n a(1)\n  lock\n b(1)', 'f\n a(1)\n b(1)\n  lock'), ['inside f', ' inside a', '  removed lock to f/b', ' inside b', '  moved lock from f/a']);
    const twice = differences('f\n a(1)\n  lock\n  lock\n b(1)', 'f\n a(1)\n b(1)\n  lock');
    assert.deepEqual(twice.filter(line => line.includes('lock')), ['  removed lock', '  removed lock', '  added lock']);
  });

  it('the first difference is the first in the order of the calls, with its callers', () => {
    const found = firstDifference(compareTrees(tree('f\n g\n  h(1)\n i(1)'), tree('f\n g\n  h(2)\n i(2)')));
    assert.equal(found?.at.b?.node.text, 'h(2)');
    assert.deepEqual(found.above.map(({ a }) => a?.node.key), ['f', 'g']);
  });

  it('every line of both trees is counted once', () => {
    const [a, b] = ['f\n arch\n  g(1)\n   x\n   y\n h(1)\n k\n  m\n  n', 'f\n g(2)\n   x\n   y\n h(2)\n z'].map(tree);
    const { same, changed, renamed, removed, added, moved } = countLines(compareTrees(a, b));
    assert.equal(same + changed + renamed + removed + moved, 9);
    assert.equal(same + changed + renamed + added + moved, 6);
  });
});

describe('comparing large trees', () => {
  /** 50,000 calls: 10,000 calls of one name in one function, each with its own. */
  const wide = (skip: number, extra: number): TreeNode[] => {
    const leaf = (key: string, n: number): TreeNode => ({ key, text: `${key}(${n})`, children: [] });
    const calls = Array.from({ length: 10_000 }, (_, n): TreeNode => ({ ...leaf('alloc', n), children: ['lock', 'find', 'unlock'].map(key => leaf(key, n)).concat(n === extra ? [leaf('trim', n)] : []) }));
    return [{ key: 'probe', text: 'probe', children: calls.filter((_, n) => n !== skip) }];
  };

  it('finds one call that is gone and one that is new among 10,000 of one name', () => {
    const trees = compareTrees(wide(-1, 7000), wide(20, -1));
    const found = trees[0].children.filter(({ kind }) => kind !== 'same').map(({ kind, a }) => `${kind} ${a?.node.text}`);
    assert.deepEqual(found, ['removed alloc(20)', 'inside alloc(7000)']);
  });

  it('takes lists that have nothing in common', () => {
    const other = wide(-1, -1)[0].children.map((node): TreeNode => ({ ...node, key: 'free', text: node.text.replace('alloc', 'free'), children: [] }));
    const { same, removed, added } = countLines(compareTrees(wide(-1, -1), [{ key: 'probe', text: 'probe', children: other }]));
    assert.deepEqual({ same, removed, added }, { same: 1, removed: 40_000, added: 10_000 });
  });
});

describe('comparing files', () => {
  const texts = (...files: readonly [string, string][]): ReadonlyMap<string, string> => new Map(files);

  it('pairs the lines that begin alike, and names files that only one has', () => {
    const a = texts(['interrupts', ' 24: 1\n 25: 2\n'], ['old', 'x\n'], ['same', 'y\n']);
    const b = texts(['interrupts', ' 24: 1\n 25: 3\n 26: 0\n'], ['same', 'y\n'], ['new', 'z\n']);
    assert.deepEqual(compareTexts(a, b), [
      { path: 'interrupts', lines: [{ a: ' 25: 2', b: ' 25: 3' }, { a: undefined, b: ' 26: 0' }] },
      { path: 'old', only: 'a', lines: [{ a: 'x', b: undefined }] },
      { path: 'new', only: 'b', lines: [{ a: undefined, b: 'z' }] },
    ]);
  });
});

describe('lists that are alike', () => {
  const list = (text: string): { nodes: TreeNode[] } => ({ nodes: tree(text) });

  it('each finds the candidate that is most like it, one of another kind none', () => {
    const wanted = [list('a\n b\n c\nd'), list('x\n y\n z'), list('nobody\n has\n this')];
    const candidates = [list('x\n y\n w'), list('a\n b\nd'), list('a\n b\n c\nd'), list('x\n y\n z\n w')];
    assert.deepEqual(mostAlike(wanted, candidates, () => true), [2, 3, undefined]);
    assert.deepEqual(mostAlike(wanted, candidates, (_, i) => i !== 2), [1, 3, undefined]);
  });

  it('takes each candidate once, and nothing for a list without anything', () => {
    const one = list('a\n b\n c');
    assert.deepEqual(mostAlike([one, one, list('')], [one], () => true), [0, undefined, undefined]);
  });
});
