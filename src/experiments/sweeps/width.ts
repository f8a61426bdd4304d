import { grid, type Sweep, valuesOf } from '../sweep.ts';
import { ALIGNMENT, fcBase, MAIN, PLAIN, SKIP, SKIP_AXIS, shows, WITH } from './bases.ts';

export const width: Sweep = {
  name: 'width',
  title: 'Residual Alignment over widths',
  question: 'Does alignment depend on the number of features D?',
  summary: 'all measures over the width D, with and without skips',
  axes: [SKIP_AXIS, { name: 'width', label: 'width D', log: true }],
  cells: (level) =>
    grid(fcBase(level), SKIP, valuesOf('width', level === 'smoke' ? [32, 64] : [32, 64, 128, 256])),
  claims: () =>
    (['line', ALIGNMENT, 'topEnergy'] as const).map((name) =>
      shows(name, {
        ...{ id: `widths-${name}`, where: 'at every width', measured: 'minimum over widths' },
        of: { at: WITH, over: 'width', take: 'min' },
        control: PLAIN,
      }),
    ),
  figures: [
    {
      kind: 'scalars',
      file: 'width',
      title: 'Measures against width',
      caption:
        'Measures against width: one dot per seed. Look for alignment that persists in wider networks with skip connections, and is absent without.',
      x: 'width',
      series: 'skip',
      scalars: ['testAccuracy', ...MAIN, 'sigma1Last', 'nc1'],
    },
  ],
};
