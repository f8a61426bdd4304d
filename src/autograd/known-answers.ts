import type { Gpu } from '../gpu/device.ts';
import type { Kernel } from '../gpu/kernel.ts';
import { compareAnswers, isUnchecked } from '../gpu/known-answers.ts';
import * as c from './functions.ts';
import { type Spec, trace } from './graph.ts';
import { interpret } from './interpret.ts';
import { orthonormalize, rightSvd } from './linalg.ts';
import type { Tensor } from './tensor.ts';

const of = (...shape: number[]): Spec => ({ shape });

/** The projection onto the rows of x: of their orthonormal bases all have the same. */
function projection(x: Tensor): Tensor {
  const q = orthonormalize(x);
  return c.matmul(q, q, { transposeA: true });
}

const product = (a: Tensor, b: Tensor) => c.matmul(a, b);

/** A small problem of each family of kernels, by the first word of their names, and one for reads from textures. */
const problems = {
  pointwise: [(x) => c.where(c.greater(x, 0), c.exp(x), c.div(x, c.add(c.mul(x, x), 1))), of(9, 7)],
  reduce: [(x) => c.add(c.sum(x, -1), c.amax(x, -1)), of(5, 67)],
  matmul: [product, of(20, 24), of(24, 12)],
  conv: [(x, w) => c.conv2d(x, w, { padding: 1 }), of(2, 5, 6, 4), of(8, 4, 3, 3)],
  max: [(x) => c.maxPool2d(x, 2), of(1, 6, 4, 4)],
  gather: [(x) => c.take(x, c.sub(8, c.iota([9]))), of(9, 4)],
  random: [(key) => c.random(key, [64]), { shape: [2], dtype: 'u32' }],
  qr: [projection, of(3, 11)],
  svd: [(x) => rightSvd(x).s, of(2, 6, 6)],
  texels: [product, of(128, 128), of(128, 128)],
} satisfies Record<string, readonly [(...xs: Tensor[]) => Tensor, ...Spec[]]>;

type Family = keyof typeof problems;

/** The families of some kernels that have a problem. */
const familiesOf = (kernels: readonly Kernel[]): Family[] => {
  const names = kernels.map(({ name }) => name.split(/[_+]/)[0]!);
  const texels = kernels.some(({ bindings }) => bindings.includes('texels'));
  return [...new Set(texels ? [...names, 'texels'] : names)].filter((name) => name in problems) as Family[];
};

/** What each device has been asked, by families. */
const asked = new WeakMap<GPUDevice, Map<Family, Promise<void>>>();

/** Runs a function of tensors on the GPU. */
type Run = (
  f: (...xs: Tensor[]) => Tensor,
  specs: readonly Spec[],
  data: readonly number[][],
) => Promise<ArrayLike<number>>;

/**
 * Lets a device solve, before the first use of each family of kernels, a small problem of it, and compares with the float64
 * interpreter.
 * @throws WrongAnswers naming the family that it gets wrong
 */
export async function checkFamilies(gpu: Gpu, kernels: readonly Kernel[], run: Run): Promise<void> {
  if (isUnchecked()) return;
  const known = asked.get(gpu.device) ?? new Map<Family, Promise<void>>();
  asked.set(gpu.device, known);
  const check = async (family: Family): Promise<void> => {
    const [f, ...specs] = problems[family] as readonly [(...xs: Tensor[]) => Tensor, ...Spec[]];
    const data = specs.map(({ shape, dtype }) =>
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
        dtype === 'u32' ? i + 7 : Math.fround(((4 * ((i + 1) * 0.6180339887)) % 4) - 2),
      ),
    );
    const [want] = interpret(trace(f, specs), data);
    compareAnswers(
      gpu.info.name,
      ` of ${family === 'texels' ? 'a product read from textures' : family}`,
      await run(f, specs, data),
      want!.data,
      1e-4,
    );
  };
  await Promise.all(
    familiesOf(kernels).map((family) => {
      if (!known.has(family)) known.set(family, check(family));
      return known.get(family);
    }),
  );
}
