import { expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { printGraph, trace } from '../../src/autograd/graph.ts';
import { simplify } from '../../src/autograd/lower/simplify.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad, jvp, linearize } from '../../src/autograd/transform.ts';
import type { AnyFunction } from '../../src/autograd/tree.ts';
import { indices, of } from './support.ts';

/** The traced graph, or its simplification. */
const traced = (f: AnyFunction<unknown>, ...specs: unknown[]) => printGraph(trace(f, specs));
const simplified = (f: AnyFunction<unknown>, ...specs: unknown[]) => {
  const { inputs, outputs } = trace(f, specs);
  return printGraph({ inputs, outputs: simplify(outputs) });
};

const loss = ({ w1, w2 }: { w1: Tensor; w2: Tensor }, x: Tensor, labels: Tensor) =>
  c.softmaxCrossEntropy(c.matmul(c.relu(c.matmul(x, w1)), w2), labels);

it('traces a function', () => {
  expect(traced(loss, { w1: of([4, 8]), w2: of([8, 3]) }, of([5, 4]), of([5]))).toMatchInlineSnapshot(`
    "graph(%0: f32[4,8] 0.w1, %1: f32[8,3] 0.w2, %2: f32[5,4] 1, %3: f32[5] 2)
      %4: f32[5,8] = matmul(%2, %0)
      %5: f32[5,8] = relu(%4)
      %6: f32[5,3] = matmul(%5, %1)
      %7: f32[5,1] = reshape{from=1 to=[5,1]}(%3)
      %8: u32[3] = iota{shape=[3] axis=-1}()
      %9: f32[3] = cast{dtype=f32}(%8)
      %10: f32[1,3] = reshape{from=1 to=[1,3]}(%9)
      %11: bool[5,3] = equal(%7, %10)
      %12: f32[5,1] = reduce{kind=max axes=[-1]}(%6)
      %13: f32[5,1] = stopGradient(%12)
      %14: f32[5,1] = max(%13, -3.4028234663852886e+38)
      %15: f32[5,1] = min(%14, 3.4028234663852886e+38)
      %16: f32[5,3] = sub(%6, %15)
      %17: f32[5,3] = exp(%16)
      %18: f32[5,1] = reduce{kind=sum axes=[-1]}(%17)
      %19: f32[5,1] = log(%18)
      %20: f32[5,1] = add(%19, %15)
      %21: f32[5,3] = where(%11, %6, 0)
      %22: f32[5,1] = reduce{kind=sum axes=[-1]}(%21)
      %23: f32[5,1] = sub(%20, %22)
      %24: u32[5,1] = cast{dtype=u32}(%7)
      %25: f32[5,1] = cast{dtype=f32}(%24)
      %26: bool[5,1] = equal(%25, %7)
      %27: f32[5,1] = cast{dtype=f32}(%26)
      %28: bool[5,1] = greater(3, %7)
      %29: f32[5,1] = where(%28, %27, 0)
      %30: f32[5,1] = div(%29, %29)
      %31: f32[5,1] = mul(%23, %30)
      %32: f32[1,1] = reduce{kind=mean axes=[-2,-1]}(%31)
      return %32"
  `);
});

it('differentiates forward: each value beside its tangent', () => {
  const f = (x: Tensor, t: Tensor) => jvp((x: Tensor) => c.mul(c.sin(x), x), [x], [t]);
  expect(traced(f, of([3]), of([3]))).toMatchInlineSnapshot(`
    "graph(%0: f32[3] 0, %1: f32[3] 1)
      %2: f32[3] = copy(%0)
      %3: f32[3] = sin(%2)
      %4: f32[3] = mul(%3, %2)
      %5: f32[3] = cos(%2)
      %6: f32[3] = mul(%1, %5)
      %7: f32[3] = mul(%6, %2)
      %8: f32[3] = mul(%3, %1)
      %9: f32[3] = add(%7, %8)
      return %4, %9"
  `);
});

it('differentiates backward: the gradient of a network of two layers', () => {
  const specs = [{ w1: of([4, 8]), w2: of([8, 3]) }, of([5, 4]), of([5])];
  expect(simplified(grad(loss), ...specs)).toMatchInlineSnapshot(`
    "graph(%0: f32[4,8] 0.w1, %1: f32[8,3] 0.w2, %2: f32[5,4] 1, %3: f32[5] 2)
      %4: f32[5,1] = reshape{from=1 to=[5,1]}(%3)
      %5: u32[3] = iota{shape=[3] axis=-1}()
      %6: f32[3] = cast{dtype=f32}(%5)
      %7: f32[1,3] = reshape{from=1 to=[1,3]}(%6)
      %8: bool[5,3] = equal(%4, %7)
      %9: u32[5,1] = cast{dtype=u32}(%4)
      %10: f32[5,1] = cast{dtype=f32}(%9)
      %11: bool[5,1] = greater(3, %4)
      %12: f32[5,8] = matmul(%2, %0)
      %13: f32[5,8] = relu(%12)
      %14: f32[5,3] = matmul(%13, %1)
      %15: f32[5,1] = reduce{kind=max axes=[-1]}(%14)
      %16: f32[5,1] = max(-3.4028234663852886e+38, %15)
      %17: f32[5,1] = min(3.4028234663852886e+38, %16)
      %18: f32[5,3] = sub(%14, %17)
      %19: f32[5,3] = exp(%18)
      %20: f32[5,1] = reduce{kind=sum axes=[-1]}(%19)
      %21: bool[5,1] = equal(%4, %10)
      %22: f32[5,1] = cast{dtype=f32}(%21)
      %23: f32[5,1] = where(%11, %22, 0)
      %24: f32[5,1] = div(%23, %23)
      %25: bool[5,8] = greater(%13, 0)
      %26: f32[5,1] = mul(0.2, %24)
      %27: f32[5,1] = neg(%26)
      %28: f32[5,3] = broadcast{to=[5,3]}(%27)
      %29: f32[5,3] = where(%8, %28, 0)
      %30: f32[5,1] = div(%26, %20)
      %31: f32[5,3] = broadcast{to=[5,3]}(%30)
      %32: f32[5,3] = mul(%19, %31)
      %33: f32[5,3] = add(%29, %32)
      %34: f32[8,3] = matmul{transposeA}(%13, %33)
      %35: f32[5,8] = matmul{transposeB}(%33, %1)
      %36: f32[5,8] = where(%25, %35, 0)
      %37: f32[4,8] = matmul{transposeA}(%2, %36)
      return %37, %34"
  `);
});

it('linearizes BatchNorm, and transposes it for a batch of cotangents', () => {
  const norm = (x: Tensor) => c.mul(c.sub(x, c.mean(x, -2)), c.rsqrt(c.add(c.variance(x, -2), 1e-5)));
  const f = (x: Tensor, us: Tensor) => linearize(norm, x).applyTranspose(us);
  expect(simplified(f, of([5, 4]), of([7, 5, 4]))).toMatchInlineSnapshot(`
    "graph(%0: f32[5,4] 0, %1: f32[7,5,4] 1)
      %2: f32[1,4] = reduce{kind=mean axes=[-2]}(%0)
      %3: f32[5,4] = sub(%0, %2)
      %4: f32[1,4] = reduce{kind=variance axes=[-2]}(%0)
      %5: f32[1,4] = add(0.00001, %4)
      %6: f32[1,4] = rsqrt(%5)
      %7: f32[1,4] = mul(%6, %6)
      %8: f32[1,4] = mul(%6, %7)
      %9: f32[1,4] = mul(-0.5, %8)
      %10: f32[1,5,4] = reshape{from=2 to=[1,5,4]}(%3)
      %11: f32[1,1,4] = reshape{from=2 to=[1,1,4]}(%9)
      %12: f32[1,1,4] = reshape{from=2 to=[1,1,4]}(%6)
      %13: f32[7,5,4] = mul(%1, %10)
      %14: f32[7,1,4] = reduce{kind=sum axes=[-2]}(%13)
      %15: f32[7,5,4] = mul(%1, %12)
      %16: f32[7,1,4] = mul(%11, %14)
      %17: f32[7,1,4] = mul(2, %16)
      %18: f32[7,1,4] = mul(0.2, %17)
      %19: f32[7,5,4] = broadcast{to=[7,5,4]}(%18)
      %20: f32[7,5,4] = mul(%10, %19)
      %21: f32[7,5,4] = add(%15, %20)
      %22: f32[7,1,4] = reduce{kind=sum axes=[-2]}(%15)
      %23: f32[7,1,4] = neg(%22)
      %24: f32[7,1,4] = mul(0.2, %23)
      %25: f32[7,5,4] = broadcast{to=[7,5,4]}(%24)
      %26: f32[7,5,4] = add(%21, %25)
      return %26"
  `);
});

it('gathers a shuffled batch', () => {
  const f = (images: Tensor, step: Tensor, key: Tensor) =>
    c.take(images, c.shuffle(c.rem(c.add(c.mul(step, 4), c.iota([4])), 10), key, 10), { scale: 1 / 255 });
  expect(traced(f, { shape: [10, 6], dtype: 'u8' }, indices([1], 9), indices([1], 9))).toMatchInlineSnapshot(`
    "graph(%0: u8[10,6] 0, %1: u32[1] 1, %2: u32[1] 2)
      %3: u32[1] = mul(%1, 4u)
      %4: u32[4] = iota{shape=[4] axis=-1}()
      %5: u32[4] = add(%3, %4)
      %6: u32[4] = rem(%5, 10u)
      %7: u32[4] = shuffle{n=10}(%6, %2)
      %8: f32[4,6] = take{axis=-2 scale=0.00392156862745098 shift=0}(%0, %7)
      return %8"
  `);
});
