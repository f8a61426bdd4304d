import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { type Epilogue, epilogueCode, storeFour } from './epilogue.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';
import { operandOf } from './operand.ts';
import * as product from './product.ts';
import { outputSides, type Window } from './window.ts';

/** Sizes of a convolution of images x [n, h, w, ci] with weights w [co, kh, kw, ci] to y [n, oh, ow, co]. */
export interface ConvSpec {
  /**
   * Which result: `forward`, y from x and w; `inputGradient`, x's, from y and w with its input and output
   * channels swapped, [ci, kh, kw, co]; or `weightGradient`, w's, from y and x.
   */
  readonly part: 'forward' | 'inputGradient' | 'weightGradient';
  readonly window: Window;
  readonly images: number;
  /** Input channels, ci. */
  readonly channels: number;
  /** Output channels, co. */
  readonly outputChannels: number;
  /** Dimensions along which convolutions are separate. */
  readonly batch: readonly product.BatchDim[];
  /** What is stored in place of the result, over `[batch…, pixels, channels]`: see {@link finishes}. */
  readonly epilogue?: Epilogue;
}

/** Whether pixels are stored in order, so that an epilogue can find its operands for them. */
export const finishes = ({ part, window }: Pick<ConvSpec, 'part' | 'window'>): boolean =>
  part === 'forward' || (part === 'inputGradient' && window.stride[0] === 1 && window.stride[1] === 1);

/**
 * A convolution as a matrix product. Rows are pixels of the result, columns its channels, and k runs over
 * window taps and the other channels. For weight gradients, rows are output channels, columns window taps
 * and input channels, and k runs over output pixels.
 */
interface ConvProduct {
  readonly rows: number;
  readonly cols: number;
  /** Innermost part of k, which is contiguous in the first operand. */
  readonly depth: number;
  /** Sides of the grid of rows (for weight gradients, of k). */
  readonly grid: readonly [number, number];
  /** Sides of the operand that is looked up by position. */
  readonly looked: readonly [number, number];
  /**
   * With strides, input pixels see different window taps, but the same ones if they leave the same
   * remainders: each class of remainders is a product of its own.
   */
  readonly phases: number;
}

export function productOf({ part, window, images, channels, outputChannels }: ConvSpec): ConvProduct {
  const outputs = outputSides(window);
  const { image, size, stride } = window;
  const forward = { depth: channels, grid: outputs, looked: image, phases: 1 };
  switch (part) {
    case 'forward':
      return { ...forward, rows: images * outputs[0] * outputs[1], cols: outputChannels };
    case 'inputGradient': {
      const grid = [Math.ceil(image[0] / stride[0]), Math.ceil(image[1] / stride[1])] as const;
      const rows = images * grid[0] * grid[1];
      const phases = stride[0] * stride[1];
      return { rows, cols: channels, depth: outputChannels, grid, looked: outputs, phases };
    }
    case 'weightGradient':
      return { ...forward, rows: outputChannels, cols: size[0] * size[1] * channels, depth: outputChannels };
  }
}

/** What a shader's source depends on; all other sizes are uniforms. */
export interface ConvForm extends product.ProductForm {
  readonly part: ConvSpec['part'];
  /** Whether the innermost part of k (`depth`, or the output width) is no multiple of four. */
  readonly guardK: boolean;
  /** Whether the result is the input gradient of a strided convolution. */
  readonly strided: boolean;
  /** WGSL of {@link declareProduct}, and of `storeC`. */
  readonly memory: string;
}

/** `width`: columns loaded and stored together, 1, 2 or 4. */
export function convForm(spec: ConvSpec, width: 1 | 2 | 4, traits: AdapterTraits): ConvForm {
  const { part, channels, outputChannels, batch, epilogue } = spec;
  const { depth, cols, grid } = productOf(spec);
  const sizes = sizesOf(spec);
  const operand = (size: number, row: number, stride: 'strideA' | 'strideB', to: 1 | 2 | 4) => {
    const aligned = row % to === 0 && batch.every((dim) => dim[stride] % to === 0);
    const steps = batch.map((dim) => ({ size: dim.size, stride: dim[stride] }));
    // In `mnist-conv`, weights in textures were no faster than in uniform buffers, which need no copies.
    return operandOf(size, aligned ? to : 1, steps, 0, traits);
  };
  const [a, b] =
    part === 'weightGradient'
      ? [operand(sizes.y, outputChannels, 'strideA', 4), operand(sizes.x, channels, 'strideB', width)]
      : [
          operand(part === 'forward' ? sizes.x : sizes.y, depth, 'strideA', 4),
          operand(sizes.w, depth, 'strideB', 4),
        ];
  const form = {
    ...{ part, a, b },
    guardK: (part === 'weightGradient' ? grid[1] : depth) % 4 !== 0,
    strided: part === 'inputGradient' && !finishes(spec),
    ...(epilogue && { epilogue: epilogueCode(epilogue, cols % 4 === 0) }),
  };
  return { ...form, memory: memory(form, width, cols % width === 0) };
}

function sizesOf({ window, images, channels, outputChannels }: ConvSpec) {
  const [oh, ow] = outputSides(window);
  return {
    y: images * oh * ow * outputChannels,
    x: images * window.image[0] * window.image[1] * channels,
    w: outputChannels * window.size[0] * window.size[1] * channels,
  };
}

const SIZES = [
  ...['rows', 'cols', 'rowTiles', 'colTiles', 'groups', 'size', 'rowH', 'rowW', 'inH', 'inW', 'depth'],
  ...['channels', 'images', 'block', 'kernelH', 'kernelW', 'taps', 'strideH', 'strideW', 'padH', 'padW'],
  ...['outH', 'outW', ...Object.keys(product.batchSizes([])), 'pad'],
];

