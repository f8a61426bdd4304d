import * as v from 'valibot';
import { unusual } from '../settings/settings.ts';
import { few, halfOf, minutes, type NetworkKind, sharedOptions } from './network-kind.ts';
import { Transformer } from './transformer.ts';
import { fields, SETTINGS } from './transformer-shape.ts';

const schema = v.strictObject({ kind: v.literal('vit'), ...fields });
type Options = Readonly<v.InferOutput<typeof schema>>;

/** Images are cut into 4×4 patches, which keeps every network small: attention is over 17 tokens. */
const PATCHES = 4;

/** The Vision Transformer (Dosovitskiy et al., 2021), with a class token: {@link Transformer}. */
export const vit: NetworkKind<Options> = {
  title: 'Vision Transformer',
  convolutional: false,
  deviation: 'The paper has no transformers: their settings are our choice.',
  schema,
  create: (options) => new Transformer(options),
  sizes: ({ side }) => ({ depth: 6, width: 64, heads: 4, patch: Math.ceil(side / PATCHES), ...SETTINGS }),
  variations: ['order', 'branches'],
  decays: [1e-3],
  optionsOf: (settings, inputs) => ({
    ...{ kind: 'vit', inputs, patch: settings.patch!, depth: settings.depth!, width: settings.width! },
    ...{ heads: settings.heads!, classToken: true, ...sharedOptions(settings), activation: 'identity' },
    ...unusual(settings, 'order', 'branches'),
  }),
  presets(dataset) {
    const own = few(dataset, 10_000);
    const quick = {
      ...{ ...own, epochs: 15, depth: 4, width: 32, momentum: 0.9, controlWeightDecay: 1e-3, samples: 8 },
      ...(own.resolution && { patch: own.resolution / PATCHES }),
    };
    const smoke = { epochs: 2, images: halfOf(dataset, 1_280), depth: 2, samples: 2 };
    return {
      smoke: {
        of: 'quick',
        summary: `less than quick: ${smoke.images} images, ${smoke.epochs} epochs and ${smoke.depth} layers; it shows that everything runs, not alignment`,
        changes: smoke,
      },
      quick: { summary: minutes(quick, '4 layers of width 32'), changes: quick },
      paper: 'hours on a graphics card',
    };
  },
  shape: ({ depth, width, heads, patch, order }) =>
    `The network's shape is our choice: ${depth} layers of width ${width} with ${heads} heads, on patches of ${patch}×${patch} and a class token, with norms ${order === 'pre' ? 'before' : 'behind'} attention and MLP. Measures are of the class token: its path, and the Jacobians of what layers add to it by itself.`,
  probe: {
    ...{ kind: 'vit', inputs: [28, 28, 1], patch: 7, depth: 2, width: 32, heads: 4, classToken: true },
    ...{ classes: 10, activation: 'identity', skip: true },
  },
};
