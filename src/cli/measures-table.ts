import type { Analysis, Measures } from '../analysis/results.ts';
import { scalars } from '../analysis/scalars.ts';
import type { Spread } from '../analysis/statistics.ts';
import { blocksInWords } from '../report/data.ts';
import { format, percent } from '../report/numbers.ts';
import { certificates } from '../report/run-page.ts';
import { alignColumns } from './verdict-table.ts';

/** An analysis in numbers for a terminal: whole-network measures, then those of each block. */
export function measuresTable({ network, initialization, trained }: Analysis): string {
  const { classes, activation, skip } = network;
  const spread = (s: Spread) => (s.mean === null ? '—' : `${format(s.mean)} ± ${format(s.std)}`);
  const row = (name: string, of: (m: Measures) => string) => [name, of(trained), of(initialization)];
  const whole = [
    ['', `step ${trained.step}`, 'at initialization'],
    row('test accuracy', (m) => format(m.testAccuracy, 4)),
    row('training accuracy', (m) => format(m.trainAccuracy, 4)),
    row('RA1 share of variance on a line', (m) => spread(m.summary.line)),
    row('RA1 straightness', (m) => spread(m.summary.straightness)),
    row('RA1 line-shape score', (m) => spread(m.summary.lineShape)),
    row('RA1 variation of step lengths', (m) => spread(m.summary.stepCv)),
    row('RA1 cosine of successive steps', (m) => spread(m.summary.stepCosine)),
    row('RA2 diagonal share across depth', (m) => spread(m.summary.diagonalShare)),
    row('RA2 coupling across depth', (m) => spread(m.summary.coupling)),
    row('RA2 aligned dimension', (m) => spread(m.summary.alignedDimension)),
    ...(['nc1', 'nc2Norms', 'nc2Angles', 'nc3', 'nc4'] as const).map((name) =>
      row(scalars[name].label, (m) => format(m.collapse[name])),
    ),
  ];
  const { summary, deadBlocks, blockLoss } = trained;
  const perBlock = [
    ['block', 'σ₁', 'u·v', 'in top C', 'rank', 'stable rank', 'in classifier', '‖F‖/‖h‖', 'lost without'],
    ...summary.sigma1.map((sigma1, i) => {
      const { leftRight, topEnergy, numericalRank, stableRank, classifierShare, branchRatio } = summary;
      const rest = [leftRight, topEnergy, numericalRank, stableRank, classifierShare, branchRatio].map(
        (m) => m[i],
      );
      return [`${i + 1}`, ...[sigma1, ...rest].map((s) => format(s?.mean)), format(blockLoss?.[i])];
    }),
  ];
  const shape = `${blocksInWords(network)}; ${classes} classes, σ = ${activation}, ${skip ? 'with' : 'without'} skip connections`;
  const dead = deadBlocks.length > 0 ? `\nDead blocks (J = 0): ${deadBlocks.join(', ')}` : '';
  const errors = trained.frobenius.map(({ relativeError }) => relativeError);
  const estimate = trained.frobenius.some(({ method }) => method === 'estimated')
    ? `\n‖J‖², which “in top C” and “stable rank” divide by, is estimated, with a standard error of at most ${percent(Math.max(...errors))}`
    : '';
  return `${shape}\n\n${alignColumns(whole)}\n\n${alignColumns(perBlock)}${dead}${estimate}\nCertificates: ${certificates(summary)}`;
}
