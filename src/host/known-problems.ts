import * as c from '../autograd/functions.ts';
import { orthonormalize, rightSvd } from '../autograd/linalg.ts';
import { compileUnexamined } from '../autograd/program.ts';
import type { Spec } from '../autograd/signature.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Kernel, Work } from '../gpu/kernel.ts';
import { philoxUniform } from '../kernels/philox.ts';
import { range } from '../lists.ts';
import { askDevice, compareAnswers, isUnchecked } from './known-answers.ts';

const total = (count: number, f: (i: number) => number): number =>
  range(count)
    .map(f)
    .reduce((a, b) => a + b);

/** A small problem: a function, its inputs, and what it should return by independent formulas. */
interface Problem {
  readonly f: (...xs: Tensor[]) => Tensor;
  readonly specs: readonly Spec[];
  /** By default, numbers from −2 to 2. */
  readonly data?: readonly number[][];
  readonly answer: (...data: number[][]) => number[];
  /** If f16, all kernels that may be chosen are asked, of those that {@link PARTICULAR} recognizes. */
  readonly precision?: 'f16';
}

const of = (...shape: number[]): Spec => ({ shape });
const spread = (i: number) => Math.fround(((4 * ((i + 1) * 0.6180339887)) % 4) - 2);

const product = (m: number, k: number, n: number): Problem => ({
  f: (a, b) => c.matmul(a, b),
  specs: [of(m, k), of(k, n)],
  answer: (a, b) =>
    range(m * n).map((i) => total(k, (l) => a[Math.floor(i / n) * k + l]! * b[l * n + (i % n)]!)),
});

/** Of multiples of 1/8, which f16 holds, so that the answer is exact. */
const halfProduct: Problem = {
  ...product(72, 40, 72),
  data: [range(72 * 40), range(40 * 72)].map((all) => all.map((i) => Math.round(8 * spread(i)) / 8)),
  precision: 'f16',
};

/** Rows that are constant on columns of equal remainder by 3: they span what those columns' sums see. */
const STEPS = [1, -2, 0.5, 1.5, 1, -1, 0.25, 2, 1];

/** One problem per family of kernels, by the first word of their names, and {@link PARTICULAR} ones. */
const problems = {
  pointwise: {
    f: (x) => c.where(c.greater(x, 0), c.exp(x), c.div(x, c.add(c.mul(x, x), 1))),
    specs: [of(9, 7)],
    answer: (x) => x.map((v) => (v > 0 ? Math.exp(v) : v / (v * v + 1))),
  },
  reduce: {
    f: (x) => c.add(c.sum(x, -1), c.amax(x, -1)),
    specs: [of(5, 67)],
    answer: (x) => {
      const rows = range(5).map((r) => x.slice(67 * r, 67 * (r + 1)));
      return rows.map((row) => total(67, (i) => row[i]!) + Math.max(...row));
    },
  },
  matmul: product(20, 24, 12),
  conv: {
    f: (x, w) => c.conv2d(x, w, { padding: 1 }),
    specs: [of(2, 5, 6, 4), of(8, 4, 3, 3)],
    answer: (x, w) =>
      range(2 * 5 * 6 * 8).map((i) => {
        const [image, row, col] = [Math.floor(i / 240), Math.floor(i / 48) % 5, Math.floor(i / 8) % 6];
        return total(4 * 9, (tap) => {
          const [h, v] = [row - 1 + (Math.floor(tap / 3) % 3), col - 1 + (tap % 3)];
          if (h < 0 || h > 4 || v < 0 || v > 5) return 0;
          return x[((image * 5 + h) * 6 + v) * 4 + Math.floor(tap / 9)]! * w[(i % 8) * 36 + tap]!;
        });
      }),
  },
  max: {
    f: (x) => c.maxPool2d(x, 2),
    specs: [of(1, 6, 4, 4)],
    answer: (x) =>
      range(24).map((i) => {
        const start = Math.floor(i / 8) * 32 + (Math.floor(i / 4) % 2) * 8 + (i % 4);
        return Math.max(...[0, 4, 16, 20].map((step) => x[start + step]!));
      }),
  },
  gather: {
    f: (x) => c.take(x, c.sub(8, c.iota([9]))),
    specs: [of(9, 4)],
    answer: (x) => range(36).map((i) => x[(8 - Math.floor(i / 4)) * 4 + (i % 4)]!),
  },
  cumsum: {
    f: (x) => c.cumsum(x),
    specs: [of(4, 9)],
    answer: (x) => x.map((_, i) => total((i % 9) + 1, (k) => x[i - k]!)),
  },
  scatter: {
    f: (x) => c.scatterAdd(x, c.rem(c.iota([9]), 4), 5),
    specs: [of(9, 4)],
    answer: (x) =>
      range(20).map((i) => total(9, (r) => (r % 4 === Math.floor(i / 4) ? x[4 * r + (i % 4)]! : 0))),
  },
  random: {
    f: (key) => c.random(key, [64]),
    specs: [{ shape: [2], dtype: 'u32' }],
    data: [[7, 8]],
    answer: (key) => [...philoxUniform(64, key as [number, number], 0)],
  },
  // The projection onto the rows of x, the same for every orthonormal basis: here it takes means.
  qr: {
    f: (x) => {
      const q = orthonormalize(x);
      return c.matmul(q, q, { transposeA: true });
    },
    specs: [of(3, 11)],
    data: [range(33).map((i) => STEPS[3 * Math.floor(i / 11) + ((i % 11) % 3)]!)],
    answer: () =>
      range(121).map((i) => {
        const [row, col] = [Math.floor(i / 11) % 3, (i % 11) % 3];
        return row === col ? 1 / [4, 4, 3][row]! : 0;
      }),
  },
  // 6 … 1 times the rows of a reflection, I − vvᵀ/3 of ones v, and the same rising.
  svd: {
    f: (x) => rightSvd(x).s,
    specs: [of(2, 6, 6)],
    data: [
      range(72).map((i) => {
        const row = Math.floor(i / 6) % 6;
        return (i < 36 ? 6 - row : row + 1) * (Number(row === i % 6) - 1 / 3);
      }),
    ],
    answer: () => range(12).map((i) => 6 - (i % 6)),
  },
  texels: product(128, 128, 128),
  f16: halfProduct,
  matrices: halfProduct,
  stripes: {
    f: (a, b) => {
      const y = c.matmul(a, b);
      return c.sub(y, c.mean(y, -2));
    },
    specs: [of(20, 24), of(24, 16)],
    answer: (a, b) => {
      const y = product(20, 24, 16).answer(a, b);
      return y.map((value, i) => value - total(20, (row) => y[16 * row + (i % 16)]!) / 20);
    },
  },
} satisfies Record<string, Problem>;

