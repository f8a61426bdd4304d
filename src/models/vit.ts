import * as v from 'valibot';
import type { NetworkKind } from './network-kind.ts';
import { optionsFrom, presetsOn, SIZES, transformerKind } from './transformer-kind.ts';
import { fields } from './transformer-shape.ts';

const schema = v.strictObject({ kind: v.literal('vit'), ...fields });
type Options = Readonly<v.InferOutput<typeof schema>>;

/** Images are cut into 4×4 patches, at `quick` 2×2: attention over few tokens keeps networks small. */
const [PATCHES, QUICK] = [4, 2];

/** The Vision Transformer (Dosovitskiy et al., 2021), with a class token. */
export const vit: NetworkKind<Options> = {
  ...transformerKind,
  title: 'Vision Transformer',
  schema,
  sizes: ({ side }) => ({ ...SIZES, patch: Math.ceil(side / PATCHES) }),
  optionsOf: (settings, inputs) => ({
    ...{ kind: 'vit', inputs, patch: settings.patch!, classToken: true },
    ...optionsFrom(settings),
  }),
  presets: (dataset) =>
    presetsOn(dataset, ({ resolution = dataset.side }) => ({ patch: Math.ceil(resolution / QUICK) })),
  shape: ({ depth, width, heads, patch, order }) =>
    `The network's shape is our choice: ${depth} layers of width ${width} with ${heads} heads, on patches of ${patch}×${patch} and a class token, with norms ${order === 'pre' ? 'before' : 'behind'} attention and MLP. Measures are of the class token: its path, and the Jacobians of what layers add to it by itself.`,
  probe: {
    ...{ kind: 'vit', inputs: [28, 28, 1], patch: 7, depth: 2, width: 32, heads: 4, classToken: true },
    ...{ classes: 10, activation: 'identity', skip: true },
  },
};
