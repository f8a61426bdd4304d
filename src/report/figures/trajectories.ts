import * as Plot from '@observablehq/plot';
import type { Spread } from '../../analysis/statistics.ts';
import { classColour } from '../colours.ts';
import { type Figure, moments, type ReportData, rowsInWords, type StageMoment, stageRows } from '../data.ts';
import { format, spread } from '../numbers.ts';
import { figure, type Panel, panelWidth } from '../svg.ts';
import { axis, chart, inside } from './chart.ts';

/** RA1: the paths of single inputs through the network, seen in the plane of the class means. */
export function trajectories(data: ReportData): Figure {
  const shown = moments(data);
  const classes = data.run.analysis.network.classes;
  const present = [...new Set(shown.flatMap((m) => m.measures.samples.map((s) => s.label)))].sort(
    (a, b) => a - b,
  );
  return figure(
    {
      file: 'ra1-trajectories.svg',
      data: ['trajectories', 'measures'],
      title: 'RA1: representations through the network',
      caption:
        'Each line follows one training sample from h₁ (ring) to the last representation (disc), a dot a block, on the ' +
        'two leading directions of the class means at the last layer; one unit is equally long on both axes. Look for ' +
        'straight lines with evenly spaced dots that leave in a direction of their class’s own. “Line” is the share of a ' +
        'path’s variance along its first principal direction, in the full space and not in this projection.' +
        rowsInWords(data.run.analysis.network),
    },
    stageRows(shown).map((row) => row.map(panel)),
    // More classes than that have no colours that could be told apart.
    present.length > 30
      ? undefined
      : { items: present.map((c) => [`class ${c}`, classColour(c, classes), 'dot']) },
  );
}

function panel({ title, measures: { samples, summary }, network, stage, start, end }: StageMoment): Panel {
  // Each stage before has one point more than blocks.
  const points = samples.flatMap(({ commonTrajectory, label }, sample) =>
    commonTrajectory
      .slice(start + stage, end + stage + 1)
      .map(([x, y], i) => ({ x, y, sample, label, i, last: i === end - start })),
  );
  const [x, y] = [spread(points.map((p) => p.x)), spread(points.map((p) => p.y))];
  const height = 330;
  const [across, up] = inside(panelWidth, height);
  // Equal aspect: the tighter axis sets how many units a pixel is, and both are centred.
  const unit = 1.12 * Math.max((x.max! - x.min!) / across, (y.max! - y.min!) / up) || 1 / across;
  const domain = ({ min, max }: Spread, pixels: number) =>
    [-1, 1].map((side) => ((min ?? 0) + (max ?? 0) + side * unit * pixels) / 2);
  const own = summary.perStage[stage]!;
  const many = samples.length > 40;
  const place = { x: 'x', y: 'y' };
  const colour = (p: { label: number }) => classColour(p.label, network.classes);
  const [ring, disc] = [points.filter((p) => p.i === 0), points.filter((p) => p.last)];
  const between = points.filter((p) => p.i > 0 && !p.last);
  return chart({
    title,
    note: `line ${format(own.line.mean)}, straightness ${format(own.straightness.mean)}`,
    height,
    x: { ...axis('first direction of the class means'), domain: domain(x, across), ticks: 5 },
    y: { ...axis('second direction'), domain: domain(y, up), ticks: 5 },
    marks: [
      Plot.line(points, {
        ...place,
        z: 'sample',
        stroke: colour,
        strokeWidth: many ? 0.7 : 1.1,
        strokeOpacity: 0.7,
      }),
      Plot.dot(between, { ...place, fill: colour, r: many ? 1.1 : 1.7 }),
      Plot.dot(ring, { ...place, stroke: colour, r: 2.6, strokeWidth: 1 }),
      Plot.dot(disc, { ...place, fill: colour, r: many ? 2.2 : 3.4 }),
    ],
  });
}
