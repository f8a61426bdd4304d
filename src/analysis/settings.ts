import * as v from 'valibot';
import { sizeOf } from '../autograd/shape.ts';
import { CollimateError, checkWhole } from '../errors.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { whole } from '../schema.ts';

export const settings = v.object({
  /** Number K of leading triples in RA2. */
  triples: whole(1),
  /** Number of singular values kept. */
  spectrum: whole(1),
  /** `branch`: J = ∂F/∂h. `post-activation`: σ′(h + F(h)) ∂F/∂h. */
  convention: v.picklist(['branch', 'post-activation']),
  sketchColumns: whole(1),
  powerIterations: whole(),
  /** Chebyshev filters between them. */
  filters: whole(),
  seed: whole(),
});
/** The settings of an analysis, as analysis.json records them. */
export type AnalysisOptions = v.InferOutput<typeof settings>;

/** Maximum number of columns: the SVD of the small matrix between two bases takes no more. */
const MAX_COLUMNS = 128;
/** Minimum number of columns beyond the spectrum. */
const OVERSAMPLING = 8;

/** Sketch columns for so many singular values: about twice as many, in the eights that kernels like. */
const sketchFor = (spectrum: number, dim: number) =>
  Math.min(Math.max(24, 8 * Math.ceil((2 * spectrum + 4) / 8)), MAX_COLUMNS, dim);

/**
 * Power iterations that bring each singular value to 1e-4·σ_1, with a margin, when the spectrum is flattest,
 * before training. Fitted to simulations of W₂·diag(open)·W₁ in float64 for spectra of 6 to 30, widths of
 * 128 to 512, and half of the units open; at 128, up to 70% may be.
 */
const iterationsFor = (columns: number, width: number) =>
  Math.max(1, Math.ceil((1.6 * width) / columns - 1.2));

/**
 * Convolutions: two power iterations, spectral filters, and a last power iteration. In float32 simulations
 * of untrained 3×3 convolutions, the flattest, 64 columns found ten singular values to 3e-4·σ_1, thirty to
 * 4e-3·σ_1, at 784 to 65,536 dimensions; as many products in power iterations alone, 9e-3 and 1.3e-2 at
 * 65,536. With a hundred classes, 128 columns are few: one more filter finds a hundred values to 8e-4·σ_1.
 */
const convolutional = (spectrum: number, columns: number, dim: number) => ({
  powerIterations: 3,
  filters: (dim > 16384 ? 3 : dim > 4096 ? 2 : 1) + (2 * spectrum > columns ? 1 : 0),
});

/** The settings of an analysis; default: K = C triples, spectra to 3C. Example: {@link measureNetwork} */
export function analysisSettings(
  network: ResidualNetwork,
  chosen: { [K in keyof AnalysisOptions]?: AnalysisOptions[K] | undefined } & { seed: number },
): AnalysisOptions {
  const { classes, skip } = network.options;
  if (chosen.convention === 'post-activation' && skip && !network.carriesOn) {
    throw new CollimateError(
      'the convention post-activation does not apply to blocks around which h does not go on',
      'Leave it at branch.',
    );
  }
  const dims = network.stages.map(({ shape }) => sizeOf(shape));
  const [minimum, maximum] = [Math.min(...dims), Math.max(...dims)];
  const positions = network.stages.some(({ shape }) => shape.length > 1);
  const longest = Math.min(minimum, MAX_COLUMNS - (minimum > MAX_COLUMNS ? OVERSAMPLING : 0));
  for (const name of ['triples', 'spectrum', 'sketchColumns'] as const)
    checkWhole(name, chosen[name] ?? 1, 1, Math.min(minimum, MAX_COLUMNS));
  for (const name of ['powerIterations', 'filters'] as const) checkWhole(name, chosen[name] ?? 0, 0, 1000);
  // With one triple, any diagonal share is 1.
  const triples = chosen.triples ?? Math.min(Math.max(classes, 2), longest);
  const spectrum = chosen.spectrum ?? Math.max(triples, Math.min(3 * classes, longest));
  if (spectrum < triples || spectrum > MAX_COLUMNS) {
    throw new CollimateError(
      `${triples} triples and a spectrum of ${spectrum} singular values were asked for`,
      `Ask for 1 to ${longest} triples, and for a spectrum at least as long, of at most ${longest}.`,
    );
  }
  const sketchColumns = chosen.sketchColumns ?? sketchFor(spectrum, minimum);
  checkWhole('sketchColumns', sketchColumns, spectrum);
  const improved = positions
    ? convolutional(spectrum, sketchColumns, maximum)
    : { powerIterations: iterationsFor(sketchColumns, maximum), filters: 0 };
  return {
    triples,
    spectrum,
    convention: chosen.convention ?? 'branch',
    sketchColumns,
    powerIterations: chosen.powerIterations ?? improved.powerIterations,
    filters: chosen.filters ?? improved.filters,
    seed: chosen.seed,
  };
}
