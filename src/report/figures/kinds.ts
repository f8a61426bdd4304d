import * as Plot from '@observablehq/plot';
import type {
  Drawing,
  FigureSpec,
  Ink,
  Legend as LegendSpec,
  Mark,
  Matrix,
  Scale,
  Shown,
} from '../../analysis/measures/figure.ts';
import { blocksInWords, type NetworkInfo, type StageRange, stagesOf } from '../../analysis/network-info.ts';
import type { Measures } from '../../analysis/results.ts';
import { accent, blockColor, classColor, contrast, neutral } from '../colors.ts';
import { defined, logDomain, range, spread } from '../numbers.ts';
import type { Figure } from '../page.ts';
import { figure, type Legend, type Panel, panelWidth } from '../svg.ts';
import { axis, chart, countAxis, inside, logAxis, stageBoundaries } from './chart.ts';
import { matrixPanel, shades } from './matrix.ts';

/** Draws a measure's figure of some networks: its rows of panels, and the notes on stages common to all. */
export function draw(spec: FigureSpec<Measures>, all: readonly Shown<Measures>[]): Figure {
  const { network } = all[0]!;
  const given = spec.panels.flatMap((panels) => {
    const shown = all.filter(({ measures }) => panels.where?.(measures) ?? true);
    return shown.length > 0 ? [{ panels, shown }] : [];
  });
  const rows = given.flatMap(({ panels, shown }) =>
    (panels.each === 'stage' ? stageRows(shown) : [shown.map(whole)]).map((row) =>
      row.map((one) => ({ ...one, drawing: panels.draw(one) })),
    ),
  );
  const plots = rows.flat().flatMap(({ drawing }) => ('marks' in drawing ? [drawing] : []));
  const span = logDomain(plots.flatMap(valuesOf), plots.find(({ y }) => y.log)?.y.log);
  const parts = given.flatMap(({ panels }) => panels.caption ?? []);
  const place = (i: number) => (parts.length > 1 ? `${['First', 'Then', 'Last'][i]} row: ` : '');
  const { file, title, data, caption } = spec;
  const sentences = [
    typeof caption === 'function' ? caption(all) : caption,
    ...parts.map((part, i) => place(i) + part),
    network.stages.length > 1 &&
      given.some(({ panels }) => panels.each === 'stage') &&
      `A row for each stage, as vectors of different lengths cannot be compared: ${blocksInWords(network)}.`,
    network.stages.length > 1 &&
      plots.some(({ x }) => x === 'block') &&
      'Broken lines part the stages, between which h changes its shape.',
  ];
  return figure(
    { file, title, data, caption: sentences.filter(Boolean).join(' ') },
    rows.map((row) => row.map(({ drawing, ...one }) => panel(one, drawing, span))),
    legend(spec.legend, all),
  );
}

const whole = <M>(one: Shown<M>): Shown<M> & StageRange => ({
  ...one,
  ...{ stage: 0, start: 0, end: one.network.depth },
});

/** Networks side by side, a row for each stage. */
function stageRows<M>(shown: readonly Shown<M>[]): (Shown<M> & StageRange)[][] {
  const stages = stagesOf(shown[0]!.network.stages);
  return stages.map((own) =>
    shown.map((one) => ({
      ...{ ...one, ...own },
      title: stages.length > 1 ? `${one.title}, stage ${own.stage + 1}` : one.title,
    })),
  );
}

/** A panel; `span` is the range of logarithmic scales. */
export function panel(
  { title, network }: Pick<Shown<unknown>, 'title' | 'network'>,
  drawing: Drawing | Matrix,
  span: [number, number],
): Panel {
  if (!('marks' in drawing)) return matrixPanel(title, drawing, network);
  const { note, width = panelWidth, height = 270, x, y, equal } = drawing;
  const axes = equal
    ? equalScales(drawing, width, height)
    : {
        x: typeof x === 'string' ? countAxis(x, network.depth) : scaleOf(x, [], span, 7),
        y: scaleOf(y, valuesOf(drawing), span),
      };
  const marks = drawing.marks.map((mark) => plotted(mark, network, y.log === undefined ? undefined : span));
  return chart({
    ...{ title, note, width, height, ...axes, opacity: { type: 'identity' } },
    marks: [x === 'block' && stageBoundaries(network), ...marks].filter(Boolean) as Plot.Markish[],
  });
}

const VERTICAL = ['y', 'y1', 'y2'] as const;

/** The numbers that a drawing's vertical scale must show. */
const valuesOf = ({ marks }: Drawing): number[] =>
  marks
    .filter(({ fit }) => !fit)
    .flatMap(({ rows, ...mark }) =>
      VERTICAL.flatMap((channel) =>
        rows.map((row) => row[mark[channel] as string] as number).filter(defined),
      ),
    );

function scaleOf(
  { label, domain, ticks, zero, log }: Scale,
  values: readonly number[],
  span: [number, number],
  count = 5,
): Plot.ScaleOptions {
  if (log !== undefined && domain) return logAxis(label, [...domain], ticks && [...ticks]);
  if (log !== undefined) return { ...logAxis(label, span), grid: true };
  const { min, max } = spread(values);
  const [low, high] = [Math.min(0, min ?? 0), Math.max(0, max ?? 0)];
  const shown = zero ? [1.1 * low, 1.1 * high || 1] : domain && [...domain];
  return {
    ...axis(label),
    ...(shown && { domain: shown }),
    ticks: ticks ? [...ticks] : count,
    ...(ticks || count !== 5 ? { tickFormat: String } : { grid: true }),
  };
}

