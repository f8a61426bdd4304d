import { blocksInWords } from '../analysis/network-info.ts';
import type { Analysis } from '../analysis/results.ts';
import { scalar, scalarNames, series } from '../analysis/scalars.ts';
import { format } from '../numbers.ts';
import { facts } from '../report/run-page.ts';
import { alignColumns } from './verdict-table.ts';

/** An analysis in numbers for a terminal: every scalar, then the numbers of each block. */
export function measuresTable(analysis: Analysis): string {
  const { network, initialization, trained } = analysis;
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
  const columns = Object.values(series).flatMap(({ short, from }) =>
    short ? [{ short, values: from(trained) }] : [],
  );
  const perBlock = [
    ['block', ...columns.map(({ short }) => short)],
    ...Array.from({ length: depth }, (_, i) => [
      `${i + 1}`,
      ...columns.map(({ values }) => format(values?.[i]?.mean)),
    ]),
  ];
  const shape = `${blocksInWords(network)}; ${classes} classes, σ = ${activation}, ${skip ? 'with' : 'without'} skip connections`;
  const rest = facts(analysis).map(([name, value]) => `${name}: ${value}`);
  return `${shape}\n\n${alignColumns(whole)}\n\n${alignColumns(perBlock)}\n${rest.join('\n')}`;
}
