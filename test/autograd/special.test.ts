import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { compile } from '../../src/autograd/program.ts';
import { holds, type Integer, type Tensor, wrap } from '../../src/autograd/tensor.ts';
import { grad, jvp } from '../../src/autograd/transform.ts';
import { testGpu } from '../gpu/harness.ts';
import { expectSameClass } from './support.ts';

const { NaN: NAN, POSITIVE_INFINITY: INF } = Number;
const LARGEST = 3.4028234663852886e38;
/** Special values, and ordinary ones of both signs. */
const SPECIAL = [NAN, INF, -INF, 0, -0, LARGEST, -LARGEST, 2 ** -126, -(2 ** -126), 1, -1, 2.5, -1e20, 1e-20, 1e-40, -3]; // biome-ignore format: a list
const PAIRS = SPECIAL.flatMap((a) => SPECIAL.map((b) => [a, b] as const));

interface Given {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly dtype?: Integer;
}
const column = (data: readonly number[], dtype?: Integer): Given => ({
  shape: [data.length],
  data,
  ...(dtype && { dtype }),
});
const rows = (...data: readonly (readonly number[])[]): Given => ({
  shape: [data.length, data[0]!.length],
  data: data.flat(),
});

const SOFTWARE = ['software'] as const;
const KINDS = ['software', 'hardware'] as const;

const sameOnGpu = (f: (...xs: Tensor[]) => unknown, ...given: Given[]) => same({}, f, ...given);

/** With the kernels of software adapters, of GPUs, or both; sums of products leave some `slack`. */
async function same(
  { kinds = KINDS, slack = 0 }: { kinds?: readonly (typeof KINDS)[number][]; slack?: number },
  f: (...xs: Tensor[]) => unknown,
  ...given: Given[]
): Promise<void> {
  const gpu = await testGpu();
  const values = given.map(({ data }) => data);
  for (const kind of kinds) await expectSameClass(gpu, f, given, values, { traits: { kind }, slack });
}

const pairs = (n: number): Given[] => [0, 1].map((i) => column(PAIRS.slice(0, n).map((p) => p[i as 0 | 1])));

const unary: Record<string, (x: Tensor) => Tensor> = {
  copy: (x) => c.stopGradient(x),
  neg: c.neg,
  exp: c.exp,
  log: c.log,
  sqrt: c.sqrt,
  rsqrt: c.rsqrt,
  tanh: c.tanh,
  cos: c.cos,
  sin: c.sin,
  sigmoid: c.sigmoid,
  erf: c.erf,
  abs: c.abs,
  sign: c.sign,
  floor: c.floor,
  round: c.round,
  relu: c.relu,
  cast: (x) => c.cast(x, 'u32'),
};

const binary: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
  add: c.add,
  sub: c.sub,
  mul: c.mul,
  div: c.div,
  max: c.maximum,
  min: c.minimum,
  greater: c.greater,
  equal: c.equal,
  pow: c.pow,
  'less, and the others': (a, b) =>
    c.add(
      c.cast(c.less(a, b), 'u32'),
      c.add(
        c.mul(2, c.cast(c.lessEqual(a, b), 'u32')),
        c.add(c.mul(4, c.cast(c.greaterEqual(a, b), 'u32')), c.mul(8, c.cast(c.notEqual(a, b), 'u32'))),
      ),
    ),
  where: (a, b) => c.where(c.greater(a, b), a, b),
  clamp: (a, b) => c.minimum(c.maximum(a, -1), c.maximum(b, 2)),
  'relu of a product': (a, b) => c.relu(c.mul(c.relu(a), b)),
};

describe('special values of every pointwise operation', () => {
  it.each(Object.entries(unary))('%s', (_, f) =>
    sameOnGpu((x) => [f(x), f(c.reshape(c.add(x, 0), [SPECIAL.length]))], column(SPECIAL)),
  );

  it.each(Object.entries(binary))('%s', async (_, f) => {
    await sameOnGpu(f, ...pairs(256));
    await sameOnGpu(f, ...pairs(255));
  });

  it.each(
    Object.entries({ relu: c.relu, tanh: c.tanh, sqrt: c.sqrt, sigmoid: c.sigmoid, erf: c.erf, abs: c.abs }),
  )('the derivative of %s', (_, f) => sameOnGpu((x) => grad((x: Tensor) => c.sum(f(x)))(x), column(SPECIAL)));

  it.each(['add', 'mul', 'max', 'min', 'where'] as const)('the derivative of %s', (op) =>
    sameOnGpu(
      (a, b) => [
        grad((p: Tensor[]) => c.sum(binary[op]!(p[0]!, p[1]!)))([a, b]),
        jvp(binary[op]!, [a, b], [c.full(1, a.shape), c.full(2, b.shape)])[1],
      ],
      ...pairs(256),
    ),
  );
});

