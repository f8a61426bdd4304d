import { sizeOf } from '../autograd/shape.ts';
import { CollimateError } from '../errors.ts';
import type { AdapterTraits } from '../gpu/kernel.ts';
import type { Stage } from '../models/residual-network.ts';
import { PROBES } from './frobenius.ts';
import { productsOf, type SketchOptions } from './randomized-svd.ts';

/**
 * Bytes that a program of the analysis takes on the device in all, weights left out. Only where the directions of a single
 * block at a single sample need more does it take more.
 */
export const BUDGET_BYTES = 512 * 2 ** 20;
/** Arrays as large as a batch of directions that a program holds at once, at most. */
const ARRAYS = 16;

/** Bytes of an array as large as a batch of directions. */
export const batchBytes = (traits: AdapterTraits): number =>
  Math.min(BUDGET_BYTES / ARRAYS, traits.maxBindingBytes);

/**
 * Whether the Jacobians of a stage are held as matrices: where there are no positions to make products cheap; those of a token
 * only where that takes no more products than the SVD, since each goes through attention.
 */
export const isDense = (stage: Stage, sketch: SketchOptions, traits: AdapterTraits): boolean =>
  stage.shape.length === 1 &&
  4 * stage.shape[0]! ** 2 <= batchBytes(traits) &&
  (!stage.tokens || stage.shape[0]! <= productsOf(sketch));

/**
 * How many samples, and how many blocks of a stage at these samples, run together: as many as let one batch of directions
 * stay below {@link BUDGET_BYTES} / {@link ARRAYS} and below what the adapter lets one binding span.
 *
 * @throws CollimateError if there is no room for one block at one sample
 */
export function batchOf(
  stage: Stage,
  samples: number,
  sketch: SketchOptions,
  traits: AdapterTraits,
): { readonly samples: number; readonly blocks: number } {
  const { columns } = sketch;
  const dim = sizeOf(stage.shape);
  const { peak = dim } = stage;
  const each = 4 * peak * (isDense(stage, sketch, traits) ? dim : Math.max(columns, PROBES));
  if (each > traits.maxBindingBytes) {
    throw new CollimateError(
      `${columns} directions of ${stage.shape.join('×')} numbers take ${each} bytes, more than the ${traits.maxBindingBytes} that this adapter lets one binding span`,
      'Ask for fewer singular triples with `--triples`, or analyse smaller images.',
    );
  }
  const problems = Math.max(1, Math.floor(batchBytes(traits) / each));
  const passes = Math.ceil(samples / problems);
  const together = Math.ceil(samples / passes);
  return {
    samples: together,
    blocks: Math.min(stage.blocks.length, Math.max(1, Math.floor(problems / together))),
  };
}
