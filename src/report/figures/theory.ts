import * as Plot from '@observablehq/plot';
import { alignmentMatrix } from '../../analysis/measures/alignment.ts';
import { meanSigma1 } from '../../analysis/unconstrained/claims.ts';
import type { TheoryCase } from '../../analysis/unconstrained/results.ts';
import type { Theory } from '../../experiments/unconstrained/run.ts';
import { accent, classColour, contrast, neutral } from '../colours.ts';
import { format, logDomain, range } from '../numbers.ts';
import type { Figure } from '../parts.ts';
import { figure, type Panel } from '../svg.ts';
import { axis, chart, logAxis } from './chart.ts';
import { matrixPanel, shades } from './matrix.ts';

const PER_ROW = 3;
const rowsOf = <T>(items: readonly T[]): T[][] =>
  range(Math.ceil(items.length / PER_ROW)).map((r) => items.slice(PER_ROW * r, PER_ROW * (r + 1)));

const titleOf = ({ classes, depth, skip }: TheoryCase): string =>
  `${classes} classes, L = ${depth}${skip ? '' : ', no skip connections'}`;

/** Those that were followed on their way, the control behind that of two classes. */
const followed = ({ cases, control }: Theory): TheoryCase[] => {
  const own = cases.filter(({ course }) => course !== null);
  return control ? own.flatMap((found) => (found.classes === 2 ? [found, control] : [found])) : own;
};

/** The figures of the theory's page, in the order in which a reader wants them. */
export function theoryFigures(theory: Theory): Figure[] {
  return [courses(theory), alignments(theory), depths(theory), ranks(theory)];
}

/** How singular values got where they are, a line a start. */
function courses(theory: Theory): Figure {
  const shown = followed(theory);
  const domain = logDomain(
    shown.flatMap(({ course }) => course!.flatMap(({ sigma1, sigmaC }) => [...sigma1, ...sigmaC])),
    1e-6,
  );
  return figure(
    {
      file: 'theory-course.svg',
      data: ['course'],
      title: 'Singular values during the optimization',
      caption:
        `Mean over blocks of σ₁ and of σ_C, with two classes σ₂, of ${theory.settings.starts} random starts, a line each. Look for starts that end alike: ` +
        'σ₁ at the value that the optimum’s equation gives, the broken line, and σ_C at zero, but for float32. With more classes σ₁ may end ' +
        'above that line: there the aligned solution is not the best. All panels share the vertical scale.',
    },
    rowsOf(shown.map((found) => coursePanel(found, domain))),
    {
      items: [
        ['first singular value, a line a start', accent, 'line'],
        ['C-th singular value', contrast, 'line'],
        ['σ of the aligned solution', neutral, 'dashed'],
      ],
    },
  );
}

function coursePanel(found: TheoryCase, [low, high]: [number, number]): Panel {
  const course = found.course!;
  const lines = (pick: 'sigma1' | 'sigmaC') =>
    course.flatMap((moment) =>
      moment[pick].map((sigma, start) => ({ step: moment.step, start, sigma: Math.max(low, sigma) })),
    );
  const line = (rows: ReturnType<typeof lines>, stroke: string) =>
    Plot.line(rows, { x: 'step', y: 'sigma', z: 'start', stroke, strokeWidth: 1, strokeOpacity: 0.7 });
  const last = course.at(-1)!.sigma1;
  return chart({
    title: titleOf(found),
    note: `σ₁ ends from ${format(Math.min(...last))} to ${format(Math.max(...last))}`,
    marginLeft: 62,
    x: { ...axis('step'), ticks: 5, tickFormat: String },
    y: { ...logAxis('singular value', [low, high]), grid: true },
    marks: [
      line(lines('sigmaC'), contrast),
      line(lines('sigma1'), accent),
      found.predicted &&
        Plot.ruleY([found.predicted.sigma], { stroke: neutral, strokeWidth: 1.5, strokeDasharray: '4 3' }),
    ],
  });
}

