import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { judge } from '../../analysis/claim.ts';
import { alignmentMatrix, tables } from '../../analysis/measures/alignment.ts';
import { fitPowerLaw } from '../../analysis/power-law.ts';
import type { Cell } from '../../analysis/quantity.ts';
import { alignmentGrid, meanSigma, measureStart } from '../../analysis/unconstrained/measures.ts';
import { command } from '../../command.ts';
import { CollimateError } from '../../errors.ts';
import type { Gpu } from '../../gpu/device.ts';
import { range } from '../../lists.ts';
import { alignedOptimum } from '../../models/unconstrained-jacobians.ts';
import { format } from '../../number-format.ts';
import { measured } from '../../schema.ts';
import type { Level } from '../experiment.ts';
import { type Origin, origin } from '../run-config.ts';
import type { RunFolder } from '../run-folder.ts';
import { type SweepRecord, type SweepRun, sweepRun } from '../sweep-file.ts';
import { joinRuns } from '../sweep-record.ts';
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

const cellResults = v.object({
  runs: v.array(sweepRun),
  /** Rank and singular values of each block of each start, initial and trained: rows of `blocks.csv`. */
  blocks: v.array(v.record(v.string(), v.union([measured, v.string()]))),
  /** |U_jᵀ J_i V_j| / σ_{i,1} of the first start, trained, [i][j][C][C], C triples; only if followed. */
  alignment: v.nullable(v.array(v.array(v.array(v.array(measured))))),
  /** Of the same, mean over i ≠ j. */
  diagonalShare: v.nullable(v.number()),
});
/** Results of one cell's models, from all starts. */
export type TheoryCell = v.InferOutput<typeof cellResults>;
const CELL_FILE = {
  schema: cellResults,
  remedy: `Remove the file: \`${command('reproduce', 'unconstrained-jacobians')}\` makes it again.`,
} as const;

interface Model {
  readonly classes: number;
  readonly depth: number;
  readonly skip: boolean;
}

/** Each number of classes at each depth, and, as the control, two classes at one depth without skips. */
export function planTheory({ classes, depth }: TheorySettings): Model[] {
  const control = { classes: 2, depth: followed(depth), skip: false };
  return [
    ...classes.flatMap((c) => depth.map((d) => ({ classes: c, depth: d, skip: true }))),
    ...(classes.includes(2) ? [control] : []),
  ];
}

/** Depth at which models are followed in training: much deeper ones without skips have the optimum zero. */
const FOLLOWED = 8;
const followed = (depths: readonly number[]): number =>
  depths.reduce((a, b) => (Math.abs(b - FOLLOWED) < Math.abs(a - FOLLOWED) ? b : a));

const nameOf = ({ classes, skip }: Model) => `${classes} classes${skip ? '' : ', no skip connections'}`;
export const modelInWords = (model: Model): string =>
  `${nameOf(model)}, ${model.depth} ${model.depth === 1 ? 'block' : 'blocks'}`;

const placeOf = (model: Model): Cell => ({
  ...{ classes: model.classes, skip: model.skip ? 'with' : 'without', depth: model.depth },
  model: nameOf(model), // In figures, for both of the first.
});

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

/** Steps at which a followed model is measured, closer together at first. */
const LOOKS = 40;

async function makeCell(gpu: Gpu, model: Model, settings: TheorySettings): Promise<TheoryCell> {
  const { classes, depth, skip } = model;
  const { width, starts, steps, penalty } = settings;
  const sizes = { classes, depth, width, starts };
  const aligned = skip ? alignedOptimum({ classes, depth, penalty }) : null;
  using optimizer = await unconstrainedOptimizer(gpu, { ...model, width, penalty }, settings);
  const values = async () => {
    const { loss, objective } = await optimizer.values();
    const start = objective.findIndex((x) => !Number.isFinite(x));
    if (start < 0) return objective.map((value, i) => ({ objective: value, loss: loss[i]!, aligned }));
    throw new CollimateError(
      `start ${start + 1} of ${modelInWords(model)} diverged: its objective is ${objective[start]}`,
      'Use a smaller `--lr`.',
    );
  };
  const measure = async () => {
    const found = await values();
    const triples = await optimizer.triples();
    return { triples, models: found.map((own, start) => measureStart(triples, sizes, start, own)) };
  };
  const { models: initial } = await measure();
  const course: NonNullable<SweepRun['course']>[number][][] = range(starts).map(() => []);
  const isFollowed = depth === followed(settings.depth);
  const looks = isFollowed ? range(LOOKS + 1).map((k) => Math.round(steps * (k / LOOKS) ** 2)) : [steps];
  let done = 0;
  for (const step of new Set(looks)) {
    optimizer.queue(step - done);
    done = step;
    if (!isFollowed) continue;
    const found = await values();
    const s = await optimizer.singularValues();
    found.forEach(({ objective }, start) => {
      const [sigma1, sigmaC] = [0, classes - 1].map((k) => meanSigma(s, sizes, start, k)) as [number, number];
      course[start]!.push({ step, scalars: { objective, sigma1, sigmaC } });
    });
  }
  const { models: trained, triples } = await measure();
  const cell = placeOf(model);
  return {
    runs: trained.map(({ scalars }, start) => ({
      id: `${theorySweep.name}/classes=${classes},depth=${depth},skip=${skip},start=${start + 1}`,
      ...{ cell, seed: start + 1, settings: { ...settings, ...model }, status: 'done' },
      ...{ seconds: null, validationAccuracy: null, claims: [], control: null },
      ...{ trained: scalars, initialization: initial[start]!.scalars },
      course: isFollowed ? course[start]! : null,
    })),
    blocks: Object.entries({ initialization: initial, trained }).flatMap(([network, models]) =>
      models.flatMap(({ blocks }, start) =>
        blocks.map(({ rank, sigma }, block) => ({
          ...{ classes, skip: cell.skip!, depth, network, seed: start + 1, block: block + 1, rank },
          ...Object.fromEntries(sigma.map((value, k) => [`sigma${k + 1}`, value])),
        })),
      ),
    ),
    ...(isFollowed ? alignmentGrid(triples, sizes, 0) : { alignment: null, diagonalShare: null }),
  };
}

