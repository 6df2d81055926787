import assert from 'node:assert/strict';
import { bitmap_parse } from '../../../src/kernel/lib/bitmap_parse';
import { EINVAL, EOVERFLOW } from '../../../src/kernel/lib/errno';

describe('a mask that is written', () => {
  const parse = (text: string, nbits = 64): string | number => {
    const bits = bitmap_parse(text, nbits);
    return typeof bits === 'number' ? bits : bits.toString();
  };

  it('is hexadecimal words of 32 bits, the lowest last, with any separators', () => {
    assert.deepEqual(['f', '00000001,0000000f', ' 1, ,f \nzz', ''].map(text => parse(text)), ['0-3', '0-3,32', '0-3,32', '']);
  });

  it('has neither other digits nor more of them or more words than bits', () => {
    assert.deepEqual(['g', '1x', '123456789', '1,2,3'].map(text => parse(text)), [-EINVAL, -EINVAL, -EOVERFLOW, -EOVERFLOW]);
    assert.deepEqual([parse('10', 4), parse('f', 4)], [-EOVERFLOW, '0-3']);
  });

  it('may have anything between a word of eight digits and the next', () => {
    assert.deepEqual(['x00000001', '1x00000001'].map(text => parse(text)), ['0', '0,32']);
  });
});
