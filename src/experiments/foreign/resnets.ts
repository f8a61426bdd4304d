import type { Family } from './family.ts';

/** The ResNets of torchvision, and those of timm that have no other stem or shortcut. */
export const resnets: Family = {
  title: 'a ResNet of torchvision or timm',
  signs: ['conv1.weight', 'layer1.0.conv1.weight', 'fc.weight'],
  reads: 'images',
  options({ has, shape, count }, { side: given }) {
    const [channels, colors, window] = shape('conv1.weight', 4) as [number, number, number, number];
    const [classes] = shape('fc.weight', 2) as [number, number];
    const stem = window === 3 ? 'small' : 'large';
    const side = given ?? (stem === 'small' ? 32 : 224);
    const stages = count((s) => `layer${s + 1}.0.conv1.weight`);
    return {
      ...{
        kind: 'resnet34',
        inputs: [side, side, colors],
        channels,
        classes,
        activation: 'relu',
        skip: true,
      },
      block: has('layer1.0.conv3.weight') ? 'bottleneck' : 'basic',
      layers: Array.from({ length: stages }, (_, s) => count((i) => `layer${s + 1}.${i}.conv1.weight`)),
      stem,
    };
  },
};