type Family = keyof typeof problems;

/** Kernels with questions beyond their family's, in words, and how to recognize them. */
const PARTICULAR: Partial<Record<Family, readonly [what: string, is: (kernel: Kernel) => boolean]>> = {
  texels: ['a product read from textures', ({ bindings }) => bindings.includes('texels')],
  f16: ['a product of f16', ({ variant }) => Boolean(variant?.startsWith('tiled f16'))],
  matrices: [
    'a product by subgroup matrices',
    ({ variant }) => Boolean(variant?.startsWith('subgroup matrices')),
  ],
  stripes: ['a product whose columns are reduced', ({ name }) => name.includes('+reduce')],
};

/** The families with a problem among some kernels. */
const familiesOf = (kernels: readonly Kernel[]): Family[] => {
  const names = kernels.map(({ name }) => name.split(/[_+]/)[0]!);
  const particular = Object.entries(PARTICULAR).filter(([, [, is]]) => kernels.some(is));
  const all = new Set([...names, ...particular.map(([name]) => name)]);
  return [...all].filter((name) => name in problems) as Family[];
};

/** The families that each device has been asked about. */
const asked = new WeakMap<GPUDevice, Map<Family, Promise<void>>>();

/** Has a device solve a problem of each family before its first use. @throws WrongAnswers naming one */
export async function examineKernels(gpu: Gpu, kernels: readonly Kernel[]): Promise<void> {
  await Promise.all(familiesOf(kernels).map((family) => askOnce(gpu, family)));
}

/** Whether a device multiplies matrices of f16 right; a warning says if not. */
export async function confirmMatrices(gpu: Gpu): Promise<boolean> {
  try {
    await askOnce(gpu, 'matrices');
    return true;
  } catch (error) {
    gpu.check();
    if (!(error instanceof CollimateError)) throw error;
    console.warn(`${error.message}. Products of f16 go without subgroup matrices.`);
    return false;
  }
}

function askOnce(gpu: Gpu, family: Family): Promise<void> | undefined {
  if (isUnchecked()) return;
  const known = asked.get(gpu.device) ?? new Map<Family, Promise<void>>();
  asked.set(gpu.device, known);
  if (!known.has(family)) known.set(family, askFamily(gpu, family));
  return known.get(family);
}

async function askFamily(gpu: Gpu, family: Family): Promise<void> {
  const problem: Problem = problems[family];
  const [name, is] = PARTICULAR[family] ?? [family];
  const sizes = problem.specs.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  const data = problem.data ?? sizes.map((size) => range(size).map(spread));
  const answer = problem.answer(...(data as number[][]));
  const precision = gpu.traits.f16 ? problem.precision : undefined;
  let count = 1;
  for (let i = 0; i < count; i++) {
    const choose = async (work: readonly Work[]) =>
      work.map(({ kernel }) => {
        const all = precision ? [kernel, ...(kernel.choice?.others ?? [])].filter(is!) : [];
        count = all.length;
        return all[i] ?? kernel;
      });
    const options = { label: 'known answers', ...(precision && { precision }) };
    const program = await compileUnexamined(gpu, problem.f, problem.specs, options, choose);
    const { data: got } = await program.run(...data);
    compareAnswers(gpu, ` of ${name}`, got, answer, 1e-4);
  }
}

/** Questions to devices by name, even with `COLLIMATE_UNCHECKED`. Each may throw {@link WrongAnswers}. */
export const questions: Readonly<Record<string, (gpu: Gpu) => Promise<void>>> = {
  device: askDevice,
  ...Object.fromEntries(
    (Object.keys(problems) as Family[]).map((family) => [family, (gpu: Gpu) => askFamily(gpu, family)]),
  ),
};