/** The paper's figure in the model: two classes with and without skip connections, and most classes. */
function alignments(theory: Theory): Figure {
  const all = followed(theory);
  const shown = all.filter((found, i) => found.classes === 2 || i === all.length - 1);
  return figure(
    {
      file: 'theory-alignment.svg',
      data: ['alignment'],
      title: 'Jacobians in each other’s singular bases',
      caption:
        'Row i, column j shows |Uⱼᵀ Jᵢ Vⱼ| over the first C singular vectors of block j, divided by the largest singular value of Jᵢ, at the end of the ' +
        'first start. With two classes one cell of each block of cells should be dark, the first: all Jacobians are multiples of one matrix of rank one, with equal vectors left and ' +
        'right. Without skip connections each Jacobian has rank one, too, but vectors of its own.',
    },
    rowsOf(
      shown.map((found) =>
        matrixPanel(
          titleOf(found),
          alignmentMatrix(`diagonal share ${format(found.diagonalShare)}`, found.alignment!),
          {
            depth: found.depth,
            stages: [{ blocks: range(found.depth).map(String), shape: [theory.settings.width] }],
          },
        ),
      ),
    ),
    { label: '|Uⱼᵀ Jᵢ Vⱼ| / σ₁(Jᵢ)', from: '0', to: '1', steps: shades },
  );
}

const depthAxis = (all: readonly number[]): Plot.ScaleOptions =>
  logAxis('number of blocks L', [Math.min(...all) / 1.15, Math.max(...all) * 1.15], [...all]);

const classesOf = ({ cases }: Theory): number[] => [...new Set(cases.map(({ classes }) => classes))];

/** RA4 in the model: σ_1 against the number of blocks, with the curve of the optimum. */
function depths(theory: Theory): Figure {
  const domain = logDomain(
    theory.cases.flatMap((found) => [found.predicted!.sigma, meanSigma1(found)]),
    1e-6,
  );
  return figure(
    {
      file: 'theory-depth.svg',
      data: ['measures'],
      title: 'The largest singular value against depth',
      caption:
        'Mean of σ₁ over blocks, a dot a start, both axes logarithmic. Look for dots on the curve, which is no fit: it is computed from the optimum’s equation. It falls nearly as 1/L, the ' +
        'dotted line, and ever more nearly: σ₁ L is about the logarithm of how much representations grow, which rises slowly with L. The note has the slope of a fit with its 95% interval, and that of the curve.',
    },
    rowsOf(classesOf(theory).map((classes) => depthPanel(theory, classes, domain))),
    {
      items: [
        ['a start', accent, 'dot'],
        ['aligned solution', contrast, 'line'],
        ['∝ 1/L', neutral, 'dashed'],
      ],
    },
  );
}

function depthPanel(
  { cases, settings, slopes }: Theory,
  classes: number,
  [low, high]: [number, number],
): Panel {
  const own = cases.filter((found) => found.classes === classes);
  const dots = own.flatMap((found) =>
    found.final.map(({ sigma }) => ({
      depth: found.depth,
      sigma: sigma.reduce((sum, [s]) => sum + s!, 0) / sigma.length,
    })),
  );
  const curve = own.map(({ depth, predicted }) => ({ depth, sigma: predicted!.sigma }));
  const end = curve.at(-1)!;
  const inverse = curve
    .map(({ depth }) => ({ depth, sigma: (end.sigma * end.depth) / depth }))
    .filter(({ sigma }) => sigma <= high);
  const { measured, predicted } = slopes.find((s) => s.classes === classes)!;
  const interval = measured?.interval?.map((x) => format(x, 2)).join(' to ');
  const place = { x: 'depth', y: 'sigma' };
  return chart({
    title: `${classes} classes`,
    note: measured
      ? `slope ${format(measured.slope, 2)}${interval ? ` (${interval})` : ''}, curve ${format(predicted?.slope, 2)}`
      : 'one depth: no slope',
    x: depthAxis(settings.depths),
    y: { ...logAxis('σ₁', [low, high]), grid: true },
    marks: [
      Plot.line(inverse, { ...place, stroke: neutral, strokeDasharray: '2 3' }),
      Plot.line(curve, { ...place, stroke: contrast, strokeWidth: 1.5 }),
      Plot.dot(dots, { ...place, fill: accent, fillOpacity: 0.6, r: 3 }),
    ],
  });
}

