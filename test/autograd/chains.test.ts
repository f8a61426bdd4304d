import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { printGraph } from '../../src/autograd/graph.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { testGpu } from '../gpu/harness.ts';
import { float32, flush } from './support.ts';

type Step = (a: Tensor, b: Tensor, last: Tensor) => Tensor;
const STEPS: Record<string, Step> = {
  add: c.add,
  sub: c.sub,
  mul: c.mul,
  div: c.div,
  neg: c.neg,
  max: c.maximum,
  min: c.minimum,
  larger: (a, b, last) => c.where(c.greater(a, b), a, last),
  same: (a, b, last) => c.where(c.equal(a, b), last, a),
  root: (a) => c.sqrt(c.maximum(a, c.neg(a))),
  relu: c.relu,
};
const LITERALS = [0, -0, 1, -1, 2, 0.5, 1e30, 1e-20, 3.4e38, Number.NaN, Infinity, -Infinity];
const VALUES = [NaN, Infinity, -Infinity, 3.4028234663852886e38, 1e30, -1e30, 1e-20, -1e-20, 1, -1, 2, -5, 1e10, -1e15, 0.5, 7e18].map(Math.fround); // biome-ignore format: a list
const [LEFT, RIGHT] = [VALUES.flatMap((a) => VALUES.map(() => a)), VALUES.flatMap(() => VALUES)];

/** NaN, infinite or neither. Infinities lose their sign, as zeros may, and 1 / 0 with it. */
const classOf = (x: number) => (Number.isFinite(x) ? 'finite' : `${Math.abs(x)}`);

it('chains of arithmetic overflow, vanish and become NaN as float32 does, whatever compilers can make of them', async () => {
  const gpu = await testGpu();
  const step = fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.nat(), fc.nat());
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 9 }), async (steps) => {
      const f = (x: Tensor, y: Tensor) => {
        const known = [...LITERALS.map((k) => c.constant(k)), x, y];
        // Mostly the latest values.
        const pick = (i: number) => known.at(-1 - (i % 3 ? i % 4 : i % known.length))!;
        for (const [op, i, j] of steps) known.push(STEPS[op]!(pick(i), pick(j), known.at(-1)!));
        return known.slice(-2);
      };
      const program = await compile(gpu, f, [[LEFT.length], [LEFT.length]]);
      const given = await program.run(LEFT, RIGHT);
      const [kept, flushed] = [(x: number) => x, flush].map((k) => float32(program.graph, [LEFT, RIGHT], k));
      given.forEach(({ data }, r) => {
        data.forEach((got, i) => {
          const wants = [kept, flushed].map((w) => w![r]!.data[i]!);
          if (wants.some((want) => classOf(want) === classOf(got))) return;
          expect.fail(`${got}, not ${wants} of ${LEFT[i]} and ${RIGHT[i]}:\n${printGraph(program.graph)}`);
        });
      });
    }),
    { numRuns: 80, seed: 11 },
  );
});
