import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { judge } from '../../analysis/claim.ts';
import { alignmentMatrix, tables } from '../../analysis/measures/alignment.ts';
import { fitPowerLaw } from '../../analysis/power-law.ts';
import {
  alignmentGrid,
  measureStart,
  modelScalarsOf,
  type StartMeasures,
  startMeasures,
  type TripleSizes,
} from '../../analysis/unconstrained/measures.ts';
import { CollimateError } from '../../errors.ts';
import type { Gpu } from '../../gpu/device.ts';
import { alignedOptimum } from '../../models/unconstrained-jacobians.ts';
import { format, range } from '../../numbers.ts';
import { finite, measured, whole } from '../../schema.ts';
import { type Origin, origin } from '../run-config.ts';
import type { RunFolder } from '../run-folder.ts';
import type { Level } from '../sweep.ts';
import { joinRuns } from '../sweep-record.ts';
import type { Cell, SweepRecord, SweepRun } from '../sweep-results.ts';
import { theoryClaims, theorySweep } from '../sweeps/unconstrained-jacobians.ts';
import { unconstrainedOptimizer } from './optimize.ts';
import { type TheorySettings, theorySettings } from './settings.ts';

/** The `config.json` of its folder. */
export const THEORY_CONFIG = {
  format: 'collimate/theory-config@2',
  schema: v.object({
    schema: v.literal('collimate/theory-config@2'),
    preset: v.string(),
    settings: theorySettings,
    ...origin,
  }),
  remedy: 'Remove the folder, or restore the file from a copy.',
  older: 'Name another folder with `--out`, or remove that one: it takes minutes to make again.',
} as const;

const model = { classes: whole(2), depth: whole(1), skip: v.boolean() };
type Model = Readonly<{ classes: number; depth: number; skip: boolean }>;

const cellResults = v.object({
  ...model,
  /** The aligned solution that is compared with (`AlignedOptimum`); null without skip connections. */
  predicted: v.nullable(v.object({ sigma: finite, objective: finite, stationary: whole() })),
  /** Before and after the optimization; arrays over starts run over all of them in order. */
  initial: v.array(startMeasures),
  final: v.array(startMeasures),
  /** How starts went, at steps from 0 to the last; only of one depth. */
  course: v.nullable(
    v.array(
      v.object({
        step: whole(),
        objective: v.array(finite),
        /** Means over blocks of the first singular value and of the C-th, the first of those that are to vanish. */
        sigma1: v.array(measured),
        sigmaC: v.array(measured),
      }),
    ),
  ),
  /** |U_jᵀ J_i V_j| / σ_{i,1} of the first start at the end, first C triples, [i][j][C][C]; only where there is a course. */
  alignment: v.nullable(v.array(v.array(v.array(v.array(measured))))),
  /** Of the same, mean over i ≠ j. */
  diagonalShare: v.nullable(v.number()),
});
/** What was found in the models of one cell, from all starts. */
export type TheoryCell = v.InferOutput<typeof cellResults>;
const CELL_FILE = {
  schema: cellResults,
  remedy: 'Remove the file: `npm run reproduce -- unconstrained-jacobians` makes it again.',
} as const;

/** Each number of classes at each depth, and two classes at one depth without skip connections, as the control. */
export function planTheory({ classes, depth }: TheorySettings): Model[] {
  const control = { classes: 2, depth: followed(depth), skip: false };
  return [
    ...classes.flatMap((c) => depth.map((d) => ({ classes: c, depth: d, skip: true }))),
    ...(classes.includes(2) ? [control] : []),
  ];
}

/** The depth at which models are followed on their way: without skip connections, the optimum of much deeper ones is zero. */
const FOLLOWED = 8;
const followed = (depths: readonly number[]): number =>
  depths.reduce((a, b) => (Math.abs(b - FOLLOWED) < Math.abs(a - FOLLOWED) ? b : a));

const nameOf = ({ classes, skip }: Model) => `${classes} classes${skip ? '' : ', no skip connections'}`;
export const modelInWords = (model: Model): string =>
  `${nameOf(model)}, ${model.depth} ${model.depth === 1 ? 'block' : 'blocks'}`;

