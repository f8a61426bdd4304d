import { describe, expect, it } from 'vitest';
import { input } from '../../src/autograd/bind.ts';
import * as c from '../../src/autograd/functions.ts';
import { printGraph, trace } from '../../src/autograd/graph.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { testGpu } from '../gpu/harness.ts';
import { expectDerivatives } from './derivatives.ts';
import { evaluate, expectClose, numbers, of } from './support.ts';

const { NaN: NAN, POSITIVE_INFINITY: INF } = Number;

/** The sum over all letters, one index after the other. */
function byIndices(subscripts: string, shapes: number[][], data: ArrayLike<number>[]): number[] {
  const [terms, result] = subscripts.split('->') as [string, string];
  const sizes = new Map(
    terms.split(',').flatMap((term, i) => [...term].map((l, a) => [l, shapes[i]![a]!] as const)),
  );
  const letters = [...new Set([...result, ...sizes.keys()])];
  const count = (names: string[]) => names.reduce((n, l) => n * sizes.get(l)!, 1);
  const out = new Array<number>(count([...result])).fill(0);
  const at = (term: string, index: Map<string, number>) =>
    [...term].reduce((k, l) => k * sizes.get(l)! + index.get(l)!, 0);
  for (let i = 0; i < count(letters); i++) {
    let rest = i;
    const index = new Map(
      letters.toReversed().map((l) => {
        const digit = rest % sizes.get(l)!;
        rest = Math.floor(rest / sizes.get(l)!);
        return [l, digit] as const;
      }),
    );
    out[at(result, index)]! += terms.split(',').reduce((p, term, o) => p * data[o]![at(term, index)]!, 1);
  }
  return out;
}

/** Letters spelled out for the reference, for subscripts with `...` or no result. */
const cases: [subscripts: string, shapes: number[][], spelled?: string][] = [
  [
    'ij,jk->ik',
    [
      [3, 4],
      [4, 2],
    ],
  ],
  [
    'ij,jk',
    [
      [3, 4],
      [4, 2],
    ],
    'ij,jk->ik',
  ],
  [
    'ji,kj->ik',
    [
      [4, 3],
      [2, 4],
    ],
  ],
  [
    'bij,bjk->bik',
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
  ],
  [
    'b i j , k j -> b k i',
    [
      [2, 3, 4],
      [5, 4],
    ],
    'bij,kj->bki',
  ],
  ['ba', [[2, 3]], 'ba->ab'],
  ['ii', [[4, 4]], 'ii->'],
  ['ii->i', [[4, 4]]],
  ['iij,i->j', [[3, 3, 2], [3]]],
  ['ij->', [[3, 4]]],
  ['ij->j', [[3, 4]]],
  ['i,i', [[5], [5]], 'i,i->'],
  ['i,j->ji', [[3], [4]]],
  ['ij,j->i', [[3, 4], [4]]],
  ['i,ij', [[3], [3, 4]], 'i,ij->j'],
  [
    'ij,ij->ij',
    [
      [3, 4],
      [3, 4],
    ],
  ],
  [
    'abc,cd,db->a',
    [
      [2, 3, 4],
      [4, 5],
      [5, 3],
    ],
  ],
  [
    'bhqd,bhkd->bhqk',
    [
      [2, 3, 4, 5],
      [2, 3, 2, 5],
    ],
  ],
  [
    'abij,jiba->ab',
    [
      [2, 3, 4, 2],
      [2, 4, 3, 2],
    ],
  ],
  [
    'aib,cjb,ij->cab',
    [
      [2, 3, 4],
      [5, 2, 4],
      [3, 2],
    ],
  ],
  [
    'ijk,jil->kl',
    [
      [2, 3, 4],
      [3, 2, 5],
    ],
  ],
  ['i->i', [[1]]],
  [',->', [[], []]],
  [
    '...ij,...jk->...ik',
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    'bij,bjk->bik',
  ],
  [
    '...j,kj',
    [
      [2, 3, 4],
      [5, 4],
    ],
    'abj,kj->abk',
  ],
  ['i...->...i', [[2, 3, 4]], 'iab->abi'],
];

describe('einsum', () => {
  it.each(cases)('%s', async (subscripts, shapes, spelled = subscripts) => {
    const data = shapes.map((shape, i) =>
      numbers(
        shape.reduce((a, b) => a * b, 1),
        i,
      ),
    );
    const f = (...xs: Tensor[]) => c.einsum(subscripts, ...xs);
    const [got] = evaluate(
      f,
      shapes.map((shape) => ({ shape })),
      data,
    );
    expectClose(got!.data, byIndices(spelled, shapes, data), 1e-13);
  });

  it.each(cases.filter((_, i) => i % 4 === 3))('the derivatives of %s', async (subscripts, shapes) => {
    await expectDerivatives(
      await testGpu(),
      (...xs) => c.einsum(subscripts, ...xs),
      shapes.map((s) => of(s)),
    );
  });

  it('repeats axes of size 1 under ...', () => {
    const f = (a: Tensor, b: Tensor) => c.einsum('...i,...i', a, b);
    const [got] = evaluate(
      f,
      [{ shape: [2, 1, 2] }, { shape: [3, 2] }],
      [
        [1, 2, 3, 4],
        [1, 0, 0, 1, 1, 1],
      ],
    );
    expect(got!.shape).toEqual([2, 3]);
    expect([...got!.data]).toEqual([1, 2, 3, 3, 4, 7]);
  });

  it('is one matrix product, of operands as they lie', () => {
    const text = printGraph(
      trace(
        (a, b) => c.einsum('bij,bjk->bik', a, b),
        [
          [2, 3, 4],
          [2, 4, 5],
        ],
      ),
    );
    expect(text.split('\n')[1]).toBe('  %2: f32[2,3,5] = matmul(%0, %1)');
  });

  it('does not spread what is beside a diagonal', () => {
    const [got] = evaluate((a) => c.einsum('ii', a), [{ shape: [2, 2] }], [[1, NAN, INF, 2]]);
    expect([...got!.data]).toEqual([3]);
  });

  it.each([
    [
      'ij,jk->ik',
      [
        [3, 4],
        [5, 2],
      ],
      'axis j is 4 in operand 0 and 5 in operand 1',
    ],
    ['ii', [[3, 4]], 'axis i is 3 in operand 0 and 4 in operand 0'],
    [
      '...i,...i',
      [
        [3, 4],
        [2, 4],
      ],
      'axis -1 is 3 in operand 0 and 2 in operand 1',
    ],
    ['ij', [[3, 4, 5]], "'ij' names 2 axes, operand 0 of shape [3,4,5] has 3"],
    ['i...jk', [[3, 4]], "'i...jk' names 3 axes, operand 0 of shape [3,4] has 2"],
    ['ij,jk', [[3, 4]], '2 terms for 1 operands'],
    ['ij->ik', [[3, 4]], 'the result has the axis k, which no operand has'],
    ['ij->ii', [[3, 4]], 'the result has the axis i twice'],
    ['...j->j', [[3, 4]], "an operand has '...', the result has not"],
    ['i.j', [[3, 4]], 'it cannot be read'],
    ['...i...', [[3, 4]], 'it cannot be read'],
    ['ij>i', [[3, 4]], 'it cannot be read'],
  ])('refuses %s at %o', (subscripts, shapes, message) => {
    const operands = shapes.map((shape) => input('x', shape));
    expect(() => c.einsum(subscripts, ...operands)).toThrow(message);
  });
});