it('parts and concatenations keep every value as it is', () =>
  sameOnGpu((x) => {
    const y = c.reshape(x, [4, 4]);
    const joined = c.concat([c.slice(y, 1, 4), c.mul(y, -1), c.full(NAN, [4, 1])]);
    return [
      joined,
      c.sum(
        c.pad(
          c.slice(y, 2, 4, 0),
          [
            [1, 0],
            [0, 0],
          ],
          -INF,
        ),
        0,
      ),
      c.amax(
        c.pad(
          y,
          [
            [0, 0],
            [2, 3],
          ],
          -INF,
        ),
        -1,
      ),
    ];
  }, column(SPECIAL)));

describe('literals', () => {
  it.each(SPECIAL)('%d in every place', (k) =>
    sameOnGpu(
      (x) => [
        c.add(x, k),
        c.sub(k, x),
        c.mul(x, k),
        c.div(x, k),
        c.div(k, x),
        c.maximum(x, k),
        c.minimum(k, x),
        c.cast(c.greater(x, k), 'f32'),
        c.cast(c.equal(k, x), 'f32'),
        c.where(c.greater(x, 0), k, x),
      ],
      column(SPECIAL),
    ),
  );

  it.each(SPECIAL)('functions of %d alone', (k) =>
    sameOnGpu(() => {
      const x = c.full(k, [3]);
      const two = Object.values(binary).map((f) => c.cast(f(x, c.full(0, [3])), 'f32'));
      return [...Object.values(unary).map((f) => f(x)), ...two, c.sum(x), c.amax(x)];
    }),
  );

  it('keep apart in one graph', () =>
    sameOnGpu((x) => [NAN, INF, -INF, 0, -0].map((k) => c.div(x, c.full(k, [2]))), column([1, -1])));

  it('are not multiplied with each other', () =>
    sameOnGpu((x) => c.neg(c.mul(c.neg(c.mul(x, 1e-30)), 1e-30)), column([1e30, -2e30])));

  const [LEAST, MOST] = [-(2 ** 31), 2 ** 31 - 1];
  /** Around the ends, where sums and products wrap, and around 0. */
  const ENDS = {
    i32: [LEAST, LEAST + 1, -46341, -7, -2, -1, 0, 1, 3, 46341, MOST - 1, MOST],
    u32: [0, 1, 2, 3, 7, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 7, 2 ** 32 - 2, 2 ** 32 - 1],
  };

  /** Packs some integers into one without loss. */
  const mixed = (xs: readonly Tensor[]) => xs.reduce((all, x) => c.add(c.mul(all, 31), x));
  const both = [c.add, c.sub, c.mul, c.div, c.rem, c.maximum, c.minimum];
  const orders = [c.greater, c.less, c.equal, c.notEqual, c.greaterEqual, c.lessEqual];

  it.each(['i32', 'u32'] as const)('of %s wrap around, and every quotient is defined', async (dtype) => {
    const all = ENDS[dtype];
    const [a, b] = [all.flatMap((x) => all.map(() => x)), all.flatMap(() => all)];
    const f = (a: Tensor, b: Tensor) => [
      mixed(both.map((g) => g(a, b))),
      mixed(all.flatMap((k) => [c.div(a, k), c.rem(a, k)])),
      mixed(all.flatMap((k) => [c.div(k, b), c.rem(k, b)])),
      mixed([...orders.map((g) => g(a, b)), c.greater(c.add(a, b), a)].map((x) => c.cast(x, dtype))),
      mixed([c.where(c.less(a, b), a, b), ...(dtype === 'i32' ? [c.neg(a), c.abs(a), c.sign(a)] : [])]),
      ...(['f32', 'u32', 'i32'] as const).map((to) => c.cast(a, to)),
    ];
    await same({ kinds: SOFTWARE }, f, column(a, dtype), column(b, dtype));
    // Not a whole number of vectors.
    await same({ kinds: SOFTWARE }, f, column(a.slice(1), dtype), column(b.slice(1), dtype));
  });

  it.each(['i32', 'u32'] as const)('of %s alone, as literals', (dtype) => {
    const pairs = ENDS[dtype].flatMap((a) => [LEAST, -1, 0, 3, 2 ** 32 - 1].map((b) => [a, b] as const));
    const held = pairs.filter((pair) => pair.every((k) => holds(dtype, k)));
    const literal = (k: number) => c.constant(k, dtype);
    return same(
      { kinds: SOFTWARE },
      (x) => both.map((g) => c.add(x, mixed(held.map(([a, b]) => g(literal(a), literal(b)))))),
      column([1], dtype),
    );
  });

  it.each([
    ['i32', [LEAST, LEAST, MOST - 127, MOST - 127, 0, 0, 0, -2, 2 ** 24 + 2]],
    ['u32', [0, 0, 2 ** 32 - 256, 2 ** 32 - 256, 0, 0, 0, 0, 2 ** 24 + 2]],
  ] as const)('%s of f32 beyond its range', async (dtype, want) => {
    const floats = [-INF, -1e20, INF, 2 ** 32, NAN, 0.99, -0.99, -2.5, 2 ** 24 + 2];
    const gpu = await testGpu();
    const program = await compile(gpu, (x: Tensor) => c.cast(x, dtype), [column(floats)]);
    expect([...(await program.run(floats)).data]).toEqual(want);
    await sameOnGpu(
      (x) => c.cast(x, dtype),
      column([...floats, 2 ** 31, 2 ** 31 - 128, LEAST, LEAST - 256, 3e9]),
    );
  });

  it.each(['i32', 'u32'] as const)(
    'are reduced exactly: %s in rows, columns and stretches',
    async (dtype) => {
      const shapes = [[64, 4], [9001], [5, 37], [2, 5, 3, 8]];
      for (const shape of dtype === 'i32' ? shapes : shapes.slice(0, 2)) {
        const size = shape.reduce((x, y) => x * y, 1);
        const data = Array.from({ length: size }, (_, k) => wrap(dtype, Math.imul(k + 1, 0x9e3779b9)));
        const f = (x: Tensor) =>
          (shape.length > 1 ? [0, -1, undefined] : [0]).flatMap((axis) => [
            ...[c.sum, c.prod, c.amax, c.amin].map((g) => g(c.add(x, 1), axis)),
            ...(axis === undefined ? [] : [c.cumsum(x, axis), c.argmax(x, axis), c.argmin(x, axis)]),
          ]);
        await sameOnGpu(f, { shape, data, dtype });
      }
      // Functions of totals in the same kernel.
      const data = Array.from({ length: 960 }, (_, k) => wrap(dtype, Math.imul(k + 1, 0x9e3779b9)));
      const f = (x: Tensor) => {
        const over = c.sub(x, c.amin(x, -1));
        return [over, c.sum(c.mul(over, c.prod(x, -1)), -1), c.cast(c.sum(x, -1), 'f32')];
      };
      await sameOnGpu(f, { shape: [160, 6], data, dtype });
    },
  );
});

