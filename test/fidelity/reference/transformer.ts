/**
 * Transformers in float64 from their papers' formulas, number by number, with nothing of `src`: h is a list
 * of tokens, D numbers each. Weights have the names in docs/models.md.
 */
export interface Spec {
  readonly image?: { readonly sides: readonly [number, number, number]; readonly patch: number };
  readonly depth: number;
  readonly heads: number;
  readonly groups: number;
  readonly headWidth: number;
  readonly mlp: 'gelu' | 'gelu-tanh' | 'relu' | 'gated-silu';
  readonly norm: 'layer' | 'rms';
  readonly epsilon: number;
  readonly post: boolean;
  readonly finalNorm: boolean;
  readonly parallel: boolean;
  readonly causal: boolean;
  readonly rotary: { readonly turned: number; readonly base: number } | null;
  readonly read: 'first' | 'last' | 'mean';
  readonly tied: boolean;
  readonly skip: boolean;
  /** Factor of what blocks add. */
  readonly scale: number;
}
export type Tensors = ReadonlyMap<string, ArrayLike<number>>;
type Vector = number[];
type Sequence = Vector[];

const plus = (a: Vector, b: Vector): Vector => a.map((x, i) => x + b[i]!);

/** A row of a matrix [rows, columns]. */
const row = (t: ArrayLike<number>, r: number, columns: number): Vector =>
  Array.from({ length: columns }, (_, c) => t[r * columns + c]!);

function linear(tensors: Tensors, name: string, x: Vector): Vector {
  const w = tensors.get(`${name}.weight`)!;
  const b = tensors.get(`${name}.bias`);
  return Array.from({ length: w.length / x.length }, (_, o) =>
    row(w, o, x.length).reduce((sum, v, i) => sum + v * x[i]!, b ? b[o]! : 0),
  );
}

function normalized({ norm, epsilon }: Spec, tensors: Tensors, name: string, x: Vector): Vector {
  const gain = tensors.get(`${name}.weight`)!;
  const shift = tensors.get(`${name}.bias`);
  const center = norm === 'layer' ? x.reduce((a, b) => a + b, 0) / x.length : 0;
  const square = x.reduce((sum, v) => sum + (v - center) ** 2, 0) / x.length;
  return x.map((v, i) => ((v - center) / Math.sqrt(square + epsilon)) * gain[i]! + (shift ? shift[i]! : 0));
}

/** erf by its series, for |x| < 5. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-18; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const bends: Record<Spec['mlp'], (x: number) => number> = {
  gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
  'gelu-tanh': (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  relu: (x) => Math.max(x, 0),
  'gated-silu': (x) => x / (1 + Math.exp(-x)),
};

function turn({ rotary }: Spec, x: Vector, position: number): Vector {
  if (!rotary) return x;
  const { turned, base } = rotary;
  const y = [...x];
  for (let i = 0; i < turned / 2; i++) {
    const angle = position / base ** ((2 * i) / turned);
    const [a, b] = [x[i]!, x[i + turned / 2]!];
    y[i] = a * Math.cos(angle) - b * Math.sin(angle);
    y[i + turned / 2] = a * Math.sin(angle) + b * Math.cos(angle);
  }
  return y;
}

const scaled = (tensors: Tensors, name: string, y: Sequence): Sequence => {
  const scale = tensors.get(`${name}.layerScale`);
  return scale ? y.map((v) => v.map((x, i) => x * scale[i]!)) : y;
};

function attention(spec: Spec, tensors: Tensors, name: string, h: Sequence): Sequence {
  const { heads, groups, headWidth: d, causal, post } = spec;
  const x = post ? h : h.map((v) => normalized(spec, tensors, `${name}.norm`, v));
  const [q, k, v] = ['query', 'key', 'value'].map((to) => x.map((t) => linear(tensors, `${name}.${to}`, t)));
  const head = (t: Vector, n: number) => t.slice(n * d, (n + 1) * d);
  const mixed = x.map((_, at) =>
    Array.from({ length: heads }, (_, n) => {
      const g = Math.floor(n / (heads / groups));
      const query = turn(spec, head(q![at]!, n), at);
      const seen = x.map((_, t) => t).filter((t) => !causal || t <= at);
      const scores = seen.map((t) => {
        const key = turn(spec, head(k![t]!, g), t);
        return query.reduce((sum, y, i) => sum + y * key[i]!, 0) / Math.sqrt(d);
      });
      const weights = scores.map((s) => Math.exp(s - Math.max(...scores)));
      const total = weights.reduce((a, b) => a + b, 0);
      return Array.from({ length: d }, (_, i) =>
        seen.reduce((sum, t, j) => sum + (weights[j]! / total) * v![t]![g * d + i]!, 0),
      );
    }).flat(),
  );
  const y = mixed.map((m) => linear(tensors, `${name}.out`, m));
  return scaled(tensors, name, y);
}

function mlp(spec: Spec, tensors: Tensors, name: string, h: Sequence): Sequence {
  const y = h.map((token) => {
    const x = spec.post ? token : normalized(spec, tensors, `${name}.norm`, token);
    const up = linear(tensors, `${name}.up`, x);
    const bend = bends[spec.mlp];
    const gated = spec.mlp === 'gated-silu' && linear(tensors, `${name}.gate`, x);
    return linear(tensors, `${name}.down`, gated ? up.map((u, i) => u * bend(gated[i]!)) : up.map(bend));
  });
  return scaled(tensors, name, y);
}

/** What a layer, or a part of it, adds to h. */
export const branch = (spec: Spec, tensors: Tensors, block: string, h: Sequence): Sequence =>
  layers(spec, tensors, block, h).map((t) => t.map((v) => v * spec.scale));

