import { philoxUniform } from '../src/kernels/philox.ts';

/** f(rate·i) at flat index i: quick to make, and easy for a peer to make likewise. As matrices, of rank 2. */
export function wave(size: number, rate: number, f: (x: number) => number = Math.sin): Float32Array {
  const data = new Float32Array(size);
  for (let i = 0; i < size; i++) data[i] = f(rate * i);
  return data;
}

/** Uniform in ±1, the same in every run: matrices of full rank. */
export const noise = (size: number, stream = 0): Float32Array =>
  Float32Array.from(philoxUniform(size, [1, 0], stream), (u) => 2 * u - 1);

/** At most `count` of the numbers below `size`, evenly spread, the first and the last among them. */
export function spreadOver(size: number, count: number): number[] {
  if (size <= count) return Array.from({ length: size }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.round((i * (size - 1)) / (count - 1)));
}

/** max |x − y| over the largest |y|; NaN if any is. */
export function relativeError(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [worst, largest] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    worst = Math.max(worst, Math.abs(found[i]! - wanted[i]!));
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  return largest > 0 ? worst / largest : worst;
}