describe('terms do not cancel where float32 has them not cancel', () => {
  it.each<[string, (a: Tensor, b: Tensor) => Tensor]>([
    ['x − x', (a) => c.sub(a, a)],
    ['(x − x) · x · x + x', (a) => c.normalize(a, a, a, a, a)],
    ['x / x', (a) => c.div(a, a)],
    ['x = x', (a) => c.equal(a, a)],
    ['(a + b) − a', (a, b) => c.sub(c.add(a, b), a)],
    ['a + (b − a)', (a, b) => c.add(a, c.sub(b, a))],
    ['a (1 / a)', (a) => c.mul(a, c.div(1, a))],
    ['a + b > a', (a, b) => c.greater(c.add(a, b), a)],
    ['a + b = a', (a, b) => c.equal(c.add(a, b), a)],
    ['(a + a) − a', (a) => c.sub(c.add(a, a), a)],
    ['(a − a) + a', (a) => c.add(c.sub(a, a), a)],
    ['a − (a + a)', (a) => c.sub(a, c.add(a, a))],
    ['(a a) / a', (a) => c.div(c.mul(a, a), a)],
    ['(a b + a) − a b', (a, b) => c.sub(c.add(c.mul(a, b), a), c.mul(a, b))],
    ['|a|', (a) => c.maximum(a, c.neg(a))],
    ['|a| − a', (a) => c.sub(c.abs(a), a)],
    ['a − ⌊a⌋', (a) => c.sub(a, c.floor(a))],
    ['the root of the square', (a) => c.pow(c.pow(a, 2), 0.5)],
    ['−|a|', (a) => c.minimum(c.neg(a), a)],
    ['max(a − b, b − a)', (a, b) => c.maximum(c.sub(a, b), c.sub(b, a))],
    ['ab + ac', (a, b) => c.add(c.mul(a, b), c.mul(a, c.neg(b)))],
    ['log of exp', (a) => c.log(c.exp(a))],
    ['exp of log', (a) => c.exp(c.log(a))],
    ['the square of the root', (a) => c.mul(c.sqrt(a), c.sqrt(a))],
  ])('%s', (_, f) => sameOnGpu(f, ...pairs(256)));
});

