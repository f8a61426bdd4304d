import type { BenchFile, Row } from '../../bench/result.ts';
import { fitLine } from '../../bench/statistics.ts';
import { axes } from '../../bench/suites/scaling.ts';
import { digits } from '../../bench/table.ts';
import type { Swatch } from '../../src/analysis/measures/figure.ts';
import { range } from '../../src/lists.ts';
import { logDomain } from '../../src/report/axes.ts';
import { accent, contrast, neutral } from '../../src/report/colors.ts';
import { draw, type Titled } from '../../src/report/figures/draw.ts';
import type { Figure } from '../../src/report/page.ts';

/** GFLOPS of matrix products over size, with the ceilings drawn in; undefined if none was measured. */
export function gflopsFigure({ rows, roofline, adapter }: BenchFile, file: string): Figure | undefined {
  const products = rows.filter(({ suite, milliseconds }) => suite === 'matmul' && milliseconds);
  if (products.length === 0) return undefined;
  const forms = [...new Set(products.map(({ name }) => name))];
  const color = (form: string) => [accent, contrast, '#2a958e'][forms.indexOf(form)] ?? neutral;
  const points = products.map((row) => ({
    x: sideOf(row),
    y: row.flops / row.milliseconds!.median / 1e6,
    color: color(row.name),
    cube: new Set(row.size.split('x')).size === 1,
    name: row.name,
  }));
  const rivals = products.flatMap((row) =>
    (row.peers ?? []).flatMap(({ name, milliseconds }) =>
      milliseconds ? [{ x: sideOf(row), y: row.flops / milliseconds.median / 1e6, name }] : [],
    ),
  );
  const [low, high] = logDomain([...points, ...rivals].map(({ y }) => y));
  const ys: [number, number] = [low, Math.max(high, roofline.gflops * 1.3)];
  const [left, right] = logDomain(points.map(({ x }) => x));
  // A cube of side n does 2n³ operations on 12n² bytes.
  const ceiling = range(41)
    .map((t) => left * (right / left) ** (t / 40))
    .map((x) => ({ x, y: Math.min(roofline.gflops, (roofline.gbps * x) / 6) }));
  const cubes = points.filter(({ cube }) => cube).sort((a, b) => a.x - b.x);
  const place = { x: 'x', y: 'y' };
  const ring = { mark: 'dot', ...place, stroke: 'color', r: 3.5 } as const;
  const panel: Titled = {
    title: 'fp32 matrix products',
    note: `ceilings: ${digits(roofline.gflops)} GFLOPS, ${digits(roofline.gbps)} GB/s`,
    width: 640,
    height: 340,
    x: {
      label: '∛(M·N·K)',
      type: 'log',
      domain: [left, right],
      ticks: [32, 64, 128, 256, 512, 1024, 2048, 4096].filter((t) => t >= left && t <= right),
    },
    y: { label: 'GFLOPS', type: 'log', domain: ys },
    marks: [
      { mark: 'line', rows: ceiling, ...place, stroke: 'neutral', strokeDasharray: '4 3', strokeWidth: 1.5 },
      { mark: 'line', rows: cubes, ...place, z: 'name', stroke: 'color', strokeWidth: 1.5 },
      { ...ring, rows: cubes, fill: 'color' },
      { ...ring, rows: points.filter(({ cube }) => !cube), strokeWidth: 1.5 },
      { mark: 'dot', rows: rivals, ...place, stroke: 'neutral', symbol: 'times', r: 3.5 },
      { mark: 'text', rows: rivals, ...place, text: 'name', dy: 12, fontSize: 10 },
    ],
  };
  return draw({
    file,
    title: `Matrix products on ${adapter.name}`,
    caption:
      'GFLOPS over size: filled dots for cubes, joined by lines, rings for other sizes, crosses for peers. The dashed line ' +
      'is what the measured ceilings of arithmetic and copying allow for a cube.',
    rows: [[panel]],
    legend: [
      ...forms.map((form): Swatch => [form, color(form), 'line']),
      ['roofline of a cube', 'neutral', 'dashed'],
    ],
  });
}

/** The geometric mean of M, N and K. */
const sideOf = ({ size }: Row): number => Math.cbrt(size.split('x').reduce((product, n) => product * +n, 1));

/** Step time against depth, width and batch, each with its line; undefined where that was not measured. */
export function scalingFigure({ rows, adapter }: BenchFile, file: string): Figure | undefined {
  const panels = axes.flatMap(({ axis: name, abscissa, unit }) => {
    const own = rows.filter((row) => row.suite === 'scaling' && row.name === name && row.milliseconds);
    return own.length > 1 ? [scalingPanel(name, own, abscissa, unit)] : [];
  });
  if (panels.length === 0) return undefined;
  return draw({
    file,
    title: `Time of a training step on ${adapter.name}`,
    caption:
      'Step time of the network of mnist-fc against depth, width and batch, all else fixed: medians with quartiles, the ' +
      'line fitted to them, and what the dispatches of the step would cost if they did nothing.',
    rows: [panels],
    legend: [
      ['measured', 'accent', 'dot'],
      ['fitted line', 'contrast', 'line'],
      ['its dispatches alone', 'neutral', 'dashed'],
    ],
  });
}

function scalingPanel(
  name: string,
  rows: readonly Row[],
  abscissa: (value: number) => number,
  unit: string,
): Titled {
  const points = rows.map(({ size, milliseconds, figures }) => ({
    x: abscissa(+size),
    y: milliseconds!.median,
    low: milliseconds!.p25,
    high: milliseconds!.p75,
    dispatching: figures?.['ms of dispatching'] ?? 0,
  }));
  const { a, b, r2 } = fitLine(points.map(({ x, y }) => [x, y] as const));
  const right = Math.max(...points.map(({ x }) => x));
  const line = [0, right].map((x) => ({ x, y: a + b * x }));
  const top = Math.max(...points.map(({ high }) => high), line[1]!.y);
  return {
    title: `against ${name}`,
    note: `${digits(a)} ms + ${Number(b.toPrecision(2))} ms × ${unit}, R² ${r2.toFixed(3)}`,
    x: { label: unit, domain: [0, right * 1.05] },
    y: { label: 'ms a step', domain: [Math.min(0, a), top * 1.08] },
    marks: [
      { mark: 'line', rows: line, x: 'x', y: 'y', stroke: 'contrast', strokeWidth: 1.5 },
      { mark: 'line', rows: points, x: 'x', y: 'dispatching', stroke: 'neutral', strokeDasharray: '4 3' },
      {
        ...{ mark: 'ruleX', rows: points, x: 'x', y1: 'low', y2: 'high' },
        ...{ stroke: 'accent', strokeOpacity: 0.6, strokeWidth: 2 },
      },
      { mark: 'dot', rows: points, x: 'x', y: 'y', fill: 'accent', r: 3.2 },
    ],
  };
}