/** Makes the cells that a folder does not hold yet, each from all starts at once, and reads the others. */
export async function makeCells(
  gpu: Gpu,
  folder: RunFolder,
  settings: TheorySettings,
  onCell: (model: Model, index: number, count: number) => void,
): Promise<TheoryCell[]> {
  const plan = planTheory(settings);
  const cells: TheoryCell[] = [];
  for (const [index, model] of plan.entries()) {
    const file = `cells/C${model.classes}-L${model.depth}${model.skip ? '' : '-plain'}.json`;
    if (!folder.has(file)) {
      onCell(model, index, plan.length);
      folder.writeJson(file, await makeCell(gpu, model, settings));
    }
    cells.push(folder.read(file, CELL_FILE));
  }
  return cells;
}

/** Steps at which a model is looked at on its way, closer together at first. */
const LOOKS = 40;

async function makeCell(gpu: Gpu, model: Model, settings: TheorySettings): Promise<TheoryCell> {
  const { classes, depth, skip } = model;
  const { width, starts, steps, penalty } = settings;
  const sizes = { classes, depth, width, starts };
  const isFollowed = depth === followed(settings.depth);
  using optimizer = await unconstrainedOptimizer(gpu, { ...model, width, penalty }, settings);
  const values = async () => {
    const found = await optimizer.values();
    const start = found.objective.findIndex((x) => !Number.isFinite(x));
    if (start < 0) return found;
    throw new CollimateError(
      `start ${start + 1} of ${modelInWords(model)} diverged: its objective is ${found.objective[start]}`,
      'Use a smaller `--lr`.',
    );
  };
  const measure = async () => {
    const { loss, objective } = await values();
    const triples = await optimizer.triples();
    const measures = objective.map(
      (value, start): StartMeasures => ({
        ...{ loss: loss[start]!, objective: value },
        ...measureStart(triples, sizes, start),
      }),
    );
    return { measures, triples };
  };
  const { measures: initial } = await measure();
  const course: NonNullable<TheoryCell['course']> = [];
  const looks = isFollowed ? LOOKS : 1;
  let step = 0;
  for (let look = 0; look <= looks; look++) {
    const until = Math.round(steps * (look / looks) ** 2);
    if (look > 0 && until === step) continue;
    optimizer.queue(until - step);
    step = until;
    if (!isFollowed) continue;
    const { objective } = await values();
    course.push({ step, objective, ...meanValues(await optimizer.singularValues(), sizes) });
  }
  const { measures: final, triples } = await measure();
  return {
    ...{ classes, depth, skip },
    predicted: skip ? alignedOptimum({ classes, depth, penalty }) : null,
    ...{ initial, final },
    course: isFollowed ? course : null,
    ...(isFollowed ? alignmentGrid(triples, sizes, 0) : { alignment: null, diagonalShare: null }),
  };
}

/** Means over blocks of σ_1 and σ_C, one number per start, of values [L, S, d]. */
function meanValues(s: Float32Array, { classes, depth, starts, width }: TripleSizes) {
  const mean = (start: number, k: number) =>
    Array.from({ length: depth }, (_, i) => s[(i * starts + start) * width + k]!).reduce((a, b) => a + b) /
    depth;
  const each = (k: number) => Array.from({ length: starts }, (_, start) => mean(start, k));
  return { sigma1: each(0), sigmaC: each(classes - 1) };
}

/** The cells as a sweep, whose seeds are the starts. */
export function theoryRecord(
  preset: Level,
  settings: TheorySettings,
  cells: readonly TheoryCell[],
  origin: Origin,
): SweepRecord {
  const runs = cells.flatMap((cell) => runsOf(cell, settings, preset));
  const { classes: _, depth: __, ...base } = settings;
  return joinRuns(theorySweep, preset, [origin], {
    ...{ runs, base, notes: [], batched: true, remarks: lowRank(cells) },
    claims: theoryClaims(settings).map((claim) => judge(claim, runs)),
  });
}

const placeOf = (model: Model): Cell => ({
  ...{ classes: model.classes, skip: model.skip ? 'with' : 'without', depth: model.depth },
  model: nameOf(model), // In figures, for both.
});