describe('reductions', () => {
  const table = (width: number) =>
    rows(
      ...[
        [1, NAN],
        [NAN, NAN],
        [-INF, -INF],
        [INF, 1],
        [-INF, INF],
        [-1, -2],
        [-0, 0],
        [1e-20, -INF],
      ].flatMap(([first, rest]) =>
        [0, 1].map((end) =>
          Array.from({ length: width }, (_, i) => (i === (end ? width - 1 : 0) ? first! : rest!)),
        ),
      ),
    );

  it.each([2, 3, 4, 8, 37, 64])('along %d elements, contiguous or not, one or several at once', (width) =>
    sameOnGpu((x) => {
      const y = c.transpose(x);
      const all = (x: Tensor, axis: number) => [
        c.sum(x, axis),
        c.mean(x, axis),
        c.amax(x, axis),
        c.amin(x, axis),
        c.prod(x, axis),
        c.cumsum(x, axis),
        c.cumsum(x, axis, { reverse: true }),
        c.variance(x, axis),
      ];
      return [...all(x, -1), ...all(y, 0), c.amax(c.neg(c.relu(x)), -1)];
    }, table(width)),
  );

  it.each([9000, 9001])('of %d elements in stretches', async (n) => {
    for (const [value, place] of [
      [NAN, 0],
      [NAN, n - 1],
      [INF, 4500],
      [-INF, 17],
    ] as const) {
      const data = Array.from({ length: n }, (_, i) => (i === place ? value : Math.fround(Math.sin(i))));
      await sameOnGpu(
        (x) => [c.sum(x), c.amax(x), c.amax(c.neg(x)), c.mean(x), c.prod(c.add(1, c.mul(x, 1e-4)))],
        column(data),
      );
    }
    await sameOnGpu((x) => c.amax(x), column(new Array<number>(n).fill(-INF)));
  });

  it('derivatives of the largest element: shared by all that are', async () => {
    const x = rows([1, 1, 0, 1], [1, 1, 1, 1], [NAN, 1, 1, 2], [INF, 1, INF, 0], [-INF, -INF, -INF, -INF]);
    await sameOnGpu((x) => grad((x: Tensor) => c.sum(c.amax(x, -1)))(x), x);
    await sameOnGpu((x) => jvp((x: Tensor) => c.amax(x, -1), [x], [c.full(2, x.shape)])[1], x);
  });

  it('argmax, logsumexp and cross-entropy', async () => {
    const x = rows(
      [1, NAN, 2, 3], [NAN, NAN, NAN, NAN], [-INF, -INF, -INF, -INF], [1, INF, 2, INF], [0, -INF, -INF, -INF], [2, 0, 5, NAN], [LARGEST, LARGEST, 0, 1], [3, 3, 3, 3],
    ); // biome-ignore format: a table
    await sameOnGpu((x) => [c.argmax(x), c.logsumexp(x)], x);
    await sameOnGpu((x, y) => c.softmaxCrossEntropy(x, y), rows([1, 2, NAN], [0, 1, 2]), column([0, 1]));
    await sameOnGpu((x, y) => c.softmaxCrossEntropy(x, y), rows([1, 2, 0], [0, -INF, 2]), column([0, 1]));
  });

  it('pooling, its tangent and its cotangent', async () => {
    const draw = (i: number) => SPECIAL[(i * 7 + (i >> 2) * 5) % SPECIAL.length]!;
    const x: Given = { shape: [2, 6, 5, 3], data: Array.from({ length: 180 }, (_, i) => draw(i)) };
    const f = (x: Tensor) => c.maxPool2d(x, 3, { stride: 2, padding: 1 });
    await sameOnGpu(f, x);
    const numbers: Given = { shape: [2, 6, 5, 3], data: Array.from({ length: 180 }, (_, i) => i + 1) };
    await sameOnGpu((x, t) => jvp(f, [x], [t])[1], x, numbers);
    await sameOnGpu((x) => grad((x: Tensor) => c.sum(c.square(f(x))))(x), x);
  });
});

