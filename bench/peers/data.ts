/**
 * The numbers that every peer computes on, the same in each language (torch_peer.py has the twin of this file), so that
 * their results can be compared. A counter is hashed, not a generator run, to make any part of it by itself.
 */

/** `length` numbers, uniform in ±`bound`, of the stream `seed`: the hash "lowbias32" of Chris Wellons. */
export function uniform(seed: number, length: number, bound: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => {
    let x = (seed * 0x9e3779b9 + i) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x = (x ^ (x >>> 16)) >>> 0;
    return bound * (x / 2 ** 31 - 1);
  });
}

/** Weights of a linear layer [inputs, outputs], as `torch.nn.Linear` begins: uniform in ±1/√inputs. */
export const linear = (seed: number, inputs: number, outputs: number): Float32Array<ArrayBuffer> =>
  uniform(seed, inputs * outputs, 1 / Math.sqrt(inputs));

/** Streams beside those of the layers, which count from 0. */
export const INPUTS = 1000;
export const LABELS = 1001;

export const labels = (batch: number, classes: number): Int32Array<ArrayBuffer> =>
  Int32Array.from(uniform(LABELS, batch, 1), (u) =>
    Math.min(classes - 1, Math.floor(((u + 1) / 2) * classes)),
  );

/** The operands of a product, m×k and k×n in whatever way they are stored. */
export const operands = (
  m: number,
  n: number,
  k: number,
): [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>] => [
  Float32Array.from({ length: m * k }, (_, i) => Math.sin(0.37 * i)),
  Float32Array.from({ length: k * n }, (_, i) => Math.cos(0.23 * i)),
];
