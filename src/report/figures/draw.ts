import * as Plot from '@observablehq/plot';
import type { Drawing, Legend, Mark, Matrix, Row } from '../../analysis/measures/figure.ts';
import { defined } from '../../number-format.ts';
import { neutral } from '../colors.ts';
import type { Figure } from '../page.ts';
import { figure, type Panel, panelWidth, plot } from '../svg.ts';
import { pen, shade } from './inks.ts';
import { drawLegend } from './legend.ts';
import { matrixPanel } from './matrix.ts';
import { equalScales, margins, nameAxis, type Span, scaleOf, spanOf } from './scales.ts';

/** A figure as data: rows of panels, each a drawing under its title. */
export interface Picture extends Omit<Figure, 'svg'> {
  readonly rows: readonly (readonly Titled[])[];
  readonly legend?: Legend | undefined;
}
export type Titled = { readonly title: string } & (Drawing | Matrix);

export function draw({ rows, legend, ...words }: Picture): Figure {
  const values = rows.flat().flatMap((one) => ('marks' in one ? valuesOf(one) : []));
  const panels = rows.map((row) =>
    row.map((one) => ('marks' in one ? panel(one, values) : matrixPanel(one))),
  );
  return figure(words, panels, (width) => legend && drawLegend(legend, width));
}

const numbersOf = (marks: readonly Mark[], ...channels: string[]): number[] =>
  marks.flatMap(({ rows, ...mark }) =>
    channels.flatMap((channel) => rows.map((row) => row[mark[channel] as string] as number).filter(defined)),
  );

/** The numbers that a drawing's vertical scale must show. */
const valuesOf = ({ marks }: Drawing): number[] =>
  numbersOf(
    marks.filter(({ fit }) => !fit),
    ...['y', 'y1', 'y2'],
  );

/** A panel; `all` are the values of all panels. */
function panel(drawing: Drawing & { readonly title: string }, all: readonly number[]): Panel {
  const { title, note, width = panelWidth, height = 270, x, y, marks } = drawing;
  const span = spanOf(y, y.shared ? all : valuesOf(drawing));
  const inside = [
    width - margins.marginLeft - margins.marginRight,
    height - margins.marginTop - margins.marginBottom,
  ] as const;
  const axis = nameAxis(x, inside[0]);
  const scales = drawing.equal
    ? equalScales([x, y], [numbersOf(marks, 'x'), numbersOf(marks, 'y')], inside)
    : { x: scaleOf(x, x.domain), y: { ...scaleOf(y, span), grid: !y.counted } };
  const drawn = marks.some(({ rows }) => rows.length > 0)
    ? marks.map((mark) => plotted(mark, y.type === 'log' ? span : undefined))
    : [Plot.text(['not measured'], { frameAnchor: 'middle', fillOpacity: 0.6 })];
  const parts = Plot.ruleX(x.parts ?? [], { stroke: neutral, strokeDasharray: '2 3' });
  const size = { width, height: height + axis.room };
  const body = plot({
    ...margins,
    marginBottom: margins.marginBottom + axis.room,
    ...size,
    ...scales,
    opacity: { type: 'identity' },
    marks: [Plot.frame({ strokeOpacity: 0.25 }), axis.mark, parts, ...drawn],
  });
  return { title, note, ...size, body };
}

const { line, dot, ruleX, ruleY, tickY, areaY, text, linearRegressionY } = Plot;
const makers = { line, dot, ruleX, ruleY, tickY, areaY, text, linearRegressionY };

/** A mark; logarithmic scales drop what has no place there. */
function plotted({ mark, stroke, fill, fit: _, rows: all, ...channels }: Mark, span?: Span) {
  const rows = span ? all.flatMap((row) => placed(row, channels, span)) : all;
  if (mark === 'cells') return cells(rows, channels);
  const pens = { ...(stroke && { stroke: pen(stroke) }), ...(fill && { fill: pen(fill) }) };
  return makers[mark](rows as object[], { ...channels, ...pens });
}

function placed(row: Row, channels: object, [low, high]: Span): Row[] {
  const { y, y1, y2 } = channels as Record<'y' | 'y1' | 'y2', string | undefined>;
  if (y !== undefined) {
    const value = row[y];
    return typeof value === 'number' && value >= low && value <= high ? [row] : [];
  }
  if (y1 === undefined || y2 === undefined) return [row];
  const clamp = (name: string) => Math.min(high, Math.max(low, row[name] as number));
  return [{ ...row, [y1]: clamp(y1), [y2]: clamp(y2) }];
}

function cells(rows: readonly Row[], { x, y, value }: Readonly<Record<string, unknown>>): Plot.Markish {
  const at = (column: unknown, off: number) => (row: object) => row[column as never] + off;
  const of = (row: object) => shade(row[value as never] ?? 0);
  return [
    Plot.rect(rows, {
      x1: at(x, -0.5),
      x2: at(x, 0.5),
      y1: at(y, -0.5),
      y2: at(y, 0.5),
      fill: (row) => of(row).color,
      fillOpacity: (row) => of(row).opacity,
      inset: rows.length > 200 ? 0 : 0.5,
    }),
    Plot.text(
      rows.filter((row) => row[value as string] === null),
      { x: x as string, y: y as string, text: () => '×', fillOpacity: 0.55 },
    ),
  ];
}
