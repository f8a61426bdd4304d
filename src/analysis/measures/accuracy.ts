import { share } from '../../schema.ts';
import { ofNetwork, type Values } from './field.ts';
import { type Images, type Scalar, SHARE } from './measure.ts';

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
