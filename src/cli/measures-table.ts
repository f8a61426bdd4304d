import { blocksInWords } from '../analysis/network-info.ts';
import type { Analysis } from '../analysis/results.ts';
import { series } from '../analysis/scalars.ts';
import { format } from '../number-format.ts';
import { facts, measureTable } from '../report/run-page.ts';
import { alignColumns, tableLines } from './verdict-table.ts';

/** What is measured beside the trained weights. */
export const besideOf = ({ control }: Analysis): string =>
  control ? 'With permuted weights' : 'At initialization';

/** An analysis in numbers for a terminal: every scalar, then the numbers of each block. */
export function measuresTable(analysis: Analysis): string {
  const { network, initialization, trained } = analysis;
  const { classes, activation, skip, depth } = network;
  const { triples } = analysis.settings;
  const whole = measureTable([
    { title: `step ${trained.step}`, measures: trained, network, triples },
    { title: besideOf(analysis).toLowerCase(), measures: initialization, network, triples },
  ]);
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
  return `${shape}\n\n${tableLines(whole)}\n\n${alignColumns(perBlock)}\n${rest.join('\n')}`;
}
