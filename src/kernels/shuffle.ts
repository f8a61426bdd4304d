/**
 * A pseudo-random permutation of 0 … n−1, computed per element, so an epoch's order needs no memory or sort:
 * a Feistel network over the smallest even number of bits that hold n, iterated until below n (Luby &
 * Rackoff 1988; cycle walking: Black & Rogaway, CT-RSA 2002). Rounds mix with MurmurHash3's finalizer.
 */
const ROUNDS = 6;

function halfBits(n: number): number {
  return Math.max(1, Math.ceil(Math.log2(n) / 2));
}

/** Where index `i` goes in the permutation chosen by the u32 `key`; indices from n on stay in place. */
export function shuffleIndex(i: number, key: number, n: number): number {
  if (i >= n) return i; // From there, iterating may never end.
  const bits = halfBits(n);
  const mask = 2 ** bits - 1;
  let x = i;
  do {
    let left = x >>> bits;
    let right = x & mask;
    for (let round = 0; round < ROUNDS; round++) {
      let h = (right ^ (key + Math.imul(round, 0x9e3779b9))) >>> 0;
      h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
      h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
      h = (h ^ (h >>> 16)) >>> 0;
      [left, right] = [right, (left ^ h) & mask];
    }
    x = left * 2 ** bits + right;
  } while (x >= n);
  return x;
}

/** WGSL of the same function, `shuffle<n>(i, key)`. */
export function shuffleWgsl(n: number): string {
  const bits = halfBits(n);
  const mask = 2 ** bits - 1;
  return `
fn shuffle${n}(i: u32, key: u32) -> u32 {
  if (i >= ${n}u) { return i; }
  var x = i;
  loop {
    var left = x >> ${bits}u;
    var right = x & ${mask}u;
    for (var round = 0u; round < ${ROUNDS}u; round++) {
      var h = right ^ (key + round * 0x9e3779b9u);
      h = (h ^ (h >> 16u)) * 0x85ebca6bu;
      h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
      h = h ^ (h >> 16u);
      let next = (left ^ h) & ${mask}u;
      left = right;
      right = next;
    }
    x = (left << ${bits}u) | right;
    if (x < ${n}u) { break; }
  }
  return x;
}`;
}
