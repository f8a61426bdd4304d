import { describe, expect, it } from 'vitest';
import { csv } from '../../src/report/csv.ts';

describe('a table as CSV', () => {
  it('has the columns of all rows, and empty fields for what is not there', () => {
    expect(
      csv([
        { a: 1, b: null },
        { c: true, a: 0.1 + 0.2 },
      ]),
    ).toBe('a,b,c\n1,,\n0.30000000000000004,,true\n');
  });

  it('quotes what would end a field', () => {
    expect(csv([{ 'x,y': 'say "no"', z: 'two\nlines' }])).toBe('"x,y",z\n"say ""no""","two\nlines"\n');
  });
});