describe('products', () => {
  it.each([
    [4, 8, 4],
    [5, 7, 3],
    [33, 20, 24],
  ])('%d × %d times × %d, and what is done before they are stored', async (m, k, n) => {
    const a = Array.from({ length: m * k }, (_, i) => Math.fround(Math.sin(i)));
    const b = Array.from({ length: k * n }, (_, i) => Math.fround(Math.cos(i)));
    a[1] = NAN;
    a[2 * k + k - 1] = INF;
    b[k * n - 1] = -INF;
    const given = [
      { shape: [m, k], data: a },
      { shape: [k, n], data: b },
    ];
    const kinds = m < 32 ? KINDS : SOFTWARE;
    for (const after of [(x: Tensor) => x, c.relu, (x: Tensor) => c.maximum(c.mul(x, 0), -1)]) {
      await same({ kinds, slack: 1e-5 }, (a, b) => after(c.matmul(a, b)), ...given);
    }
  });

  it.each([3, 4])('convolutions of %d channels', async (channels) => {
    const image = Array.from({ length: 2 * 6 * 5 * channels }, (_, i) => Math.fround(Math.sin(i)));
    const weight = Array.from({ length: 4 * channels * 9 }, (_, i) => Math.fround(Math.cos(i)));
    image[7] = NAN;
    image[40] = INF;
    await same(
      { kinds: channels === 3 ? KINDS : SOFTWARE, slack: 1e-5 },
      (x, w) => c.relu(c.conv2d(x, w, { padding: 1 })),
      { shape: [2, 6, 5, channels], data: image },
      { shape: [4, channels, 3, 3], data: weight },
    );
  });

  it('of convolutions: in no sum but their own, though channels and pixels come in fours', async () => {
    const smooth = (size: number) => Array.from({ length: size }, (_, i) => Math.fround(Math.sin(i)));
    const [image, weight, output] = [smooth(2 * 8 * 5), smooth(3 * 3 * 5), smooth(2 * 3 * 3)];
    // The window never covers a line's last pixel; the last channel meets zeros behind it.
    image[7 * 5] = NAN;
    weight[4] = INF;
    const window = { image: [2, 8], size: [1, 3], stride: [1, 2], padding: [0, 0] } as const;
    const of = { slack: 1e-5 };
    const [x, w, y] = [
      { shape: [1, 2, 8, 5], data: image },
      { shape: [3, 1, 3, 5], data: weight },
      { shape: [1, 2, 3, 3], data: output },
    ] as const;
    await same(of, (x, w) => c.conv('forward', x, w, window), x, w);
    await same(of, (y, x) => c.conv('weightGradient', y, x, window), y, x);
    // Behind the last pixel of a line of outputs, pixels in fours hold it again.
    for (const channels of [3, 4]) {
      const lines = { shape: [1, 2, 3, channels], data: smooth(6 * channels).with(2 * channels, INF) };
      await same(of, (y, x) => c.conv('weightGradient', y, x, window), lines, {
        ...x,
        data: smooth(2 * 8 * 5),
      });
    }
    // Behind the only pixel, tiles of kernels for GPUs hold it again.
    const pixel = { shape: [1, 1, 1, 16], data: smooth(16).with(6, INF) };
    const one = { image: [1, 1], size: [1, 1], stride: [1, 1], padding: [0, 0] } as const;
    const ys = { shape: [1, 1, 1, 8], data: smooth(8) };
    await same(of, (y, x) => c.conv('weightGradient', y, x, one), ys, pixel);
  });
});

it('a network that is fed one NaN has a NaN loss', async () => {
  const data = Array.from({ length: 12 }, (_, i) => (i === 5 ? NAN : i / 8 - 1));
  await sameOnGpu(
    (x, w, y) => {
      const h = c.relu(c.matmul(x, w));
      return c.softmaxCrossEntropy(c.matmul(h, w), y);
    },
    { shape: [3, 4], data },
    { shape: [4, 4], data: Array.from({ length: 16 }, (_, i) => Math.fround(Math.cos(i))) },
    column([0, 1, 2]),
  );
});