function runsOf(cell: TheoryCell, settings: TheorySettings, preset: Level): SweepRun[] {
  const { classes, depth, skip, initial, final, course } = cell;
  return final.map((m, start) => ({
    id: `${theorySweep.name}.${preset}/classes=${classes},depth=${depth},skip=${skip},start=${start + 1}`,
    cell: placeOf(cell),
    seed: start + 1,
    settings: { ...settings, classes, depth, skip },
    ...{ status: 'done', seconds: null, validationAccuracy: null, claims: [] },
    trained: modelScalarsOf(m, cell),
    initialization: modelScalarsOf(initial[start]!, cell),
    control: null,
    course:
      course?.map(({ step, objective, sigma1, sigmaC }) => ({
        step,
        scalars: { objective: objective[start]!, sigma1: sigma1[start]!, sigmaC: sigmaC[start]! },
      })) ?? null,
  }));
}

/** Below this ratio of objectives, the aligned solution is beaten, not met. */
const BEATEN = 0.999;

/** Where fewer directions than C − 1 turned out better. */
function lowRank(cells: readonly TheoryCell[]): string[] {
  const beaten = cells.filter(({ final, predicted }) =>
    final.some(({ objective }) => predicted && objective < BEATEN * predicted.objective),
  );
  if (beaten.length === 0) return [];
  const where = [...new Set(beaten.map(({ classes }) => classes))].map((classes) => {
    const depths = beaten.filter((found) => found.classes === classes).map(({ depth }) => depth);
    return `${classes} classes from ${Math.min(...depths)} blocks on`;
  });
  return [
    `With ${where.join(' and ')}, starts end below the solution that uses all C − 1 directions alike: deep models do better with fewer.`,
  ];
}

/** What its page shows beside the record. */
export const theoryDetails = (cells: readonly TheoryCell[]) => ({
  tables: theoryTables(cells),
  matrixOf: ({ cell, seed }: SweepRun) => {
    const found = cells.find((one) => isDeepStrictEqual(placeOf(one), cell));
    if (seed !== 1 || !found?.alignment) return null;
    const { depth, alignment, diagonalShare } = found;
    return {
      matrix: alignmentMatrix(`diagonal share ${format(diagonalShare)}`, alignment),
      network: { depth, stages: [{ blocks: range(depth).map(String), shape: [] }] },
      rows: tables.alignment({ measures: { alignment } }),
    };
  },
});

/** Numbers that the record does not hold: singular values of each block, and power laws of σ_1 through the means over starts. */
function theoryTables(cells: readonly TheoryCell[]) {
  const place = ({ classes, depth, skip }: Model) => ({ classes, depth, skip });
  const skips = cells.filter(({ skip }) => skip);
  const mean = (all: readonly StartMeasures[]) => {
    const values = all.flatMap(({ sigma }) => sigma.map(([s]) => s!));
    return values.reduce((a, b) => a + b) / values.length;
  };
  const sigma = {
    initial: ({ initial }: TheoryCell) => mean(initial),
    final: ({ final }: TheoryCell) => mean(final),
    aligned: ({ predicted }: TheoryCell) => predicted!.sigma,
  };
  return [
    {
      name: 'blocks',
      rows: cells.flatMap((cell) =>
        cell.final.flatMap(({ sigma, numericalRank }, start) =>
          sigma.map((values, block) => ({
            ...{ ...place(cell), start: start + 1, block: block + 1, numericalRank: numericalRank[block] },
            ...Object.fromEntries(values.map((value, k) => [`sigma${k + 1}`, value])),
          })),
        ),
      ),
    },
    {
      name: 'slopes',
      rows: [...new Set(skips.map(({ classes }) => classes))].flatMap((classes) =>
        Object.entries(sigma).flatMap(([of, pick]) => {
          const own = skips.filter((cell) => cell.classes === classes);
          const fit = fitPowerLaw(own.map((cell) => [cell.depth, pick(cell)]));
          const [low, high] = fit?.interval ?? [];
          return fit ? [{ classes, of, slope: fit.slope, low, high, intercept: fit.intercept }] : [];
        }),
      ),
    },
  ];
}
