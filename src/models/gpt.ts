import * as v from 'valibot';
import type { NetworkKind } from './network-kind.ts';
import { optionsFrom, presetsOn, SIZES, transformerKind } from './transformer-kind.ts';
import { fields } from './transformer-shape.ts';
import { vit } from './vit.ts';

const schema = v.strictObject({ kind: v.literal('gpt'), ...fields });
type Options = Readonly<v.InferOutput<typeof schema>>;

/** Texts are bytes. */
const BYTES = 256;

/**
 * A byte decoder like GPT-2 (Radford et al., 2019): a transformer that learns which symbol follows a text,
 * from the last token alone, so that symbols are classes and measures mean what they do for images.
 */
export const gpt: NetworkKind<Options> = {
  ...transformerKind,
  title: 'GPT',
  text: true,
  schema,
  sizes: () => SIZES,
  optionsOf: (settings, [, length]) => ({
    ...{ kind: 'gpt', inputs: length, vocabulary: BYTES, causal: true },
    ...optionsFrom(settings),
  }),
  presets: (dataset) => presetsOn(dataset),
  shape: ({ depth, width, heads, order }) =>
    `The network's shape is our choice: ${depth} layers of width ${width} with ${heads} heads, with norms ${order === 'pre' ? 'before' : 'behind'} attention and MLP. It learns to tell the symbol that follows a text. Measures are of the last token: its path, and the Jacobians of what layers add to it by itself.`,
  probe: vit.probe,
};