/** The tighter axis sets the units per pixel; both are centered. */
function equalScales({ x, y, marks }: Drawing, width: number, height: number) {
  const [across, up] = inside(width, height);
  const of = (channel: 'x' | 'y') =>
    spread(marks.flatMap((mark) => mark.rows.map((row) => row[mark[channel] as string] as number)));
  const [xs, ys] = [of('x'), of('y')];
  const unit = 1.12 * Math.max((xs.max! - xs.min!) / across, (ys.max! - ys.min!) / up) || 1 / across;
  const scale = ({ label }: Scale, { min, max }: typeof xs, pixels: number) => ({
    ...axis(label),
    domain: [-1, 1].map((side) => ((min ?? 0) + (max ?? 0) + side * unit * pixels) / 2),
    ticks: 5,
  });
  return { x: scale(x as Scale, xs, across), y: scale(y, ys, up) };
}

const inks: Readonly<Record<string, string>> = { accent, contrast, neutral };
type Pen = string | ((row: { block: number; label: number }) => string);
const pen = (ink: Ink, { depth, classes }: NetworkInfo): Pen =>
  ink === 'block'
    ? (row) => blockColor(row.block, depth)
    : ink === 'label'
      ? (row) => classColor(row.label, classes)
      : (inks[ink] ?? ink);

const { line, dot, ruleX, ruleY, areaY, text } = Plot;
const makers = { line, dot, ruleX, ruleY, areaY, text };

/** A mark; logarithmic scales drop what has no place there. */
function plotted(
  { mark, stroke, fill, fit, ...options }: Mark,
  network: NetworkInfo,
  span?: [number, number],
) {
  const rows = span ? options.rows.flatMap((row) => placed(row, options, span, fit === true)) : options.rows;
  const { rows: _, ...channels } = options;
  if (mark === 'cells') return cells(rows, channels);
  const pens = {
    ...(stroke && { stroke: pen(stroke, network) }),
    ...(fill && { fill: pen(fill, network) }),
  };
  return makers[mark](rows as object[], { ...channels, ...pens });
}

function placed(row: Mark['rows'][number], channels: object, [low, high]: [number, number], fit: boolean) {
  const { y, y1, y2 } = channels as Record<'y' | 'y1' | 'y2', string | undefined>;
  if (y !== undefined) {
    const value = row[y];
    return typeof value !== 'number' || value < low || (fit && value > high) ? [] : [row];
  }
  if (y1 === undefined || y2 === undefined) return [row];
  const clamp = (name: string) => Math.min(high, Math.max(low, row[name] as number));
  return [{ ...row, [y1]: clamp(y1), [y2]: clamp(y2) }];
}

/** Blue above zero, orange below. Twenty steps each: finer ones would be invisible and the file larger. */
const shade = (cosine: number) => ({
  color: cosine < 0 ? contrast : accent,
  opacity: Math.round(20 * Math.abs(cosine)) / 20,
});

function cells(rows: Mark['rows'], { x, y, value }: Readonly<Record<string, unknown>>): Plot.Markish {
  const at = (column: unknown, off: number) => (row: object) => row[column as never] + off;
  const of = (row: object) => shade(row[value as never] ?? 0);
  return [
    Plot.rect(rows, {
      ...{ x1: at(x, -0.5), x2: at(x, 0.5), y1: at(y, -0.5), y2: at(y, 0.5) },
      ...{ fill: (row) => of(row).color, fillOpacity: (row) => of(row).opacity },
      inset: rows.length > 200 ? 0 : 0.5,
    }),
    Plot.text(
      rows.filter((row) => row[value as string] === null),
      { x: x as string, y: y as string, text: () => '×', fillOpacity: 0.55 },
    ),
  ];
}

/** Maximum number of classes with distinguishable colors. */
const CLASSES = 30;

function legend(spec: LegendSpec | undefined, all: readonly Shown<Measures>[]): Legend | undefined {
  const { depth, classes } = all[0]!.network;
  if (spec === 'blocks') {
    const steps = range(depth, 1).map((block) => ({ color: blockColor(block, depth) }));
    return { label: 'block', from: '1', to: `${depth}`, steps };
  }
  if (spec === 'classes') {
    const present = [...new Set(all.flatMap((m) => m.measures.samples.map((s) => s.label)))];
    const items = present
      .sort((a, b) => a - b)
      .map((c) => [`class ${c}`, classColor(c, classes), 'dot'] as const);
    return present.length > CLASSES ? undefined : { items: items.map((item) => [...item]) };
  }
  if (spec && 'ramp' in spec)
    return spec.ramp === 'share'
      ? { label: spec.label, from: '0', to: '1', steps: shades }
      : { label: spec.label, from: '−1', to: '1', steps: range(11).map((i) => shade(i / 5 - 1)) };
  return spec && { items: spec.map(([label, ink, shape]) => [label, inks[ink] ?? ink, shape]) };
}
