import assert from 'node:assert/strict';
import { structuralHash } from '../../src/scenario/world-hash';

class Node {
  next: Node | null = null;
  constructor(public value: unknown) {}
}

/** a -> b -> a */
function ring(value: unknown): Node {
  const [a, b] = [new Node(1), new Node(value)];
  a.next = b;
  b.next = a;
  return a;
}

describe('the hash of a world', () => {
  const differs = (a: unknown, b: unknown): void => assert.notEqual(structuralHash(a), structuralHash(b));

  it('is the same for equal graphs, with cycles in them', () => assert.equal(structuralHash(ring(2)), structuralHash(ring(2))));

  it('sees a value at the far end of a cycle', () => differs(ring(2), ring(3)));

  it('tells types that print alike apart', () => {
    const values = [0, '0', 0n, false, null, undefined, [], {}, new Map(), new Set(), new Uint8Array(0), new Uint32Array(0)];
    assert.equal(new Set(values.map(structuralHash)).size, values.length);
  });

  it('tells one object that is there twice from two equal ones', () => {
    const shared = { n: 1 };
    differs([shared, shared], [{ n: 1 }, { n: 1 }]);
  });

  it('sees one bit of a typed array and one of a bigint', () => {
    differs(Uint32Array.of(0, 0x80000000), Uint32Array.of(0, 0));
    differs(1n << 127n, 0n);
  });

  it('sees the order of a list, the entries of a map and what a key points to', () => {
    differs([1, 2], [2, 1]);
    differs(new Map([[1, 'a']]), new Map([[1, 'b']]));
    differs(new Map([[{ n: 1 }, 1]]), new Map([[{ n: 2 }, 1]]));
  });

  it('counts functions by their names: two closures of one function are equal', () => {
    const make = (): { f: () => void } => ({ f: () => undefined });
    assert.equal(structuralHash(make()), structuralHash(make()));
  });

  it('does not overflow on a list of 100,000 that is linked', () => {
    let head: Node | null = null;
    for (let i = 0; i < 100_000; i++) {
      const node: Node = new Node(i);
      node.next = head;
      head = node;
    }
    assert.match(structuralHash(head), /^[0-9a-f]{16}$/);
  });
});
