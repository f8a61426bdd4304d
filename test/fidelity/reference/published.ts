/**
 * Published transformers in float64, from papers and documented names and layouts, with nothing of `src`, a
 * function per family: GPT-2 (Radford et al., 2019), GPT-NeoX (Black et al., 2022), Llama (Touvron et al.,
 * 2023), ViT (Dosovitskiy et al., 2021) and, with LayerScale, DINOv2 (Oquab et al., 2023).
 */
export type File = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: ArrayLike<number> }
>;
type Vector = number[];
type Tokens = Vector[];

/** A network as it reads one example. */
export interface Published {
  readonly stem: (input: readonly number[]) => Tokens;
  /** What layer number `i` makes of h. */
  readonly layer: (i: number, h: Tokens) => Tokens;
  /** Logits of h after the last layer. */
  readonly head: (h: Tokens) => Vector;
  readonly depth: number;
}

const plus = (a: Vector, b: Vector): Vector => a.map((x, i) => x + b[i]!);
const sum = (x: Vector): number => x.reduce((a, b) => a + b, 0);

/** erf by the series of Abramowitz & Stegun 7.1.6, for small |x|. */
function erf(x: number): number {
  let [term, total] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-18; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}
const gelu = (x: number): number => (x / 2) * (1 + erf(x / Math.SQRT2));
const geluNew = (x: number): number =>
  (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const silu = (x: number): number => x / (1 + Math.exp(-x));

function tools(file: File) {
  const data = (name: string) => file.get(name)!.data;
  const row = (name: string, r: number): Vector => {
    const width = file.get(name)!.shape.at(-1)!;
    return Array.from({ length: width }, (_, i) => data(name)[r * width + i]!);
  };
  const vector = (name: string): Vector => Array.from(data(name));
  const bias = (name: string, y: Vector): Vector => (file.has(name) ? plus(y, vector(name)) : y);
  /** torch.nn.Linear: W is [out, in]. */
  const linear = (name: string, x: Vector): Vector => {
    const out = file.get(`${name}.weight`)!.shape[0]!;
    const y = Array.from({ length: out }, (_, o) => sum(row(`${name}.weight`, o).map((w, i) => w * x[i]!)));
    return bias(`${name}.bias`, y);
  };
  /** GPT-2's Conv1D: W is [in, out]. */
  const conv1d = (name: string, x: Vector): Vector => {
    const out = file.get(`${name}.weight`)!.shape[1]!;
    const y = Array.from({ length: out }, (_, o) =>
      sum(x.map((v, i) => v * data(`${name}.weight`)[i * out + o]!)),
    );
    return bias(`${name}.bias`, y);
  };
  const layerNorm = (name: string, x: Vector, epsilon: number): Vector => {
    const mean = sum(x) / x.length;
    const deviation = Math.sqrt(sum(x.map((v) => (v - mean) ** 2)) / x.length + epsilon);
    const [gain, shift] = [vector(`${name}.weight`), vector(`${name}.bias`)];
    return x.map((v, i) => ((v - mean) / deviation) * gain[i]! + shift[i]!);
  };
  const rmsNorm = (name: string, x: Vector, epsilon: number): Vector => {
    const root = Math.sqrt(sum(x.map((v) => v * v)) / x.length + epsilon);
    return x.map((v, i) => (v / root) * vector(`${name}.weight`)[i]!);
  };
  return { row, vector, linear, conv1d, layerNorm, rmsNorm, data };
}

/** Heads of each token's vector. */
const split = (x: Vector, heads: number): Vector[] => {
  const each = x.length / heads;
  return Array.from({ length: heads }, (_, h) => x.slice(h * each, (h + 1) * each));
};

/** softmax(q kᵀ / √d) v per head, with heads of keys and values repeated; result heads are side by side. */
function attend(q: Vector[][], k: Vector[][], v: Vector[][], causal: boolean): Tokens {
  return q.map((own, t) =>
    own.flatMap((query, head) => {
      const shared = Math.floor(head / (own.length / k[0]!.length));
      const seen = causal ? t + 1 : k.length;
      const scores = k
        .slice(0, seen)
        .map((key) => sum(key[shared]!.map((x, i) => x * query[i]!)) / Math.sqrt(query.length));
      const powers = scores.map((s) => Math.exp(s - Math.max(...scores)));
      return query.map((_, i) => sum(powers.map((p, s) => p * v[s]![shared]![i]!)) / sum(powers));
    }),
  );
}

/** Rotates a head's first `turned` features, pairs half of them apart (Su et al., 2021; as in GPT-NeoX). */
function rotate(x: Vector, position: number, turned: number, base: number): Vector {
  const half = turned / 2;
  return x.map((v, i) => {
    if (i >= turned) return v;
    const angle = position * base ** ((-2 * (i % half)) / turned);
    const other = i < half ? -x[i + half]! : x[i - half]!;
    return v * Math.cos(angle) + other * Math.sin(angle);
  });
}

export function gpt2(
  file: File,
  { heads, depth, epsilon }: { heads: number; depth: number; epsilon: number },
): Published {
  const { row, conv1d, layerNorm, linear } = tools(file);
  return {
    depth,
    stem: (ids) => ids.map((id, t) => plus(row('wte.weight', id), row('wpe.weight', t))),
    layer(i, h) {
      const normed = h.map((x) => layerNorm(`h.${i}.ln_1`, x, epsilon));
      const qkv = normed.map((x) => conv1d(`h.${i}.attn.c_attn`, x));
      const [q, k, v] = [0, 1, 2].map((part) =>
        qkv.map((x) => split(x.slice((part * x.length) / 3, ((part + 1) * x.length) / 3), heads)),
      ) as [Vector[][], Vector[][], Vector[][]];
      const seen = attend(q, k, v, true).map((x) => conv1d(`h.${i}.attn.c_proj`, x));
      return h.map((x, t) => {
        const sum = plus(x, seen[t]!);
        const inner = conv1d(`h.${i}.mlp.c_fc`, layerNorm(`h.${i}.ln_2`, sum, epsilon)).map(geluNew);
        return plus(sum, conv1d(`h.${i}.mlp.c_proj`, inner));
      });
    },
    head(h) {
      const x = layerNorm('ln_f', h.at(-1)!, epsilon);
      return file.has('lm_head.weight') ? linear('lm_head', x) : linear('wte', x);
    },
  };
}

export function gptNeoX(
  file: File,
  given: { heads: number; depth: number; epsilon: number; share: number; base: number; parallel: boolean },
): Published {
  const { heads, depth, epsilon, share, base, parallel } = given;
  const { row, linear, layerNorm } = tools(file);
  return {
    depth,
    stem: (ids) => ids.map((id) => row('gpt_neox.embed_in.weight', id)),
    layer(i, h) {
      const name = `gpt_neox.layers.${i}`;
      const each = h.map((x) =>
        split(
          linear(`${name}.attention.query_key_value`, layerNorm(`${name}.input_layernorm`, x, epsilon)),
          heads,
        ),
      );
      const part = (p: number) => each.map((token) => token.map((head) => split(head, 3)[p]!));
      const turned = (p: number) =>
        part(p).map((token, t) =>
          token.map((head) => rotate(head, t, Math.floor(share * head.length), base)),
        );
      const seen = attend(turned(0), turned(1), part(2), true).map((x) =>
        linear(`${name}.attention.dense`, x),
      );
      const mlp = (x: Vector) =>
        linear(
          `${name}.mlp.dense_4h_to_h`,
          linear(`${name}.mlp.dense_h_to_4h`, layerNorm(`${name}.post_attention_layernorm`, x, epsilon)).map(
            gelu,
          ),
        );
      return h.map((x, t) => {
        const sum = plus(x, seen[t]!);
        return plus(sum, mlp(parallel ? x : sum));
      });
    },
    head: (h) => linear('embed_out', layerNorm('gpt_neox.final_layer_norm', h.at(-1)!, epsilon)),
  };
}

export function llama(
  file: File,
  given: { heads: number; groups: number; depth: number; epsilon: number; base: number },
): Published {
  const { heads, groups, depth, epsilon, base } = given;
  const { row, linear, rmsNorm } = tools(file);
  return {
    depth,
    stem: (ids) => ids.map((id) => row('model.embed_tokens.weight', id)),
    layer(i, h) {
      const name = `model.layers.${i}`;
      const normed = h.map((x) => rmsNorm(`${name}.input_layernorm`, x, epsilon));
      const project = (to: string, count: number) =>
        normed.map((x) => split(linear(`${name}.self_attn.${to}_proj`, x), count));
      const turned = (x: Vector[][]) =>
        x.map((token, t) => token.map((head) => rotate(head, t, head.length, base)));
      const seen = attend(
        turned(project('q', heads)),
        turned(project('k', groups)),
        project('v', groups),
        true,
      );
      return h.map((x, t) => {
        const sum = plus(x, linear(`${name}.self_attn.o_proj`, seen[t]!));
        const own = rmsNorm(`${name}.post_attention_layernorm`, sum, epsilon);
        const up = linear(`${name}.mlp.up_proj`, own);
        const gated = linear(`${name}.mlp.gate_proj`, own).map((g, k) => silu(g) * up[k]!);
        return plus(sum, linear(`${name}.mlp.down_proj`, gated));
      });
    },
    head(h) {
      const x = rmsNorm('model.norm', h.at(-1)!, epsilon);
      return file.has('lm_head.weight') ? linear('lm_head', x) : linear('model.embed_tokens', x);
    },
  };
}

/** Names of a Vision Transformer's tensors: those of timm, or of Hugging Face. */
const VITS = {
  timm: {
    ...{
      token: 'cls_token',
      positions: 'pos_embed',
      patches: 'patch_embed.proj',
      norm: 'norm',
      head: 'head',
    },
    layer: (i: number) => `blocks.${i}`,
    ...{ norm1: 'norm1', norm2: 'norm2', out: 'attn.proj', up: 'mlp.fc1', down: 'mlp.fc2' },
  },
  hf: {
    ...{ token: 'vit.embeddings.cls_token', positions: 'vit.embeddings.position_embeddings' },
    ...{ patches: 'vit.embeddings.patch_embeddings.projection', norm: 'vit.layernorm', head: 'classifier' },
    layer: (i: number) => `vit.encoder.layer.${i}`,
    ...{ norm1: 'layernorm_before', norm2: 'layernorm_after', out: 'attention.output.dense' },
    ...{ up: 'intermediate.dense', down: 'output.dense' },
  },
};

/** `input` is [side, side, channels], channels fastest. */
export function vit(
  file: File,
  given: { names: 'timm' | 'hf'; heads: number; depth: number; epsilon: number; side: number; patch: number },
): Published {
  const { heads, depth, epsilon, side, patch } = given;
  const names = VITS[given.names];
  const { row, vector, linear, layerNorm, data } = tools(file);
  return {
    depth,
    stem(input) {
      const kernels = file.get(`${names.patches}.weight`)!;
      const [width, channels] = kernels.shape as [number, number];
      const cells = side / patch;
      const patches = Array.from({ length: cells * cells }, (_, cell) => {
        const [top, left] = [patch * Math.floor(cell / cells), patch * (cell % cells)];
        return Array.from({ length: width }, (_, o) => {
          let total = data(`${names.patches}.bias`)[o]!;
          for (let c = 0; c < channels; c++)
            for (let y = 0; y < patch; y++)
              for (let x = 0; x < patch; x++)
                total +=
                  kernels.data[((o * channels + c) * patch + y) * patch + x]! *
                  input[((top + y) * side + left + x) * channels + c]!;
          return total;
        });
      });
      return [vector(names.token), ...patches].map((x, t) => plus(x, row(names.positions, t)));
    },
    layer(i, h) {
      const name = names.layer(i);
      const normed = h.map((x) => layerNorm(`${name}.${names.norm1}`, x, epsilon));
      const third = (x: Vector, part: number) => x.slice((part * x.length) / 3, ((part + 1) * x.length) / 3);
      const [q, k, v] = ['query', 'key', 'value'].map((to, part) =>
        normed.map((x) =>
          split(
            given.names === 'timm'
              ? third(linear(`${name}.attn.qkv`, x), part)
              : linear(`${name}.attention.attention.${to}`, x),
            heads,
          ),
        ),
      ) as [Vector[][], Vector[][], Vector[][]];
      const scaled = (scale: string, x: Vector) =>
        file.has(`${name}.${scale}.gamma`) ? x.map((v, d) => v * data(`${name}.${scale}.gamma`)[d]!) : x;
      const seen = attend(q, k, v, false).map((x) => scaled('ls1', linear(`${name}.${names.out}`, x)));
      return h.map((x, t) => {
        const sum = plus(x, seen[t]!);
        const inner = linear(`${name}.${names.up}`, layerNorm(`${name}.${names.norm2}`, sum, epsilon)).map(
          gelu,
        );
        return plus(sum, scaled('ls2', linear(`${name}.${names.down}`, inner)));
      });
    },
    head(h) {
      const x = layerNorm(names.norm, h[0]!, epsilon);
      return file.has(`${names.head}.weight`) ? linear(names.head, x) : [0, 0];
    },
  };
}

/** h before each layer and after the last. */
export function pathOf({ stem, layer, depth }: Published, input: readonly number[]): Tokens[] {
  const path = [stem(input)];
  for (let i = 0; i < depth; i++) path.push(layer(i, path[i]!));
  return path;
}

/** The Jacobian of what a layer adds to a token by that token, by central differences: [out][in]. */
export function jacobianOf({ layer }: Published, i: number, h: Tokens, token: number): number[][] {
  const step = 1e-5;
  const columns = h[token]!.map((_, d) => {
    const [more, less] = [step, -step].map((by) => {
      const moved = h.map((x, t) => (t === token ? x.map((v, k) => (k === d ? v + by : v)) : x));
      return layer(i, moved)[token]!.map((y, k) => y - moved[token]![k]!);
    }) as [Vector, Vector];
    return more.map((v, k) => (v - less[k]!) / (2 * step));
  });
  return columns[0]!.map((_, o) => columns.map((column) => column[o]!));
}
