import { SAMPLES } from './images.ts';
import type { PageSettings } from './settings.ts';

/** The terminal command that trains and measures these networks, to the same bits on an equal adapter. */
export function commandOf(settings: PageSettings, images: number): string {
  const { depth, width, classes, epochs, lr, momentum, seed, weightDecay, twinWeightDecay } = settings;
  const { skip, norm, branchScale } = settings;
  const options = {
    ...{ images, classes, depth, width, epochs, lr, momentum, 'weight-decay': weightDecay },
    ...(skip && { 'control-weight-decay': twinWeightDecay }),
    ...(!norm && { norm: 'none' }),
    ...(skip && branchScale !== '1' && { 'branch-scale': branchScale === '1/L' ? 1 / depth : branchScale }),
    ...{ samples: SAMPLES, seed },
  };
  const words = Object.entries(options).map(([name, value]) => `--${name} ${value}`);
  return ['npm run reproduce -- mnist-fc', ...words, ...(skip ? [] : ['--no-skip'])].join(' ');
}