function layers(spec: Spec, tensors: Tensors, block: string, h: Sequence): Sequence {
  if (block.endsWith('attention')) return attention(spec, tensors, block, h);
  if (block.endsWith('mlp')) return mlp(spec, tensors, block, h);
  const [a, m] = [`${block}.attention`, `${block}.mlp`];
  const add = (x: Sequence, y: Sequence) => x.map((t, i) => plus(t, y[i]!));
  const minus = (x: Sequence, y: Sequence) => x.map((t, i) => t.map((v, d) => v - y[i]![d]!));
  const seen = attention(spec, tensors, a, h);
  if (spec.parallel) return add(seen, mlp(spec, tensors, m, h));
  const sum = spec.skip ? add(h, seen) : seen;
  const between = spec.post ? sum.map((t) => normalized(spec, tensors, `${a}.norm`, t)) : sum;
  const own = mlp(spec, tensors, m, between);
  return spec.skip ? add(minus(between, h), own) : own;
}

/** h before each block and after the last, and logits, of one example: pixels, channels fastest, or ids. */
export function forward(spec: Spec, tensors: Tensors, blocks: readonly string[], x: ArrayLike<number>) {
  const path = [stem(spec, tensors, x)];
  for (const block of blocks) {
    const h = path.at(-1)!;
    const f = branch(spec, tensors, block, h);
    const sum = spec.skip ? h.map((t, i) => plus(t, f[i]!)) : f;
    const last = /attention|mlp/.test(block) ? block : `${block}.mlp`;
    path.push(spec.post ? sum.map((t) => normalized(spec, tensors, `${last}.norm`, t)) : sum);
  }
  const last = path.at(-1)!;
  const token = {
    first: last[0]!,
    last: last.at(-1)!,
    mean: last.reduce(plus).map((v) => v / last.length),
  }[spec.read];
  const features = spec.finalNorm ? normalized(spec, tensors, 'norm', token) : token;
  const head = spec.tied ? 'embedding' : 'head';
  return { path, logits: linear(tensors, head, features) };
}

function stem({ image }: Spec, tensors: Tensors, x: ArrayLike<number>): Sequence {
  const places = tensors.get('positions.weight');
  let h: Sequence = [];
  if (image) {
    const { sides, patch } = image;
    const [height, width, channels] = sides;
    const weight = tensors.get('patches.weight')!;
    const bias = tensors.get('patches.bias')!;
    for (let top = 0; top < height; top += patch)
      for (let left = 0; left < width; left += patch)
        h.push(
          Array.from(bias, (b, o) => {
            let sum = b;
            for (let c = 0; c < channels; c++)
              for (let i = 0; i < patch; i++)
                for (let j = 0; j < patch; j++)
                  sum +=
                    weight[((o * channels + c) * patch + i) * patch + j]! *
                    x[((top + i) * width + left + j) * channels + c]!;
            return sum;
          }),
        );
    const first = tensors.get('class');
    if (first) h = [Array.from(first), ...h];
  } else {
    const table = tensors.get('embedding.weight')!;
    const width = tensors.get('blocks.0.mlp.norm.weight')!.length;
    h = Array.from(x, (id) => row(table, id, width));
  }
  return h.map((t, at) => (places ? plus(t, row(places, at, t.length)) : t));
}

/** ∂F_to/∂h_from of a block, a row for each number of F, by central differences. */
export function jacobian(
  spec: Spec,
  tensors: Tensors,
  block: string,
  h: Sequence,
  { from, to }: { readonly from: number; readonly to: number },
): number[][] {
  const step = 1e-5;
  const moved = (d: number, by: number) =>
    branch(
      spec,
      tensors,
      block,
      h.map((t, at) => (at === from ? t.map((v, i) => (i === d ? v + by : v)) : t)),
    )[to]!;
  const columns = h[0]!.map((_, d) => {
    const [up, down] = [moved(d, step), moved(d, -step)];
    return up.map((v, i) => (v - down[i]!) / (2 * step));
  });
  return h[0]!.map((_, o) => columns.map((column) => column[o]!));
}
