import { outputSides, type Window } from '../src/kernels/window.ts';
import { Sum, spreadOver, wave } from './inputs.ts';

/** Images [images, height, width, inputChannels] and square windows, as in the protocol of docs/peers.md. */
export interface ConvShape {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly inputChannels: number;
  readonly outputChannels: number;
  /** Of the window, each way. */
  readonly size: number;
  readonly stride: number;
  readonly padding: number;
}

/** What to compute: the output, the input gradient or the weight gradient. */
export type ConvPart = 'output' | 'input' | 'weight';

/**
 * A convolution in float64, element by element. Inputs x and output cotangents ȳ are [n, height, width,
 * channels], weights w as in PyTorch [outputChannels, inputChannels, height, width].
 */
export class ConvReference {
  readonly shapes: Readonly<Record<ConvPart, readonly [number, number, number, number]>>;
  readonly shape: ConvShape;
  #operands: { x: Float32Array; w: Float32Array; dy: Float32Array } | undefined;

  constructor(shape: ConvShape) {
    const { images, height, width, inputChannels, outputChannels, size, stride, padding } = shape;
    const window: Window = {
      image: [height, width],
      ...{ size: [size, size], stride: [stride, stride], padding: [padding, padding] },
    };
    this.shape = shape;
    this.shapes = {
      output: [images, ...outputSides(window), outputChannels],
      input: [images, height, width, inputChannels],
      weight: [outputChannels, inputChannels, size, size],
    };
  }

  /** The same for us and for the peers. */
  get operands() {
    const count = (part: ConvPart) => this.shapes[part].reduce((a, b) => a * b);
    this.#operands ??= {
      x: wave(count('input'), 0.37),
      w: wave(count('weight'), 0.23, Math.cos),
      dy: wave(count('output'), 0.41),
    };
    return this.#operands;
  }

  /** The element of a result at its index. */
  at(part: ConvPart, index: readonly number[]): Sum {
    const [a, b, c, d] = index as [number, number, number, number];
    const { x, w, dy } = this.operands;
    const { size, stride, padding, inputChannels, outputChannels } = this.shape;
    const { output, input, weight } = this.shapes;
    const window = range(size).flatMap((r) => range(size).map((s) => [r, s] as const));
    const xAt = (n: number, h: number, v: number, i: number) =>
      h < 0 || h >= input[1] || v < 0 || v >= input[2] ? 0 : x[flat(input, n, h, v, i)]!;
    const wAt = (o: number, i: number, r: number, s: number) => w[flat(weight, o, i, r, s)]!;
    const sum = new Sum();
    switch (part) {
      case 'output':
        for (const [r, s] of window)
          for (let i = 0; i < inputChannels; i++)
            sum.add(xAt(a, b * stride + r - padding, c * stride + s - padding, i) * wAt(d, i, r, s));
        break;
      case 'input':
        for (const [r, s] of window) {
          const [p, q] = [(b + padding - r) / stride, (c + padding - s) / stride];
          const seen = Number.isInteger(p) && Number.isInteger(q);
          if (!seen || p < 0 || p >= output[1] || q < 0 || q >= output[2]) continue;
          for (let o = 0; o < outputChannels; o++) sum.add(dy[flat(output, a, p, q, o)]! * wAt(o, d, r, s));
        }
        break;
      case 'weight':
        for (let n = 0; n < output[0]; n++)
          for (let p = 0; p < output[1]; p++)
            for (let q = 0; q < output[2]; q++) {
              const pixel = xAt(n, p * stride + c - padding, q * stride + d - padding, b);
              sum.add(pixel * dy[flat(output, n, p, q, a)]!);
            }
    }
    return sum;
  }

  /** The largest error of `count` elements spread over a result, relative to Σ|a||b|. */
  error(part: ConvPart, found: Float32Array, count = 499): number {
    const [, b, c, d] = this.shapes[part];
    let worst = 0;
    for (const i of spreadOver(found.length, count)) {
      const index = [Math.floor(i / (b * c * d)), Math.floor(i / (c * d)) % b, Math.floor(i / d) % c, i % d];
      worst = Math.max(worst, this.at(part, index).error(found[i]!)); // 0 where no window reaches.
    }
    return worst;
  }

  /**
   * The number by which peers' results are compared: the sum over the first axis of the middle element in
   * height and width, in channel n modulo the number of channels.
   */
  checksum(part: ConvPart): Sum {
    const [a, b, c, d] = this.shapes[part];
    const middle = (...sides: [number, number]) => sides.map((side) => Math.floor(side / 2));
    const total = new Sum();
    for (let n = 0; n < a; n++) {
      total.join(
        this.at(part, part === 'weight' ? [n, n % b, ...middle(c, d)] : [n, ...middle(b, c), n % d]),
      );
    }
    return total;
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
