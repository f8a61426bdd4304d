import { sizeOf } from '../autograd/shape.ts';
import { CollimateError } from '../errors.ts';
import type { AdapterTraits } from '../gpu/kernel.ts';
import type { Stage } from '../models/residual-network.ts';
import { PROBES } from './frobenius.ts';
import { productsOf, type SketchOptions } from './randomized-svd.ts';

/** Bytes of device memory per program, weights aside, unless one block at one sample needs more. */
export const BUDGET_BYTES = 512 * 2 ** 20;
/** Maximum number of arrays as large as a batch of tangents that a program holds at once. */
const ARRAYS = 16;

/** Maximum bytes of a batch of tangents. */
export const batchBytes = (traits: AdapterTraits): number =>
  Math.min(BUDGET_BYTES / ARRAYS, traits.maxBindingBytes);

/** Whether Jacobians are held as matrices: without positions, and for tokens if cheaper than the SVD. */
export const isDense = (stage: Stage, sketch: SketchOptions, traits: AdapterTraits): boolean =>
  stage.shape.length === 1 &&
  4 * stage.shape[0]! ** 2 <= batchBytes(traits) &&
  (!stage.tokens || stage.shape[0]! <= productsOf(sketch));

/**
 * How many samples, and how many of a stage's blocks at these samples, run together: as many as keep one
 * batch of tangents below {@link BUDGET_BYTES} / {@link ARRAYS} and the adapter's largest binding.
 * @throws CollimateError if one block at one sample does not fit
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
