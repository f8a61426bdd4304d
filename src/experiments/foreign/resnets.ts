import { CollimateError } from '../../errors.ts';
import type { Family } from './family.ts';

const title = 'a ResNet of torchvision or timm';

/** The ResNets of torchvision, and those of timm that have no other stem or shortcut. */
export const resnets: Family = {
  title,
  signs: ['conv1.weight', 'layer1.0.conv1.weight', 'fc.weight'],
  reads: 'images',
  options({ config: { architecture }, has, shape, count }, { side: given }) {
    // Others have the same names, and pool elsewhere (resnetblur50).
    if (typeof architecture === 'string' && !/^(\w+_)?resnet\d+$/.test(architecture))
      throw new CollimateError(
        `it is like ${title}, but a ${architecture}`,
        'Such networks are not supported.',
      );
    const [channels, colors, window] = shape('conv1.weight', 4) as [number, number, number, number];
    const [classes] = shape('fc.weight', 2) as [number, number];
    const stem = window === 3 ? 'small' : 'large';
    const side = given ?? (stem === 'small' ? 32 : 224);
    const stages = count((s) => `layer${s + 1}.0.conv1.weight`);
    return {
      kind: 'resnet34',
      inputs: [side, side, colors],
      channels,
      classes,
      activation: 'relu',
      skip: true,
      block: has('layer1.0.conv3.weight') ? 'bottleneck' : 'basic',
      layers: Array.from({ length: stages }, (_, s) => count((i) => `layer${s + 1}.${i}.conv1.weight`)),
      stem,
    };
  },
};
