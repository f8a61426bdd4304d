import * as Plot from '@observablehq/plot';
import { blockColor } from '../../src/report/colors.ts';
import type { Pair, Picture } from '../protocol.ts';
import { Chart } from './chart.tsx';
import type { Names } from './series.ts';

/** A step at which both networks were measured. */
export interface Moment {
  readonly step: number;
  readonly pictures: Pair<Pick<Picture, 'diagonalShare' | 'line' | 'testAccuracy'>>;
}

interface Drawn {
  readonly pictures: Pair<Picture> | undefined;
  readonly names: Names;
}

/** 0.01 as 10⁻². */
const power = (x: number): string => {
  const exponent = Math.round(Math.log10(x));
  return exponent === 0 ? '1' : `10⁻${'⁰¹²³⁴⁵⁶⁷⁸⁹'[-exponent]}`;
};

/** Singular values below this share of the first are not drawn. */
const FLOOR = 1e-4;

/** Spectra of all blocks of both networks, with a line behind as many values as there are classes. */
export function Spectra({ pictures, names, classes }: Drawn & { classes: number }) {
  return (
    <div class="pair">
      {names.map(({ name, ink }, n) => {
        const spectra = pictures?.[n]?.spectra ?? [];
        const rows = spectra.flatMap((values, i) =>
          values.flatMap((value, k) => (value >= FLOOR ? [{ block: i + 1, k: k + 1, value }] : [])),
        );
        const stroke = (row: { block: number }) => blockColor(row.block, spectra.length);
        return (
          <div key={name}>
            <h3 style={{ color: ink }}>{name}</h3>
            <Chart
              label={`Singular values of the blocks of ${name}`}
              height={190}
              options={{
                x: { label: 'k', ticks: 5 },
                y: { label: 'σₖ / σ₁', type: 'log', domain: [FLOOR, 1], ticks: 4, tickFormat: power },
                color: { type: 'identity' },
                marks: [
                  Plot.ruleX([classes + 0.5], {
                    stroke: 'currentColor',
                    strokeOpacity: 0.5,
                    strokeDasharray: '3 3',
                  }),
                  Plot.line(rows, { x: 'k', y: 'value', z: 'block', stroke, strokeWidth: 1.4 }),
                ],
              }}
            />
          </div>
        );
      })}
    </div>
  );
}

/** σ₁ of each block of both networks. */
export function Scale({ pictures, names }: Drawn) {
  const rows = names.flatMap(({ color }, n) =>
    (pictures?.[n]?.sigma1 ?? []).flatMap((sigma, i) => (sigma ? [{ block: i + 1, sigma, color }] : [])),
  );
  const depth = pictures?.[0].sigma1.length ?? 1;
  return (
    <Chart
      label="The largest singular value of each block"
      height={200}
      options={{
        x: { label: 'block i', domain: [0.8, depth + 0.2], ticks: Math.min(depth, 8), tickFormat: 'd' },
        y: { label: 'σ₁(Jᵢ)', zero: true, nice: true, ticks: 5 },
        color: { type: 'identity' },
        marks: [
          Plot.line(rows, { x: 'block', y: 'sigma', stroke: 'color', z: 'color', strokeWidth: 1.5 }),
          Plot.dot(rows, { x: 'block', y: 'sigma', fill: 'color', r: 3.5 }),
        ],
      }}
    />
  );
}

interface HistoryProps {
  readonly moments: readonly Moment[];
  readonly steps: number;
  readonly names: Names;
}

/** A number of both networks against steps. */
function curve({ moments, names }: HistoryProps, of: keyof Moment['pictures'][0], dash?: string) {
  return names.map(({ color }, n) =>
    Plot.line(
      moments.flatMap(({ step, pictures }) => {
        const value = pictures[n]![of];
        return value === null ? [] : [{ step, value }];
      }),
      { x: 'step', y: 'value', stroke: color, strokeWidth: 1.8, ...(dash && { strokeDasharray: dash }) },
    ),
  );
}

const scales = ({ steps }: HistoryProps) => ({
  x: { label: 'step', domain: [0, steps], ticks: 5 },
  y: { label: null, domain: [0, 1], ticks: 5, tickFormat: '.0%' },
  color: { type: 'identity' as const },
});

/** How much of the couplings is diagonal, and how straight paths are, over training. */
export function Shares(props: HistoryProps) {
  const marks = [curve(props, 'diagonalShare'), curve(props, 'line', '4 3')];
  return (
    <Chart
      label="Diagonal share and line share over steps"
      height={200}
      options={{ ...scales(props), marks }}
    />
  );
}

/** Test accuracy over training. */
export function Accuracy(props: HistoryProps) {
  const marks = [curve(props, 'testAccuracy')];
  return <Chart label="Test accuracy over steps" height={200} options={{ ...scales(props), marks }} />;
}