/** What more classes make of it: fewer directions than C − 1 where models are deep, and an objective below the aligned solution's. */
function ranks(theory: Theory): Figure {
  const classes = classesOf(theory);
  const colour = (c: number) => classColour(classes.indexOf(c), classes.length);
  const rows = theory.cases.flatMap(({ classes, depth, final, predicted }) =>
    final.map(({ numericalRank, objective }) => ({
      ...{ classes, depth },
      rank: numericalRank.reduce((a, b) => a + b) / numericalRank.length,
      ratio: objective / predicted!.objective,
    })),
  );
  const panel = (
    y: 'rank' | 'ratio',
    title: string,
    note: string,
    scale: Plot.ScaleOptions,
    rules: Plot.Markish,
  ) => {
    const means = Plot.groupX({ y: 'mean' }, {
      x: 'depth',
      y,
      z: 'classes',
      stroke: 'classes',
    } as Plot.LineOptions);
    return chart({
      ...{ title, note, width: 528 },
      x: depthAxis(theory.settings.depths),
      y: { ...scale, grid: true },
      color: { type: 'ordinal', domain: classes, range: classes.map(colour) },
      marks: [
        rules,
        Plot.lineY(rows, { ...means, strokeWidth: 1.5 } as Plot.LineYOptions),
        Plot.dot(rows, { x: 'depth', y, fill: 'classes', fillOpacity: 0.6, r: 3 }),
      ],
    });
  };
  const most = Math.max(...classes) - 1;
  const rankTicks = range(most + 1).filter((r) => most <= 12 || r % 5 === 0);
  const ratios = rows.map(({ ratio }) => ratio);
  const [least, greatest] = [Math.min(...ratios), Math.max(...ratios)];
  return figure(
    {
      file: 'theory-rank.svg',
      data: ['measures'],
      title: 'More classes: rank and objective against depth',
      caption:
        'Left, singular values from 0.01 σ₁ on, mean over blocks, a dot a start and a line through means; broken lines stand at C − 1. Right, the objective over that of the aligned ' +
        'solution, in which all C − 1 directions are used alike. Below 1 that solution is not the optimum: deep models save penalty by using fewer directions, as has been shown of deep ' +
        'unconstrained features models (Súkeník, Mondelli & Lampert 2024; Garrod & Keating 2025). The paper’s theorem is about two classes.',
    },
    [
      [
        panel(
          'rank',
          'Numerical rank',
          'broken lines: C − 1',
          {
            ...axis('σₖ ≥ 0.01 σ₁'),
            domain: [0, most + 0.5],
            ticks: rankTicks,
            tickFormat: String,
          },
          Plot.ruleY(classes, {
            ...{ y: (c: number) => c - 1, stroke: colour, strokeDasharray: '4 3', strokeOpacity: 0.6 },
          }),
        ),
        panel(
          'ratio',
          'Objective over that of the aligned solution',
          `from ${format(least)} to ${format(greatest)}`,
          {
            ...axis('ratio'),
            domain: [Math.min(0.9, least - 0.02), Math.max(1.02, greatest + 0.02)],
            ticks: 6,
          },
          Plot.ruleY([1], { stroke: neutral, strokeDasharray: '4 3' }),
        ),
      ],
    ],
    { items: classes.map((c) => [`${c} classes`, colour(c), 'dot']) },
  );
}