const vector = (width: number) => (width === 1 ? 'f32' : `vec${width}f`);

/** `storeC(place, row, col, v, add, last)` stores those of `width` columns that exist, or adds to them. */
function memory(form: Omit<ConvForm, 'memory'>, width: number, whole: boolean): string {
  const { strided, epilogue } = form;
  const vecC = whole && width > 1;
  const index = strided
    ? `let p = row / s.rowW % s.rowH * s.strideH + at.phaseH;
    let q = row % s.rowW * s.strideW + at.phaseW;
    let inside = (p < s.outH) & (q < s.outW);
    let start = at.c + ((row / (s.rowW * s.rowH) * s.outH + p) * s.outW + q) * s.cols;`
    : `let inside = true;
    let start = at.c + row * s.cols;`;
  const put = (to: string, value: string) => `C[${to}] = select(${value}, C[${to}] + ${value}, add);`;
  const stored =
    width === 4
      ? storeFour(vecC, 'start', 's.cols', epilogue)
      : vecC
        ? [put(`(start + col) / ${width}u`, 'v')]
        : width === 1
          ? [put('start + col', 'v')]
          : [put('start + col', 'v[0]'), `if (col + 1u < s.cols) { ${put('start + col + 1u', 'v[1]')} }`];
  return `${product.declareProduct(SIZES, form, vecC ? vector(width) : 'f32', ['c', 'phaseH', 'phaseW'])}
fn storeC(at: Place, row: u32, col: u32, v: ${vector(width)}, add: bool, last: bool) {
  if ((row < s.rows) & (col < s.cols)) {
    ${index}
    if (inside) {
      ${stored.join('\n      ')}
    }
  }
}`;
}

/** WGSL that finds the workgroup's tile: `row0`, `col0`, where operands start, and its share of taps. */
export function convPlace({ strided, epilogue }: ConvForm, tileRows: number, tileCols: number): string {
  const phase = strided
    ? `let phases = s.strideH * s.strideW;
  let product = tileRow / s.rowTiles / phases;
  let phaseH = tileRow / s.rowTiles % phases / s.strideW;
  let phaseW = tileRow / s.rowTiles % s.strideW;
  let firstR = (phaseH + s.padH) % s.strideH;
  let firstQ = (phaseW + s.padW) % s.strideW;`
    : `let product = tileRow / s.rowTiles;
  const phaseH = 0u; const phaseW = 0u;`;
  return `let group = ${LINEAR_GROUP};
  if (group >= s.groups) { return; }
  let tileRow = group / s.colTiles;
  let col0 = group % s.colTiles * ${tileCols}u;
  let row0 = tileRow % s.rowTiles * ${tileRows}u;
  ${phase}
  ${product.LOCATE_PRODUCT}
  let place = Place(${['product * s.size', 'phaseH', 'phaseW', ...(epilogue?.starts ?? []).map(({ value }) => value)].join(', ')});`;
}

/** Pixels summed before the sum joins a weight's total: more would lose digits. */
export const BLOCK_PIXELS = 2048;

/** As {@link groupOf}, in whole blocks; not 0 if a single image exceeds two blocks. */
export function groupOfPixels(images: number, pixels: number): number {
  const group = product.groupOf(images * pixels, BLOCK_PIXELS);
  return pixels > 2 * BLOCK_PIXELS ? Math.max(group, 16 * BLOCK_PIXELS) : group;
}

/** The kernel record of a convolution with one workgroup running `wgsl` per tile. */
export function convKernel(
  spec: ConvSpec,
  form: ConvForm,
  tile: product.Tile,
  structure: string,
  wgsl: string,
  traits: AdapterTraits,
): Kernel {
  const { part, window, images, channels, outputChannels, batch, epilogue } = spec;
  product.checkBatch('conv', batch);
  const { rows, cols, depth, grid, looked, phases } = productOf(spec);
  const [oh, ow] = outputSides(window);
  const taps = window.size[0] * window.size[1];
  const problems = product.countOf(batch);
  const rowTiles = Math.ceil(rows / tile.rows);
  const colTiles = Math.ceil(cols / tile.cols);
  const groups = problems * phases * rowTiles * colTiles;
  const sizes = sizesOf(spec);
  const values: Readonly<Record<string, number>> = {
    ...{ rows, cols, rowTiles, colTiles, groups, depth, channels, images, taps },
    size: { forward: sizes.y, inputGradient: sizes.x, weightGradient: sizes.w }[part],
    ...{ rowH: grid[0], rowW: grid[1], inH: looked[0], inW: looked[1] },
    block: Math.max(1, Math.floor((groupOfPixels(images, oh * ow) || BLOCK_PIXELS) / (oh * ow))),
    ...{ kernelH: window.size[0], kernelW: window.size[1] },
    ...{ strideH: window.stride[0], strideW: window.stride[1] },
    ...{ padH: window.padding[0], padW: window.padding[1] },
    ...{ outH: window.image[0], outW: window.image[1] },
    ...product.batchSizes(batch),
    pad: 0,
  };
  const ordered = SIZES.map((name) => values[name]!);
  const { bindings, uniforms, epilogueBytes } = product.bindProduct(ordered, form, epilogue);
  return {
    name: `conv_${part}${epilogue ? '+pointwise' : ''}`,
    variant: `${structure} ${tile.rows}x${tile.cols}`,
    wgsl,
    ...{ bindings, uniforms },
    grid: foldGrid(groups, traits),
    flops: 2 * problems * images * oh * ow * outputChannels * taps * channels,
    bytes: 4 * problems * (sizes.x + sizes.w + sizes.y) + epilogueBytes,
  };
}
