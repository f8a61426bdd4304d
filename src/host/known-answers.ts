import * as c from '../autograd/functions.ts';
import { orthonormalize, rightSvd } from '../autograd/linalg.ts';
import { compileUnexamined } from '../autograd/program.ts';
import type { Spec } from '../autograd/signature.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { command } from '../command.ts';
import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Kernel } from '../gpu/kernel.ts';
import { record } from '../gpu/runnable.ts';
import { inNode } from '../gpu/wait.ts';
import { philoxUniform } from '../kernels/philox.ts';

/** A device that accepts work and gives back something else than its result. */
export class WrongAnswers extends CollimateError {
  constructor(adapter: string, wrong: number, of: number, what: string, example: string) {
    super(
      `${adapter} computes ${wrong} of ${of} numbers${what} wrong: ${example}`,
      inNode
        ? `update its driver, or choose another adapter with --adapter: \`${command('doctor')}\` tells which there are`
        : 'update the browser and the graphics driver',
    );
  }
}

/** Whether devices are taken without a check, as for measurements of what the host costs on one that does nothing. */
const isUnchecked = (): boolean => Boolean(globalThis.process?.env?.COLLIMATE_UNCHECKED);

/** @throws WrongAnswers if one of the numbers is further from its known answer than `tolerance` in units of 1 + its size */
function compareAnswers(
  { info }: Gpu,
  what: string,
  got: ArrayLike<number>,
  known: readonly number[],
  tolerance: number,
): void {
  const off = (x: number, i: number) => !(Math.abs(got[i]! - x) <= tolerance * (1 + Math.abs(x)));
  const wrong = known.filter(off).length;
  if (wrong === 0) return;
  const first = known.findIndex(off);
  const example = known.every((_, i) => got[i] === 0)
    ? 'all are 0'
    : `number ${first} is ${got[first]} instead of ${known[first]}`;
  throw new WrongAnswers(info.name, wrong, known.length, what, example);
}

const list = <T>(count: number, f: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => f(i));
const total = (count: number, f: (i: number) => number): number => list(count, f).reduce((a, b) => a + b);

const COUNT = 1024;

/** Reads what was uploaded, passes it between lanes through workgroup memory, and writes exact numbers. */
const kernel = {
  name: 'known answers',
  wgsl: `@group(0) @binding(0) var<storage, read_write> x: array<f32, ${COUNT}>;
var<workgroup> passed: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  passed[lane] = x[id.x];
  workgroupBarrier();
  x[id.x] = 1.5 * passed[63 - lane] - f32(id.x ^ 21);
}`,
};

/**
 * Lets a device compute what is known, some milliseconds' work.
 * @throws WrongAnswers if it does not
 */
export async function checkDevice(gpu: Gpu): Promise<void> {
  if (!isUnchecked()) await askDevice(gpu);
}

async function askDevice(gpu: Gpu): Promise<void> {
  const pipeline = await gpu.pipeline(kernel);
  const given = list(COUNT, (i) => 0.5 * i + 1);
  const buffer = gpu.createBuffer(4 * COUNT);
  try {
    gpu.write(buffer, 0, Float32Array.from(given));
    const group = gpu.bindGroup(pipeline, [buffer]);
    record(gpu.device, (recorder) => recorder.dispatch({ pipeline, group, grid: [COUNT / 64, 1, 1] }));
    const got = new Float32Array(await gpu.read(buffer, 0, 4 * COUNT));
    const known = list(COUNT, (i) => 1.5 * given[(i & ~63) + 63 - (i & 63)]! - (i ^ 21));
    compareAnswers(gpu, '', got, known, 0);
  } finally {
    gpu.destroyBuffer(buffer);
  }
}

/** A small problem: a function, what it is given, and what it should return, by formulas of their own. */
interface Problem {
  readonly f: (...xs: Tensor[]) => Tensor;
  readonly specs: readonly Spec[];
  /** By default, numbers from −2 to 2. */
  readonly data?: readonly number[][];
  readonly answer: (...data: number[][]) => number[];
}

const of = (...shape: number[]): Spec => ({ shape });
const spread = (i: number) => Math.fround(((4 * ((i + 1) * 0.6180339887)) % 4) - 2);

const product = (m: number, k: number, n: number): Problem => ({
  f: (a, b) => c.matmul(a, b),
  specs: [of(m, k), of(k, n)],
  answer: (a, b) => list(m * n, (i) => total(k, (l) => a[Math.floor(i / n) * k + l]! * b[l * n + (i % n)]!)),
});

/** Rows that are constant on the columns that leave the same remainder by three: they span what these columns' sums see. */
const STEPS = [1, -2, 0.5, 1.5, 1, -1, 0.25, 2, 1];

