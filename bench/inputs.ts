import { philoxUniform } from '../src/kernels/philox.ts';

/** f(rate·i) at flat index i: quick to make, also for a peer. As a matrix it has rank 2. */
export function wave(size: number, rate: number, f: (x: number) => number = Math.sin): Float32Array {
  const data = new Float32Array(size);
  for (let i = 0; i < size; i++) data[i] = f(rate * i);
  return data;
}

/** Uniform in ±1, the same in every run: matrices of full rank. */
export const noise = (size: number, stream = 0): Float32Array =>
  Float32Array.from(philoxUniform(size, [1, 0], stream), (u) => 2 * u - 1);

/** At most `count` numbers below `size`, evenly spread, with the first and the last. */
export function spreadOver(size: number, count: number): number[] {
  if (size <= count) return Array.from({ length: size }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.round((i * (size - 1)) / (count - 1)));
}

/** max |x − y| over the largest |y|; NaN if any is. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [worst, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return largest > 0 ? worst / largest : worst;
}

/** A sum in float64, and the sum of its terms' magnitudes. */
export class Sum {
  value = 0;
  size = 0;

  add(term: number): this {
    this.value += term;
    this.size += Math.abs(term);
    return this;
  }

  /** Adds another sum's terms. */
  join({ value, size }: Sum): this {
    this.value += value;
    this.size += size;
    return this;
  }

  /** The error of a value that should be this sum, relative to its terms. */
  error(actual: number): number {
    return Math.abs(actual - this.value) / Math.max(this.size, Number.EPSILON);
  }

  /** What is wrong with a peer's value, if anything. */
  judge(what: string, check: number): string | undefined {
    const agrees = Math.abs(check - this.value) <= 1e-3 * Math.abs(this.value) + 1e-6 * this.size;
    return agrees ? undefined : `its ${what} is ${check} where ours in float64 is ${this.value}`;
  }
}
