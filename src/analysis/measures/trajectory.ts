import { format } from '../../number-format.ts';
import { onPlane } from '../vectors.ts';
import { type Own, perPoint, type Sampled, type Values } from './field.ts';
import type { FigureSpec, Row, Shown } from './figure.ts';
import type { sample as line } from './line.ts';
import type { StageAt } from './measure.ts';

export const title = 'Trajectories in a plane';
export const property = 'RA1';

export const sample = {
  trajectory: perPoint(
    'h_1 … h_{L+1} on the first two principal directions of these points, a stage after the other',
  ),
  commonTrajectory: perPoint('the same on the two leading principal directions of the classes’ mean h_{L+1}'),
};

export const at = ({ path, plane, commonPlane }: StageAt): Values<typeof sample> => ({
  trajectory: onPlane(plane, path),
  commonTrajectory: onPlane(commonPlane, path),
});

type Measures = Sampled<typeof sample> & {
  readonly summary: { readonly perStage: readonly Own<typeof line>['summary'][] };
};

const rowsOf = ({ measures: { samples } }: Pick<Shown<Measures>, 'measures'>): Row[] =>
  samples.flatMap(({ index, label, commonTrajectory, trajectory }) =>
    commonTrajectory.map(([x, y], point) => ({
      ...{ sample: index, label, point: point + 1, x, y },
      ...{ ownX: trajectory[point]?.[0], ownY: trajectory[point]?.[1] },
    })),
  );
export const tables = { trajectories: rowsOf };

/** Maximum number of classes with distinguishable colors. */
const DISTINCT = 30;

export const figures: FigureSpec<Measures>[] = [
  {
    file: 'ra1-trajectories.svg',
    title: 'RA1: representations through the network',
    caption:
      'Each line follows one training sample from h₁ (ring) to the last representation (disc), one dot per block, on the two ' +
      'leading directions of the class means at the last layer; one unit is equally long on both axes. Look for straight lines ' +
      'with evenly spaced dots that leave in a direction of their class’s own. “Line” is the share of a path’s variance along ' +
      'its first principal direction, in the full space and not in this projection.',
    data: ['trajectories', 'measures'],
    panels: [
      {
        each: 'stage',
        draw: (shown) => {
          const { line, straightness } = shown.measures.summary.perStage[shown.stage]!;
          // Each stage before has one point more than blocks.
          const [first, last] = [shown.start + shown.stage + 1, shown.end + shown.stage + 1];
          const within = (from: number, to: number) =>
            rowsOf(shown).filter(({ point }) => (point as number) >= from && (point as number) <= to);
          const many = shown.measures.samples.length > 40;
          const hue = { category: 'label', of: shown.network.classes };
          const place = { x: 'x', y: 'y' };
          return {
            note: `line ${format(line.mean)}, straightness ${format(straightness.mean)}`,
            height: 330,
            equal: true,
            x: { label: 'first direction of the class means' },
            y: { label: 'second direction' },
            marks: [
              {
                ...{ mark: 'line', rows: within(first, last), ...place, z: 'sample', stroke: hue },
                ...{ strokeWidth: many ? 0.7 : 1.1, strokeOpacity: 0.7 },
              },
              {
                mark: 'dot',
                rows: within(first + 1, last - 1),
                ...place,
                fill: hue,
                r: many ? 1.1 : 1.7,
              },
              { mark: 'dot', rows: within(first, first), ...place, stroke: hue, r: 2.6, strokeWidth: 1 },
              { mark: 'dot', rows: within(last, last), ...place, fill: hue, r: many ? 2.2 : 3.4 },
            ],
          };
        },
      },
    ],
    legend: (all) => {
      const { classes } = all[0]!.network;
      const present = [...new Set(all.flatMap(({ measures }) => measures.samples.map(({ label }) => label)))];
      return present.length > DISTINCT
        ? []
        : present
            .sort((a, b) => a - b)
            .map((label) => [`class ${label}`, { category: label, of: classes }, 'dot'] as const);
    },
  },
];
