import * as Plot from '@observablehq/plot';
import { classColour } from '../colours.ts';
import { type Figure, type Moment, moments, type ReportData } from '../data.ts';
import { format, spread } from '../numbers.ts';
import { figure, type Panel, panelSize, plot } from '../svg.ts';

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
      title: 'RA1: representations through the network',
      caption:
        'Each line follows one training sample from h₁ (ring) to the last representation (disc), a dot a block, on the ' +
        'two leading directions of the class means at the last layer; one unit is equally long on both axes. Look for ' +
        'straight lines with evenly spaced dots that leave in a direction of their class’s own. “Line” is the share of a ' +
        'path’s variance along its first principal direction, in the full space and not in this projection.',
    },
    [shown.map((m) => panel(m))],
    present.length > 30
      ? []
      : [
          {
            items: present.map((c) => ({
              label: `class ${c}`,
              colour: classColour(c, classes),
              shape: 'dot',
            })),
          },
        ],
  );
}

function panel({ title, measures, network }: Moment): Panel {
  const size = { width: panelSize.width, height: 330 };
  const margin = { marginTop: 8, marginLeft: 44, marginRight: 6, marginBottom: 42 };
  const points = measures.samples.flatMap((s, sample) =>
    s.commonTrajectory.map(([x, y], i) => ({
      x,
      y,
      sample,
      label: s.label,
      last: i === s.commonTrajectory.length - 1,
      first: i === 0,
    })),
  );
  const x = spread(points.map((p) => p.x));
  const y = spread(points.map((p) => p.y));
  const inner = [
    size.width - margin.marginLeft - margin.marginRight,
    size.height - margin.marginTop - margin.marginBottom,
  ];
  // Equal aspect: the tighter axis sets how many units a pixel is, and both are centred.
  const unit = 1.12 * Math.max((x.max! - x.min!) / inner[0]!, (y.max! - y.min!) / inner[1]!) || 1 / inner[0]!;
  const domain = (s: typeof x, pixels: number): [number, number] => {
    const middle = ((s.min ?? 0) + (s.max ?? 0)) / 2;
    return [middle - (unit * pixels) / 2, middle + (unit * pixels) / 2];
  };
  const colour = (p: (typeof points)[number]) => classColour(p.label, network.classes);
  const many = measures.samples.length > 40;
  return {
    title,
    note: `line ${format(measures.summary.line.mean)}, straightness ${format(measures.summary.straightness.mean)}`,
    ...size,
    body: plot({
      ...size,
      ...margin,
      x: {
        domain: domain(x, inner[0]!),
        ticks: 5,
        label: 'first direction of the class means',
        labelAnchor: 'center',
        labelArrow: 'none',
      },
      y: {
        domain: domain(y, inner[1]!),
        ticks: 5,
        label: 'second direction',
        labelAnchor: 'center',
        labelArrow: 'none',
      },
      marks: [
        Plot.frame({ strokeOpacity: 0.25 }),
        Plot.line(points, {
          x: 'x',
          y: 'y',
          z: 'sample',
          stroke: colour,
          strokeWidth: many ? 0.7 : 1.1,
          strokeOpacity: 0.7,
        }),
        Plot.dot(
          points.filter((p) => !p.last && !p.first),
          { x: 'x', y: 'y', fill: colour, r: many ? 1.1 : 1.7 },
        ),
        Plot.dot(
          points.filter((p) => p.first),
          { x: 'x', y: 'y', stroke: colour, r: 2.6, strokeWidth: 1 },
        ),
        Plot.dot(
          points.filter((p) => p.last),
          { x: 'x', y: 'y', fill: colour, r: many ? 2.2 : 3.4 },
        ),
      ],
    }),
  };
}