/** The cells as a sweep, whose seeds are the starts. */
export function theoryRecord(
  preset: Level,
  settings: TheorySettings,
  cells: readonly Pick<TheoryCell, 'runs'>[],
  origin: Origin,
): SweepRecord {
  const runs = cells.flatMap((cell) => cell.runs);
  const { classes: _, depth: __, ...base } = settings;
  return joinRuns(theorySweep, preset, [origin], {
    ...{ runs, base, notes: [], batched: true, remarks: lowRank(runs) },
    claims: theoryClaims(settings).map((claim) => judge(claim, runs)),
  });
}

/** From this excess of the objective on, the aligned solution is beaten, not met. */
const BEATEN = -1e-3;

/** Notes where fewer directions than C − 1 turned out better. */
function lowRank(runs: readonly SweepRun[]): string[] {
  const beaten = runs.filter(({ trained }) => (trained?.excess ?? 0) < BEATEN);
  if (beaten.length === 0) return [];
  const where = [...new Set(beaten.map(({ cell }) => cell.classes))].map((classes) => {
    const depths = beaten
      .filter(({ cell }) => cell.classes === classes)
      .map(({ cell }) => Number(cell.depth));
    return `${classes} classes from ${Math.min(...depths)} blocks on`;
  });
  return [
    `With ${where.join(' and ')}, starts end below the solution that uses all C − 1 directions alike: deep models do better with fewer.`,
  ];
}

/** What its page shows beside the record. */
export const theoryDetails = (cells: readonly TheoryCell[]) => ({
  matrixOf: ({ cell, seed }: SweepRun) => {
    const found = cells.find(({ runs }) => isDeepStrictEqual(runs[0]!.cell, cell));
    if (seed !== 1 || !found?.alignment) return null;
    const { alignment, diagonalShare } = found;
    const stages = [{ stage: 0, start: 0, end: alignment.length }];
    return {
      matrix: alignmentMatrix(`diagonal share ${format(diagonalShare)}`, alignment, stages),
      rows: tables.alignment({ measures: { alignment } }),
    };
  },
  tables: [
    { name: 'blocks', rows: cells.flatMap(({ blocks }) => blocks) },
    { name: 'slopes', rows: slopes(cells) },
  ],
});

/** Power laws of σ₁ over depth: of means over starts and blocks, and by the optimum's equation. */
function slopes(cells: readonly TheoryCell[]) {
  const mean = (network: string, { blocks }: TheoryCell) => {
    const own = blocks.filter((row) => row.network === network).map((row) => Number(row.sigma1));
    return own.reduce((a, b) => a + b) / own.length;
  };
  const of = {
    initialization: (cell: TheoryCell) => mean('initialization', cell),
    trained: (cell: TheoryCell) => mean('trained', cell),
    'aligned solution': ({ runs }: TheoryCell) => runs[0]!.trained!.alignedSigma!,
  };
  const placed = cells.map((cell) => ({ ...cell, place: cell.runs[0]!.cell }));
  const skips = placed.filter(({ place }) => place.skip === 'with');
  return [...new Set(skips.map(({ place }) => place.classes))].flatMap((classes) =>
    Object.entries(of).flatMap(([network, pick]) => {
      const own = skips.filter(({ place }) => place.classes === classes);
      const fit = fitPowerLaw(own.map((cell) => [Number(cell.place.depth), pick(cell)]));
      const [low, high] = fit?.interval ?? [];
      return fit ? [{ classes, network, slope: fit.slope, low, high, intercept: fit.intercept }] : [];
    }),
  );
}
