import * as v from 'valibot';
import { unusual } from '../settings/settings.ts';
import { halfOf, type NetworkKind, sharedOptions } from './network-kind.ts';
import { Transformer } from './transformer.ts';
import { fields, SETTINGS } from './transformer-shape.ts';
import { vit } from './vit.ts';

const schema = v.strictObject({ kind: v.literal('gpt'), ...fields });
type Options = Readonly<v.InferOutput<typeof schema>>;

/** Texts are bytes. */
const BYTES = 256;

/**
 * A decoder of bytes as in GPT-2 (Radford et al., 2019): {@link Transformer}. It learns to tell the symbol that follows a text, from
 * the last token alone, so that symbols are classes and all measures mean what they mean of images.
 */
export const gpt: NetworkKind<Options> = {
  title: 'GPT',
  convolutional: false,
  text: true,
  deviation: vit.deviation!,
  schema,
  create: (options) => new Transformer(options),
  sizes: () => ({ depth: 6, width: 64, heads: 4, ...SETTINGS }),
  variations: ['order', 'branches'],
  decays: vit.decays,
  optionsOf: (settings, [, length]) => ({
    ...{ kind: 'gpt', inputs: length, vocabulary: BYTES, depth: settings.depth!, width: settings.width! },
    ...{ heads: settings.heads!, causal: true, ...sharedOptions(settings), activation: 'identity' },
    ...unusual(settings, 'order', 'branches'),
  }),
  presets(dataset) {
    const images = Math.min(dataset.images, 10_000);
    const quick = {
      ...{ images, epochs: 10, depth: 4, width: 32, momentum: 0.9, controlWeightDecay: 1e-3, samples: 8 },
    };
    const smoke = { epochs: 2, images: halfOf(dataset, 1_280), depth: 2, samples: 2 };
    return {
      smoke: {
        of: 'quick',
        summary: `less than quick: ${smoke.images} texts, ${smoke.epochs} epochs and ${smoke.depth} layers; it shows that everything runs, not alignment`,
        changes: smoke,
      },
      quick: {
        summary: `minutes: ${images} texts, ${quick.epochs} epochs, 4 layers of width 32, and momentum 0.9`,
        changes: quick,
      },
      paper: 'hours on a graphics card',
    };
  },
  shape: ({ depth, width, heads, order }) =>
    `The network's shape is our choice: ${depth} layers of width ${width} with ${heads} heads, with norms ${order === 'pre' ? 'before' : 'behind'} attention and MLP. It learns to tell the symbol that follows a text. Measures are of the last token: its path, and the Jacobians of what layers add to it by itself.`,
  probe: vit.probe,
};
