import { placesOf, type Window } from '../src/kernels/window.ts';
import { spreadOver, wave } from './inputs.ts';

/** Images [images, height, width, channels] and square windows, as peers are told of them. */
export interface ConvShape {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly features: number;
  /** Of the window, each way. */
  readonly size: number;
  readonly stride: number;
  readonly padding: number;
}

/** What is computed: responses, or their derivative by images or by weights. */
export type ConvPart = 'response' | 'image' | 'weight';

/** An element in float64, and the sum of the sizes of its terms. */
export type Element = readonly [value: number, size: number];

/**
 * A convolution in float64, element by element. Images x and cotangents of the responses ȳ are [n, height, width, channels],
 * weights w in PyTorch's layout [features, channels, height, width].
 */
export class ConvReference {
  readonly shapes: Readonly<Record<ConvPart, readonly [number, number, number, number]>>;
  readonly shape: ConvShape;
  #operands: { x: Float32Array; w: Float32Array; dy: Float32Array } | undefined;

  constructor(shape: ConvShape) {
    const { images, height, width, channels, features, size, stride, padding } = shape;
    const window: Window = {
      image: [height, width],
      ...{ size: [size, size], stride: [stride, stride], padding: [padding, padding] },
    };
    this.shape = shape;
    this.shapes = {
      response: [images, ...placesOf(window), features],
      image: [images, height, width, channels],
      weight: [features, channels, size, size],
    };
  }

  /** What ours and the peers compute on. */
  get operands() {
    const count = (part: ConvPart) => this.shapes[part].reduce((a, b) => a * b);
    this.#operands ??= {
      x: wave(count('image'), 0.37),
      w: wave(count('weight'), 0.23, Math.cos),
      dy: wave(count('response'), 0.41),
    };
    return this.#operands;
  }

  /** The element of a result at its index. */
  at(part: ConvPart, index: readonly number[]): Element {
    const [a, b, c, d] = index as [number, number, number, number];
    const { x, w, dy } = this.operands;
    const { size, stride, padding, channels, features } = this.shape;
    const { response, image, weight } = this.shapes;
    const places = range(size).flatMap((r) => range(size).map((s) => [r, s] as const));
    const xAt = (n: number, h: number, v: number, i: number) =>
      h < 0 || h >= image[1] || v < 0 || v >= image[2] ? 0 : x[flat(image, n, h, v, i)]!;
    const wAt = (o: number, i: number, r: number, s: number) => w[flat(weight, o, i, r, s)]!;
    const sum = new Sum();
    switch (part) {
      case 'response':
        for (const [r, s] of places)
          for (let i = 0; i < channels; i++)
            sum.add(xAt(a, b * stride + r - padding, c * stride + s - padding, i) * wAt(d, i, r, s));
        break;
      case 'image':
        for (const [r, s] of places) {
          const [p, q] = [(b + padding - r) / stride, (c + padding - s) / stride];
          const seen = Number.isInteger(p) && Number.isInteger(q);
          if (!seen || p < 0 || p >= response[1] || q < 0 || q >= response[2]) continue;
          for (let o = 0; o < features; o++) sum.add(dy[flat(response, a, p, q, o)]! * wAt(o, d, r, s));
        }
        break;
      case 'weight':
        for (let n = 0; n < response[0]; n++)
          for (let p = 0; p < response[1]; p++)
            for (let q = 0; q < response[2]; q++) {
              const pixel = xAt(n, p * stride + c - padding, q * stride + d - padding, b);
              sum.add(pixel * dy[flat(response, n, p, q, a)]!);
            }
    }
    return [sum.value, sum.size];
  }

  /** The largest error of `count` elements of a result that are spread over it, relative to Σ|a||b|. */
  error(part: ConvPart, found: Float32Array, count = 499): number {
    const [, b, c, d] = this.shapes[part];
    let worst = 0;
    for (const i of spreadOver(found.length, count)) {
      const index = [Math.floor(i / (b * c * d)), Math.floor(i / (c * d)) % b, Math.floor(i / d) % c, i % d];
      const [value, size] = this.at(part, index);
      // An element that no window reaches has no terms.
      worst = Math.max(worst, Math.abs(found[i]! - value) / Math.max(size, Number.EPSILON));
    }
    return worst;
  }

  /**
   * The number by which peers' results are compared: of images and responses, the sum over n of the pixel in the middle in
   * channel n; of weights, the sum over features o of the place in the middle in channel o; both modulo the channels.
   */
  checksum(part: ConvPart): Element {
    const [a, b, c, d] = this.shapes[part];
    const sum = [0, 0];
    for (let n = 0; n < a; n++) {
      const middle = (...sides: [number, number]) => sides.map((side) => Math.floor(side / 2));
      const index = part === 'weight' ? [n, n % b, ...middle(c, d)] : [n, ...middle(b, c), n % d];
      this.at(part, index).forEach((term, i) => {
        sum[i]! += term;
      });
    }
    return [sum[0]!, sum[1]!];
  }
}

class Sum {
  value = 0;
  size = 0;
  add(term: number): void {
    this.value += term;
    this.size += Math.abs(term);
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const flat = (
  [, b, c, d]: readonly [number, number, number, number],
  i: number,
  j: number,
  k: number,
  l: number,
): number => ((i * b + j) * c + k) * d + l;
