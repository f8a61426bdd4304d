import { share } from '../../schema.ts';
import { ofNetwork, type Values } from './field.ts';
import { byKind, type Images, type RunClaim, type Scalar, SHARE } from './measure.ts';

export const title = 'Accuracy';
export const property = 'training';

export const whole = {
  testAccuracy: ofNetwork('over all test images', share),
  trainAccuracy: ofNetwork(
    'over all training images, with the labels that were trained on; at initialization and in `course.json` over the first 10,000',
    share,
  ),
};
type Measures = Values<typeof whole>;

export const overImages = async ({ testAccuracy, trainAccuracy }: Images): Promise<Measures> => ({
  testAccuracy: await testAccuracy(),
  trainAccuracy: await trainAccuracy(),
});

/** Kinds of networks have thresholds of their own; a dataset may have another. */
export const claims: RunClaim[] = [
  {
    ...{ id: 'test-accuracy', title: 'the network generalizes', of: { scalar: 'testAccuracy' } },
    threshold: (facts) => (facts.trainedAt ? { atLeast: facts.trainedAt } : byKind(0.98, 0.975)(facts)),
  },
  {
    ...{ id: 'control-accuracy', title: 'the control trains too' },
    ...{ property: 'training', of: { scalar: 'testAccuracy', network: 'control' } },
    threshold: ({ trainedAt = 0.97 }) => ({ atLeast: trainedAt }),
  },
];

export const scalars = {
  testAccuracy: {
    label: 'test accuracy',
    what: 'test accuracy',
    domain: SHARE,
    ...{ glance: true, followed: true },
    from: (m) => m.testAccuracy,
  },
  trainAccuracy: {
    label: 'training accuracy',
    what: 'accuracy on the training images',
    domain: SHARE,
    followed: true,
    from: (m) => m.trainAccuracy,
  },
} satisfies Record<string, Scalar<Measures>>;