/** A problem of each family of kernels, by the first word of their names, and one for reads from textures. */
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
      const rows = list(5, (r) => x.slice(67 * r, 67 * (r + 1)));
      return rows.map((row) => total(67, (i) => row[i]!) + Math.max(...row));
    },
  },
  matmul: product(20, 24, 12),
  conv: {
    f: (x, w) => c.conv2d(x, w, { padding: 1 }),
    specs: [of(2, 5, 6, 4), of(8, 4, 3, 3)],
    answer: (x, w) =>
      list(2 * 5 * 6 * 8, (i) => {
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
      list(24, (i) => {
        const start = Math.floor(i / 8) * 32 + (Math.floor(i / 4) % 2) * 8 + (i % 4);
        return Math.max(...[0, 4, 16, 20].map((step) => x[start + step]!));
      }),
  },
  gather: {
    f: (x) => c.take(x, c.sub(8, c.iota([9]))),
    specs: [of(9, 4)],
    answer: (x) => list(36, (i) => x[(8 - Math.floor(i / 4)) * 4 + (i % 4)]!),
  },
  cumsum: {
    f: (x) => c.cumsum(x),
    specs: [of(4, 9)],
    answer: (x) => x.map((_, i) => total((i % 9) + 1, (k) => x[i - k]!)),
  },
  scatter: {
    f: (x) => c.scatterAdd(x, c.rem(c.iota([9]), 4), 5),
    specs: [of(9, 4)],
    answer: (x) => list(20, (i) => total(9, (r) => (r % 4 === Math.floor(i / 4) ? x[4 * r + (i % 4)]! : 0))),
  },
  random: {
    f: (key) => c.random(key, [64]),
    specs: [{ shape: [2], dtype: 'u32' }],
    data: [[7, 8]],
    answer: (key) => [...philoxUniform(64, key as [number, number], 0)],
  },
  // The projection onto the rows of x, of which all orthonormal bases have the same: here it takes means.
  qr: {
    f: (x) => {
      const q = orthonormalize(x);
      return c.matmul(q, q, { transposeA: true });
    },
    specs: [of(3, 11)],
    data: [list(33, (i) => STEPS[3 * Math.floor(i / 11) + ((i % 11) % 3)]!)],
    answer: () =>
      list(121, (i) => {
        const [row, col] = [Math.floor(i / 11) % 3, (i % 11) % 3];
        return row === col ? 1 / [4, 4, 3][row]! : 0;
      }),
  },
  // 6 … 1 times the rows of a reflection, I − vvᵀ/3 of ones v, and the same rising.
  svd: {
    f: (x) => rightSvd(x).s,
    specs: [of(2, 6, 6)],
    data: [
      list(72, (i) => {
        const row = Math.floor(i / 6) % 6;
        return (i < 36 ? 6 - row : row + 1) * (Number(row === i % 6) - 1 / 3);
      }),
    ],
    answer: () => list(12, (i) => 6 - (i % 6)),
  },
  texels: product(128, 128, 128),
} satisfies Record<string, Problem>;

type Family = keyof typeof problems;

/** The families of some kernels that have a problem. */
const familiesOf = (kernels: readonly Kernel[]): Family[] => {
  const names = kernels.map(({ name }) => name.split(/[_+]/)[0]!);
  const texels = kernels.some(({ bindings }) => bindings.includes('texels'));
  return [...new Set(texels ? [...names, 'texels'] : names)].filter((name) => name in problems) as Family[];
};

/** What each device has been asked, by families. */
const asked = new WeakMap<GPUDevice, Map<Family, Promise<void>>>();

/**
 * Lets a device solve, before the first use of each family of kernels, a small problem of it.
 * @throws WrongAnswers naming the family that it gets wrong
 */
export async function examineKernels(gpu: Gpu, kernels: readonly Kernel[]): Promise<void> {
  if (isUnchecked()) return;
  const known = asked.get(gpu.device) ?? new Map<Family, Promise<void>>();
  asked.set(gpu.device, known);
  await Promise.all(
    familiesOf(kernels).map((family) => {
      if (!known.has(family)) known.set(family, askFamily(gpu, family));
      return known.get(family);
    }),
  );
}

async function askFamily(gpu: Gpu, family: Family): Promise<void> {
  const problem: Problem = problems[family];
  const sizes = problem.specs.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  const data = problem.data ?? sizes.map((size) => list(size, spread));
  const program = await compileUnexamined(gpu, problem.f, problem.specs, { label: 'known answers' });
  const { data: got } = await program.run(...data);
  const what = ` of ${family === 'texels' ? 'a product read from textures' : family}`;
  compareAnswers(gpu, what, got, problem.answer(...(data as number[][])), 1e-4);
}

/** All questions that devices are asked, by name, whether or not `COLLIMATE_UNCHECKED` is set. Each throws {@link WrongAnswers}. */
export const questions: Readonly<Record<string, (gpu: Gpu) => Promise<void>>> = {
  device: askDevice,
  ...Object.fromEntries(
    (Object.keys(problems) as Family[]).map((family) => [family, (gpu: Gpu) => askFamily(gpu, family)]),
  ),
};
