import type { DatasetFacts } from '../data/dataset.ts';
import { unusual } from '../settings/settings.ts';
import type { Settings } from '../settings/table.ts';
import { few, halfOf, minutes, type NetworkKind, sharedOptions } from './network-kind.ts';
import { Transformer } from './transformer.ts';
import { SETTINGS, type TransformerOptions } from './transformer-shape.ts';

/** What the transformers that experiments train share, whatever they read. */
export const transformerKind = {
  convolutional: false,
  deviation: 'The paper has no transformers: their settings are our choice.',
  create: (options: TransformerOptions) => new Transformer(options),
  variations: ['order', 'branches'],
  decays: [1e-3],
} satisfies Partial<NetworkKind<TransformerOptions>>;

/** Settings of size at `paper`. */
export const SIZES: Partial<Settings> = { depth: 6, width: 64, heads: 4, ...SETTINGS };

export const optionsFrom = (settings: Settings) => ({
  ...{ depth: settings.depth!, width: settings.width!, heads: settings.heads! },
  ...{ ...sharedOptions(settings), activation: 'identity' as const },
  ...unusual(settings, 'order', 'branches'),
});

/** Presets on some data; `more` adds to `quick`. */
export function presetsOn(
  dataset: DatasetFacts,
  more: (own: Partial<Settings>) => Partial<Settings> = () => ({}),
) {
  const own = few(dataset, 10_000);
  const read = dataset.length === undefined ? 'images' : 'texts';
  const quick: Partial<Settings> = {
    ...{ ...own, epochs: 3, depth: 4, width: 32, samples: 8 },
    // SGD takes several times as many steps.
    ...{ optimizer: 'adamw', lr: 3e-3, momentum: 0.9, weightDecay: 0.5, controlWeightDecay: 0.5 },
    ...more(own),
  };
  const smoke = { epochs: 2, images: halfOf(dataset, 1_280), depth: 2, samples: 2 };
  return {
    smoke: {
      of: 'quick' as const,
      summary: `less than quick: ${smoke.images} ${read}, ${smoke.epochs} epochs and ${smoke.depth} layers; it shows that everything runs, not alignment`,
      changes: smoke,
    },
    quick: { summary: minutes(quick, '4 layers of width 32', 'AdamW', read), changes: quick },
    paper: 'hours on a graphics card',
  };
}
