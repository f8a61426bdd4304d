import { matmul } from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { type Case, runCases } from '../cases.ts';
import { Sum, spreadOver, wave } from '../inputs.ts';
import type { Check } from '../result.ts';
import type { Context, Suite } from '../suite.ts';

interface Form {
  readonly name: string;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

const forms: readonly Form[] = [
  { name: 'A·B', transposeA: false, transposeB: false },
  { name: 'Aᵀ·B', transposeA: true, transposeB: false },
  { name: 'A·Bᵀ', transposeA: false, transposeB: true },
];

/** Matrix products as the three forms that training needs. */
export const matmulSuite: Suite = {
  name: 'matmul',
  summary: 'A·B, Aᵀ·B and A·Bᵀ in fp32',
  threads: 'all',
  sizes: {
    notation: 'MxNxK',
    cube: true,
    // Powers of two, the stem of mnist-fc, and two that no tile divides.
    defaults: ['128', '256', '512', '1024', '128x128x784', '500x700x300', '997x1009x1013'],
  },
  run: (context) =>
    runCases(
      context,
      context.sizes.flatMap((size) => forms.map((form) => product(context, form, size))),
    ),
};

/** The same of operands that GPUs may round to f16; software adapters do not. */
export const halfSuite: Suite = {
  name: 'f16',
  summary: 'on GPUs, the same with operands rounded to f16',
  threads: 'all',
  sizes: { notation: 'MxNxK', cube: true, defaults: ['1024', '4096'] },
  run: async (context) => {
    const { f16, kind } = context.gpu.traits;
    if (!f16 || kind === 'software') return context.say('this adapter has no products of f16');
    const cases = context.sizes.flatMap((size) => forms.map((form) => product(context, form, size)));
    const check =
      (one: Case): Case['check'] =>
      (...given) => ({ ...one.check(...given), tolerance: 5e-4 });
    const halves = cases.map(({ peers, ...one }) => ({
      ...one,
      precision: 'f16' as const,
      check: check(one),
    }));
    await runCases(context, halves);
  },
};

/** Default sizes for peers, which are slow. */
const peerSizes = [512, 1024];

function product(context: Context, form: Form, [m, n, k]: readonly number[]): Case {
  const { transposeA, transposeB } = form;
  const dims = { m: m!, n: n!, k: k! };
  const forPeers = context.sizesGiven || (m === n && n === k && peerSizes.includes(m!) && form === forms[0]);
  return {
    name: form.name,
    size: `${m}x${n}x${k}`,
    f: (a: Tensor, b: Tensor) => matmul(a, b, { transposeA, transposeB }),
    shapes: [transposeA ? [k!, m!] : [m!, k!], transposeB ? [n!, k!] : [k!, n!]],
    inputs: () => [wave(m! * k!, 0.37), wave(k! * n!, 0.23, Math.cos)],
    check: ([c], [a, b]) => checkRows(c!, a!, b!, form, dims),
    ...(context.peers && forPeers
      ? {
          peers: (ours) => {
            const [a, b] = [wave(m! * k!, 0.37), wave(k! * n!, 0.23, Math.cos)];
            const trace = new Sum();
            for (let i = 0; i < Math.min(m!, n!); i++) trace.join(element(a, b, form, dims, i, i));
            const work = { kind: 'matmul', ...dims, transposeA, transposeB } as const;
            return context.peers!.beside(work, ours, (check) => trace.judge('trace of C', check));
          },
        }
      : {}),
  };
}

interface Dims {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** The product's element (i, j). */
function element(
  a: Float32Array,
  b: Float32Array,
  { transposeA, transposeB }: Form,
  { m, n, k }: Dims,
  i: number,
  j: number,
): Sum {
  const [ai, al] = transposeA ? [1, m] : [k, 1];
  const [bl, bj] = transposeB ? [1, k] : [n, 1];
  const sum = new Sum();
  for (let l = 0; l < k; l++) sum.add(a[i * ai + l * al]! * b[l * bl + j * bj]!);
  return sum;
}

/** Eight whole rows, from the first to the last. */
function checkRows(c: Float32Array, a: Float32Array, b: Float32Array, form: Form, dims: Dims): Check {
  let error = 0;
  for (const i of spreadOver(dims.m, 8)) {
    for (let j = 0; j < dims.n; j++) {
      error = Math.max(error, element(a, b, form, dims, i, j).error(c[i * dims.n + j]!));
    }
  }
  return { relativeTo: 'Σ|a||b|', error, tolerance: 5e-6 };
}
