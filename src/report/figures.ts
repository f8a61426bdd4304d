import type { FigureSpec, Shown } from '../analysis/measures/figure.ts';
import { blocksInWords, stagesOf } from '../analysis/network-info.ts';
import { all, type Measures } from '../analysis/results.ts';
import { networksOf, type ReportData } from './data.ts';
import { draw, type Picture } from './figures/draw.ts';
import { courseFigures, training } from './figures/training.ts';
import type { Figure } from './page.ts';

/** All figures of a report: those of measures, in order, then training and the course of alignment. */
export const figures = (data: ReportData): Figure[] =>
  [
    ...all.flatMap((measure) => measure.figures ?? []).map((spec) => pictureOf(spec, networksOf(data))),
    training(data),
    ...courseFigures(data),
  ].map(draw);

/** A measure's figure of some networks: its rows of panels, and the notes on stages common to all. */
function pictureOf(
  { panels, caption, legend, ...words }: FigureSpec<Measures>,
  all: readonly Shown<Measures>[],
): Picture {
  const { network } = all[0]!;
  const whole = { stage: 0, start: 0, end: network.depth };
  const stages = stagesOf(network.stages);
  const given = panels.flatMap(({ where, each, draw, caption = [] }) => {
    const some = all.filter(({ measures }) => where?.(measures) ?? true);
    const ranges = each === 'stage' ? stages : [whole];
    const rows = ranges.map((range) =>
      some.map((one) => {
        const title = ranges.length > 1 ? `${one.title}, stage ${range.stage + 1}` : one.title;
        return { title, ...draw({ ...one, ...range }) };
      }),
    );
    return some.length > 0 ? [{ rows, caption }] : [];
  });
  const rows = given.flatMap((part) => part.rows);
  const captions = given.flatMap((part) => part.caption);
  const place = (i: number) => (captions.length > 1 ? `${['First', 'Then', 'Last'][i]} row: ` : '');
  const sentences = [
    typeof caption === 'function' ? caption(all) : caption,
    ...captions.map((part, i) => place(i) + part),
    stages.length > 1 &&
      rows.length > given.length &&
      `A row for each stage, as vectors of different lengths cannot be compared: ${blocksInWords(network)}.`,
    rows.flat().some((one) => 'marks' in one && one.x.parts?.length) &&
      'Broken lines part the stages, between which h changes its shape.',
  ];
  return {
    ...words,
    caption: sentences.filter(Boolean).join(' '),
    rows,
    legend: typeof legend === 'function' ? legend(all) : legend,
  };
}
