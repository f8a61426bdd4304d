import { blocksInWords } from '../analysis/network-info.ts';
import type { Analysis } from '../analysis/results.ts';
import { allSeries, scalar, scalarNames, seriesNames } from '../analysis/scalars.ts';
import { format, percent } from '../numbers.ts';
import { certificates } from '../report/run-page.ts';
import { alignColumns } from './verdict-table.ts';

/** An analysis in numbers for a terminal: every scalar, then the numbers of each block. */
export function measuresTable({ network, initialization, trained }: Analysis): string {
  const { classes, activation, skip, depth } = network;
  const whole = [
    ['', `step ${trained.step}`, 'at initialization'],
    ...scalarNames.map((name) => {
      const { label, from, spread } = scalar(name);
      return [
        label,
        ...[trained, initialization].map((m) => {
          const std = spread?.(m, network) ?? null;
          return format(from(m, network)) + (std === null ? '' : ` ± ${format(std)}`);
        }),
      ];
    }),
  ];
  const columns = seriesNames.flatMap((name) => {
    const { short, from } = allSeries[name];
    return short ? [{ short, values: from(trained) }] : [];
  });
  const perBlock = [
    ['block', ...columns.map(({ short }) => short)],
    ...Array.from({ length: depth }, (_, i) => [
      `${i + 1}`,
      ...columns.map(({ values }) => format(values?.[i]?.mean)),
    ]),
  ];
  const { summary, deadBlocks, frobenius } = trained;
  const shape = `${blocksInWords(network)}; ${classes} classes, σ = ${activation}, ${skip ? 'with' : 'without'} skip connections`;
  const dead = deadBlocks.length > 0 ? `\nDead blocks (J = 0): ${deadBlocks.join(', ')}` : '';
  const estimate = frobenius.some(({ method }) => method === 'estimated')
    ? `\n‖J‖², which “in top C” and “stable rank” divide by, is estimated, with a standard error of at most ${percent(Math.max(...frobenius.map(({ relativeError }) => relativeError)))}`
    : '';
  return `${shape}\n\n${alignColumns(whole)}\n\n${alignColumns(perBlock)}${dead}${estimate}\nCertificates: ${certificates(summary)}`;
}
