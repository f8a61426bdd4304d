/**
 * Philox4x32-10 (Salmon, Moraes, Dror & Shaw, *Parallel random numbers: as easy as 1, 2, 3*, SC 2011): a
 * function from a 128-bit counter and a 64-bit key to 128 random bits, in WGSL and on the host. Element 4c +
 * j of a stream is word j of the block with counter (c, stream, 0, 0).
 */
const M = [0xd2511f53, 0xcd9e8d57] as const;
const W = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;

/** WGSL: `philox(counter, key) → vec4u`. */
export const PHILOX_WGSL = `
fn mulhi(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u; let bl = b & 0xffffu; let bh = b >> 16u;
  let mid = ah * bl + ((al * bl) >> 16u);
  let low = al * bh + (mid & 0xffffu);
  return ah * bh + (mid >> 16u) + (low >> 16u);
}
fn philox(counter: vec4u, seed: vec2u) -> vec4u {
  var c = counter;
  var k = seed;
  for (var round = 0u; round < ${ROUNDS}u; round++) {
    c = vec4u(mulhi(${M[1]}u, c.z) ^ c.y ^ k.x, ${M[1]}u * c.z, mulhi(${M[0]}u, c.x) ^ c.w ^ k.y, ${M[0]}u * c.x);
    k += vec2u(${W[0]}u, ${W[1]}u);
  }
  return c;
}`;

function mulhi(a: number, b: number): number {
  const [al, ah, bl, bh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const mid = ah * bl + Math.floor((al * bl) / 65536);
  const low = al * bh + (mid % 65536);
  return ah * bh + Math.floor(mid / 65536) + Math.floor(low / 65536);
}

type Key = readonly [number, number];
type Words = readonly [number, number, number, number];

export function philox(counter: Words, key: Key): Words {
  let [x, y, z, w] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const [a, b] = [mulhi(M[1], z) ^ y ^ k0, mulhi(M[0], x) ^ w ^ k1];
    [x, y, z, w] = [a >>> 0, Math.imul(M[1], z) >>> 0, b >>> 0, Math.imul(M[0], x) >>> 0];
    [k0, k1] = [(k0 + W[0]) >>> 0, (k1 + W[1]) >>> 0];
  }
  return [x, y, z, w];
}

/** A number in [0, 1) from the upper 24 bits of a word: exact in float32. */
const unit = (word: number): number => (word >>> 8) * 2 ** -24;

function generate(count: number, key: Key, stream: number, map: (words: Words) => number[]): Float64Array {
  const out = new Float64Array(Math.ceil(count / 4) * 4);
  for (let c = 0; 4 * c < count; c++) out.set(map(philox([c, stream, 0, 0], key)), 4 * c);
  return out.slice(0, count);
}

/** `count` numbers uniform in [0, 1). */
export function philoxUniform(count: number, key: Key, stream: number): Float64Array {
  return generate(count, key, stream, (words) => words.map(unit));
}

/** `count` standard normal numbers, by the Box–Muller transform of pairs of words. */
export function philoxNormal(count: number, key: Key, stream: number): Float64Array {
  const pair = (u: number, v: number) => {
    const radius = Math.sqrt(-2 * Math.log(unit(u) + 2 ** -25));
    const angle = 2 * Math.PI * unit(v);
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  };
  return generate(count, key, stream, ([a, b, c, d]) => [...pair(a, b), ...pair(c, d)]);
}
