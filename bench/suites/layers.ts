import { attention, layerNorm } from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { vjp } from '../../src/autograd/transform.ts';
import { type Case, runCases } from '../cases.ts';
import { relativeError, Sum, wave } from '../inputs.ts';
import type { LayerWork } from '../peer-client.ts';
import type { Context, Suite } from '../suite.ts';

type Values = Float32Array | Float64Array;
/** The layer's value and gradients in float64, of attention those of the first head. */
type Reference = (work: LayerWork, inputs: readonly Values[]) => Float64Array[];

interface Layer {
  readonly f: (...xs: Tensor[]) => Tensor;
  readonly shapes: (work: LayerWork) => number[][];
  readonly reference: Reference;
}

const layers: Record<LayerWork['layer'], Layer> = {
  attention: {
    f: (q, k, v) => attention(q!, k!, v!),
    shapes: ({ groups, rows, features }) => Array(3).fill([groups, rows, features]),
    reference: attentionOf,
  },
  layerNorm: {
    f: (x, weight, bias) => layerNorm(x!, { weight: weight!, bias: bias! }),
    shapes: ({ groups, rows, features }) => [[groups, rows, features], [features], [features]],
    reference: layerNormOf,
  },
};

/** Attention and layer normalization with the gradients of all operands, as in training transformers. */
export const layersSuite: Suite = {
  name: 'layers',
  summary: 'attention of N rows and LayerNorm of G·N rows, with all gradients',
  threads: 'all',
  sizes: { notation: 'GxNxFEATURES', defaults: ['8x128x64', '4x512x64'] },
  run: (context) =>
    runCases(
      context,
      context.sizes.flatMap((size) => {
        const [groups, rows, features] = size as [number, number, number];
        const kinds = Object.keys(layers) as LayerWork['layer'][];
        return kinds.map((layer) => caseOf(context, { kind: 'layer', layer, groups, rows, features }));
      }),
    ),
};

/** sin and cos of multiples of the index: operands in order, and the cotangent. */
export function layerInputs(sizes: readonly number[]): Float32Array[] {
  return sizes.map((size, i) => wave(size, [0.37, 0.23, 0.41, 0.29][i]!, i % 2 ? Math.cos : Math.sin));
}

function caseOf({ peers }: Context, work: LayerWork): Case {
  const { f, shapes, reference } = layers[work.layer];
  const operands = shapes(work);
  const all = [...operands, operands[0]!];
  const expected = (inputs: readonly Values[]) => reference(work, inputs);
  const inputs = () => layerInputs(all.map((shape) => shape.reduce((a, b) => a * b)));
  return {
    name: `${work.layer} with gradients`,
    size: `${work.groups}x${work.rows}x${work.features}`,
    f: (...xs: Tensor[]) => {
      const [y, pull] = vjp(f, ...xs.slice(0, -1));
      return [y, ...pull(xs.at(-1)!)];
    },
    shapes: all,
    inputs,
    check: (outputs, given) => ({
      relativeTo: 'the largest of each output',
      error: Math.max(...expected(given).map((want, i) => relativeError(outputs[i]!, want))),
      tolerance: 5e-5,
    }),
    ...(peers && {
      peers: (ours) =>
        peers.beside(work, ours, (check) => {
          const total = new Sum();
          for (const values of expected(inputs())) {
            for (let i = 0; i * work.features < values.length && i < work.rows; i++)
              total.add(values[i * work.features + (i % work.features)]!);
          }
          return total.judge('sum of samples', check);
        }),
    }),
  };
}

const dot = (a: Values, b: Values, [i, j]: readonly [number, number], d: number): number => {
  let sum = 0;
  for (let l = 0; l < d; l++) sum += a[i * d + l]! * b[j * d + l]!;
  return sum;
};

/** P = softmax(q kᵀ/√d), y = P v: v̄ = Pᵀ ȳ, S̄ = P ∘ (ȳ vᵀ − rows of ȳ·y), q̄ = S̄ k/√d, k̄ = S̄ᵀ q/√d. */
function attentionOf({ rows: n, features: d }: LayerWork, [q, k, v, dy]: readonly Values[]): Float64Array[] {
  const [y, dq, dk, dv] = Array.from({ length: 4 }, () => new Float64Array(n * d));
  const scale = 1 / Math.sqrt(d);
  for (let i = 0; i < n; i++) {
    const weights = Float64Array.from({ length: n }, (_, j) => Math.exp(scale * dot(q!, k!, [i, j], d)));
    const total = weights.reduce((a, b) => a + b);
    const p = weights.map((w) => w / total);
    for (let j = 0; j < n; j++) for (let l = 0; l < d; l++) y![i * d + l]! += p[j]! * v![j * d + l]!;
    const along = dot(dy!, y!, [i, i], d);
    for (let j = 0; j < n; j++) {
      const ds = scale * p[j]! * (dot(dy!, v!, [i, j], d) - along);
      for (let l = 0; l < d; l++) {
        dv![j * d + l]! += p[j]! * dy![i * d + l]!;
        dq![i * d + l]! += ds * k![j * d + l]!;
        dk![j * d + l]! += ds * q![i * d + l]!;
      }
    }
  }
  return [y!, dq!, dk!, dv!];
}

/** Of z = (x − mean)/σ and y = z w + b: x̄ = (g − mean g − z mean(g z))/σ with g = ȳ w. */
function layerNormOf({ features: d }: LayerWork, [x, w, b, dy]: readonly Values[]): Float64Array[] {
  const [y, dx] = [new Float64Array(x!.length), new Float64Array(x!.length)];
  const [dw, db] = [new Float64Array(d), new Float64Array(d)];
  const mean = (f: (l: number) => number) => {
    let sum = 0;
    for (let l = 0; l < d; l++) sum += f(l);
    return sum / d;
  };
  for (let at = 0; at < x!.length; at += d) {
    const center = mean((l) => x![at + l]!);
    const rate = 1 / Math.sqrt(mean((l) => (x![at + l]! - center) ** 2) + 1e-5);
    const z = (l: number) => (x![at + l]! - center) * rate;
    const g = (l: number) => dy![at + l]! * w![l]!;
    const [first, second] = [mean(g), mean((l) => g(l) * z(l))];
    for (let l = 0; l < d; l++) {
      y[at + l] = z(l) * w![l]! + b![l]!;
      dx[at + l] = (g(l) - first - z(l) * second) * rate;
      dw[l]! += dy![at + l]! * z(l);
      db[l]! += dy![at + l]!;
    }
  }
  return [y, dx, dw, db];
}
