import { describe, expect, test } from 'vitest';
import { sum } from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { valueAndGrad } from '../../src/autograd/transform.ts';
import { philoxNormal } from '../../src/kernels/philox.ts';
import {
  alignedOptimum,
  type UnconstrainedOptions,
  type UnconstrainedParameters,
  unconstrainedObjective,
} from '../../src/models/unconstrained-jacobians.ts';

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** The objective of one model in plain loops; J_1 … J_L and then W, row by row. */
function plainObjective(options: UnconstrainedOptions, parameters: readonly Float64Array[]): number {
  const { classes, depth, width: d, penalty, skip } = options;
  const classifier = parameters[depth]!;
  let loss = 0;
  for (const c of range(classes)) {
    let h = range(d).map((k) => Number(k === c));
    for (const jacobian of parameters.slice(0, depth)) {
      const image = range(d).map((r) => range(d).reduce((s, k) => s + jacobian[r * d + k]! * h[k]!, 0));
      h = image.map((x, k) => (skip ? h[k]! + x : x));
    }
    const logits = range(classes).map((r) =>
      range(d).reduce((s, k) => s + classifier[r * d + k]! * h[k]!, 0),
    );
    loss += (Math.log(logits.reduce((s, z) => s + Math.exp(z), 0)) - logits[c]!) / classes;
  }
  const squares = parameters.reduce((s, p) => s + p.reduce((t, x) => t + x * x, 0), 0);
  return loss + (penalty / 2) * squares;
}

/** Objective and gradient of one model by the engine, in float64. */
function engine(options: UnconstrainedOptions, parameters: readonly Float64Array[]) {
  const { classes, depth, width } = options;
  const specs = {
    jacobians: range(depth).map(() => ({ shape: [1, width, width] })),
    classifier: { shape: [1, classes, width] },
  };
  const graph = trace(
    valueAndGrad((p: UnconstrainedParameters) => sum(unconstrainedObjective(options, p).objective)),
    [specs],
  );
  const [value, ...gradients] = interpret(graph, parameters);
  return { value: value!.data[0]!, gradients: gradients.map(({ data }) => data) };
}

const randomParameters = ({ classes, depth, width }: UnconstrainedOptions, scale: number, seed: number) => [
  ...range(depth).map((i) => philoxNormal(width * width, [seed, 0], i).map((z) => z * scale)),
  philoxNormal(classes * width, [seed, 0], depth).map((z) => z * scale),
];

/** J_i = σP and W = ω(I − 11ᵀ/C)Eᵀ with ω² = σ(1 + σ). */
function alignedParameters({ classes, depth, width }: UnconstrainedOptions, sigma: number): Float64Array[] {
  const projection = (rows: number, scale: number) =>
    Float64Array.from({ length: rows * width }, (_, at) => {
      const [r, k] = [Math.floor(at / width), at % width];
      return r < classes && k < classes ? scale * ((r === k ? 1 : 0) - 1 / classes) : 0;
    });
  return [
    ...range(depth).map(() => projection(width, sigma)),
    projection(classes, Math.sqrt(sigma * (1 + sigma))),
  ];
}

describe('the objective and its gradient', () => {
  test.each<[string, UnconstrainedOptions]>([
    ['two classes', { classes: 2, depth: 3, width: 4, penalty: 0.3, skip: true }],
    ['four classes', { classes: 4, depth: 2, width: 5, penalty: 0.05, skip: true }],
    ['no skip connections', { classes: 3, depth: 4, width: 3, penalty: 0.1, skip: false }],
  ])('%s: as in plain loops, and as their finite differences', (_, options) => {
    const parameters = randomParameters(options, 0.5, 7);
    const { value, gradients } = engine(options, parameters);
    expect(value).toBeCloseTo(plainObjective(options, parameters), 12);
    const h = 1e-5;
    parameters.forEach((own, i) => {
      for (const k of range(own.length)) {
        const moved = (by: number) =>
          parameters.map((p) => (p === own ? p.map((x, j) => x + (j === k ? by : 0)) : p));
        const difference = (plainObjective(options, moved(h)) - plainObjective(options, moved(-h))) / (2 * h);
        expect(gradients[i]![k]).toBeCloseTo(difference, 8);
      }
    });
  });
});

describe('the aligned optimum', () => {
  const cases = [2, 3, 10].flatMap((classes) =>
    [1, 2, 8].flatMap((depth) => [0.01, 0.05, 0.2].map((penalty) => ({ classes, depth, penalty }))),
  );

  test.each(cases)(
    '$classes classes, $depth blocks, λ = $penalty: it is stationary, and its objective is told',
    (c) => {
      const options = { ...c, width: c.classes + 1, skip: true };
      const { sigma, objective } = alignedOptimum(options);
      const { value, gradients } = engine(options, alignedParameters(options, sigma));
      expect(value).toBeCloseTo(objective, 12);
      expect(Math.max(...gradients.flatMap((g) => [...g].map(Math.abs)))).toBeLessThan(1e-12);
    },
  );

  test('no pair of σ and ω is better', () => {
    for (const { classes, depth, penalty } of cases) {
      const best = alignedOptimum({ classes, depth, penalty });
      const others = classes - 1;
      const objectives = range(60).flatMap((i) =>
        range(60).map((j) => {
          const [sigma, omega] = [0.05 * i, 0.05 * j];
          const margin = omega * (1 + sigma) ** depth;
          const norms = others * (depth * sigma ** 2 + omega ** 2);
          return Math.log1p(others * Math.exp(-margin)) + (penalty / 2) * norms;
        }),
      );
      expect(Math.min(...objectives)).toBeGreaterThanOrEqual(best.objective);
    }
  });

  test('with two classes, no point near or far is better', () => {
    const options = { classes: 2, depth: 3, width: 4, penalty: 0.05, skip: true };
    const { sigma, objective } = alignedOptimum(options);
    const optimum = alignedParameters(options, sigma);
    for (const seed of range(200)) {
      const scale = 10 ** (-3 + seed / 60);
      const noise = randomParameters(options, scale, seed);
      const near = optimum.map((p, i) => p.map((x, k) => x + noise[i]![k]!));
      expect(plainObjective(options, near)).toBeGreaterThan(objective);
      expect(plainObjective(options, noise)).toBeGreaterThan(objective);
    }
  });

  test('of several stationary points it is the lowest', () => {
    const depth = 64;
    let several = 0;
    for (const penalty of range(60).map((i) => 0.05 * 1.12 ** i)) {
      const objectives = range(400).map((k) => {
        const sigma = 0.0005 * k;
        const [omega2, growth] = [sigma * (1 + sigma), (1 + sigma) ** depth];
        return (
          Math.log1p(Math.exp(-growth * Math.sqrt(omega2))) + (penalty / 2) * (depth * sigma ** 2 + omega2)
        );
      });
      const falls = objectives.slice(1).map((x, k) => x < objectives[k]!);
      if (falls.filter((fall, k) => k > 0 && fall !== falls[k - 1]).length > 1) several++;
      const { objective } = alignedOptimum({ depth, classes: 2, penalty });
      expect(Math.min(...objectives)).toBeGreaterThanOrEqual(objective - 1e-15);
    }
    expect(several).toBeGreaterThan(0);
  });
});
