import * as v from 'valibot';
import { share } from '../../schema.ts';
import { ofNetwork, optional, type Values } from './field.ts';
import { type Images, type Scalar, SHARE } from './measure.ts';

export const title = 'Stopping early';
export const about = `How much a network knows before its end: the classifier reads h_l in place of h_{L+1}, and nothing is trained anew.
That blocks refine one estimate step by step is what Jastrzębski et al. (*Residual connections encourage iterative inference*, ICLR
2018) find; a network that is one block iterated may then stop when it has to. \`halfAccuracyLost\` is \`null\` with several stages: half-way is not in the last.`;

export const whole = {
  earlyAccuracy: optional(
    ofNetwork(
      'accuracy of the classifier at h_l, for each point of the last stage from h_1 to h_{L+1}, over the training images of neural collapse',
      v.array(share),
    ),
  ),
};
type Measures = Values<typeof whole>;

export const overImages = ({ classifies, features: { early, predicted, labels } }: Images): Measures =>
  classifies
    ? {
        earlyAccuracy: [...early, predicted].map(
          (classes) => Array.from(classes).filter((c, n) => c === labels[n]).length / labels.length,
        ),
      }
    : {};

export const scalars = {
  halfAccuracyLost: {
    label: 'accuracy lost at half depth',
    what: 'training accuracy lost if the network stops after half of its blocks',
    domain: SHARE,
    from: ({ earlyAccuracy: at }, { stages, depth }) =>
      at && stages.length === 1 ? at.at(-1)! - at[Math.ceil(depth / 2)]! : null,
  },
} satisfies Record<string, Scalar<Measures>>;
