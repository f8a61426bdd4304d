import { describe, expect, it } from 'vitest';
import { input } from '../../src/autograd/bind.ts';
import * as c from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { testGpu } from '../gpu/harness.ts';
import { expectDerivatives } from './derivatives.ts';
import { dot, evaluate, expectAgreement, expectClose, numbers, of } from './support.ts';

const { NaN: NAN, POSITIVE_INFINITY: INF } = Number;

describe('transposed convolutions', () => {
  it('are the transposes of convolutions, by the same weights', () => {
    const [images, maps, weights] = [
      [2, 7, 9, 3],
      [2, 4, 2, 5],
      [5, 3, 3, 4],
    ];
    const [x, y, w] = [images, maps, weights].map((shape, i) =>
      numbers(
        shape!.reduce((a, b) => a * b),
        i,
      ),
    );
    const options = { stride: [2, 3], padding: [1, 0] } as const;
    const forward = (x: Tensor, w: Tensor) => c.conv2d(x, w, options);
    const back = (y: Tensor, w: Tensor) => c.convTranspose2d(y, w, { ...options, outputPadding: [0, 2] });
    const [ax] = evaluate(forward, [{ shape: images! }, { shape: weights! }], [x!, w!]);
    const [aty] = evaluate(back, [{ shape: maps! }, { shape: weights! }], [y!, w!]);
    expect([ax!.shape, aty!.shape]).toEqual([maps, images]);
    expect(dot(ax!.data, y!)).toBeCloseTo(dot(x!, aty!.data), 10);
  });

  it('spread each pixel by the weights', () => {
    // From the definition: with stride 2, windows of 2 × 2 do not meet.
    const f = (x: Tensor, w: Tensor) => c.convTranspose2d(x, w, { stride: 2 });
    const [y] = evaluate(
      f,
      [{ shape: [1, 1, 2, 1] }, { shape: [1, 1, 2, 2] }],
      [
        [1, 10],
        [1, 2, 3, 4],
      ],
    );
    expect(y!.shape).toEqual([1, 2, 4, 1]);
    expect([...y!.data]).toEqual([1, 2, 10, 20, 3, 4, 30, 40]);
  });

  it('have their derivatives', async () => {
    const gpu = await testGpu();
    const f = (x: Tensor, w: Tensor) => c.convTranspose2d(x, w, { stride: 2, padding: 1 });
    await expectDerivatives(gpu, f, [of([2, 3, 4, 5]), of([5, 3, 4, 4])]);
    await expectDerivatives(gpu, (x, w) => c.convTranspose2d(x, w), [of([1, 1, 1, 1]), of([1, 1, 1, 1])]);
  });

  it('refuse an output padding that is no less than the stride', () => {
    const f = () =>
      c.convTranspose2d(input('x', [1, 2, 2, 1]), input('w', [1, 1, 2, 2]), { outputPadding: 1 });
    expect(f).toThrow('an output padding of 1 for a stride of 1');
  });
});

describe('mean pooling', () => {
  it('is the mean under each window, padded by zeros', () => {
    const x = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const at = (size: number, options = {}) => [
      ...evaluate((x) => c.averagePool2d(x, size, options), [{ shape: [1, 3, 3, 1] }], [x])[0]!.data,
    ];
    expect(at(3)).toEqual([5]);
    expect(at(2)).toEqual([3]);
    expect(at(2, { stride: 1 })).toEqual([3, 4, 6, 7]);
    expectClose(at(3, { stride: 2, padding: 1 }), [12 / 9, 16 / 9, 24 / 9, 28 / 9], 1e-15);
  });

  it('has its derivatives', async () => {
    const gpu = await testGpu();
    await expectDerivatives(gpu, (x) => c.averagePool2d(x, 2), [of([2, 4, 6, 3])]);
    await expectDerivatives(gpu, (x) => c.averagePool2d(x, [3, 2], { stride: 2, padding: 1 }), [
      of([2, 5, 4, 3]),
    ]);
  });

  it('keeps what is not finite under its windows', async () => {
    const values = [[1, NAN, 3, 4, 5, 6, INF, 8, 9, -INF, 1, 2, 3, 4, 5, 6]];
    for (const options of [{}, { stride: 1 }]) {
      const f = (x: Tensor) => c.averagePool2d(x, 2, options);
      await expectAgreement(await testGpu(), f, [of([1, 4, 4, 1])], { values });
    }
  });

  it('refuses windows that cannot be', () => {
    expect(() => c.averagePool2d(input('x', [1, 3, 3, 1]), 4)).toThrow("the window's height is 4");
  });
});
