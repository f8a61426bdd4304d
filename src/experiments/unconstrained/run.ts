import * as v from 'valibot';
import { depthSlopes, judgeTheory } from '../../analysis/unconstrained/claims.ts';
import { alignmentGrid, measureStart, type TripleSizes } from '../../analysis/unconstrained/measures.ts';
import {
  type CourseMoment,
  depthSlope,
  type TheoryCase,
  theoryCase,
  theoryClaim,
} from '../../analysis/unconstrained/results.ts';
import { CollimateError } from '../../errors.ts';
import type { Gpu } from '../../gpu/device.ts';
import { alignedOptimum } from '../../models/unconstrained-jacobians.ts';
import { origin } from '../run-config.ts';
import type { RunFolder } from '../run-folder.ts';
import { UnconstrainedOptimizer } from './optimize.ts';
import { type TheorySettings, theorySettings } from './settings.ts';

export const THEORY = 'theory.json';

const theory = v.object({
  schema: v.literal('collimate/theory@1'),
  preset: v.string(),
  settings: theorySettings,
  /** Each number of classes at each depth. */
  cases: v.array(theoryCase),
  /** Two classes at one depth without skip connections; null where two classes were not asked for. */
  control: v.nullable(theoryCase),
  slopes: v.array(depthSlope),
  claims: v.array(theoryClaim),
});
/** The shape of `theory.json`. */
export type Theory = v.InferOutput<typeof theory>;

const remedy = 'Remove the file: `npm run reproduce -- unconstrained-jacobians` makes it again.';
export const THEORY_FILE = { format: 'collimate/theory@1', schema: theory, remedy } as const;
/** The `config.json` beside it. */
export const THEORY_CONFIG = {
  format: 'collimate/theory-config@1',
  schema: v.object({
    schema: v.literal('collimate/theory-config@1'),
    preset: v.string(),
    settings: theorySettings,
    ...origin,
  }),
  remedy: 'Remove the folder, or restore the file from a copy.',
} as const;
const CASE_FILE = { schema: theoryCase, remedy } as const;

/** One set of starts that run side by side. */
export interface PlannedCase {
  readonly classes: number;
  readonly depth: number;
  readonly skip: boolean;
  /** Whether it is followed on its way. */
  readonly followed: boolean;
}

export function planTheory({ classes, depths }: TheorySettings): PlannedCase[] {
  const followed = followedDepth(depths);
  return [
    ...classes.flatMap((c) =>
      depths.map((depth) => ({ classes: c, depth, skip: true, followed: depth === followed })),
    ),
    ...(classes.includes(2) ? [{ classes: 2, depth: followed, skip: false, followed: true }] : []),
  ];
}

/** Without skip connections, the optimum of much deeper models than that is zero. */
const FOLLOWED = 8;
const followedDepth = (depths: readonly number[]): number =>
  depths.reduce((a, b) => (Math.abs(b - FOLLOWED) < Math.abs(a - FOLLOWED) ? b : a));

export const caseInWords = ({ classes, depth, skip }: PlannedCase): string =>
  `${classes} classes, ${depth} ${depth === 1 ? 'block' : 'blocks'}${skip ? '' : ', no skip connections'}`;

/**
 * Optimizes and measures all cases and judges the theory's conclusions. Each case is written when it is done, and what the folder
 * holds is not done again.
 */
export async function runCases(
  gpu: Gpu,
  folder: RunFolder,
  preset: string,
  settings: TheorySettings,
  onCase: (planned: PlannedCase, index: number, count: number) => void,
): Promise<Theory> {
  const plan = planTheory(settings);
  const done: TheoryCase[] = [];
  for (const [index, planned] of plan.entries()) {
    const file = `cases/C${planned.classes}-L${planned.depth}${planned.skip ? '' : '-plain'}.json`;
    if (!folder.has(file)) {
      onCase(planned, index, plan.length);
      folder.writeJson(file, await runCase(gpu, planned, settings));
    }
    done.push(folder.read(file, CASE_FILE));
  }
  const cases = done.filter(({ skip }) => skip);
  const control = done.find(({ skip }) => !skip) ?? null;
  const theory: Theory = {
    schema: 'collimate/theory@1',
    ...{ preset, settings, cases, control },
    slopes: depthSlopes(cases),
    claims: judgeTheory({ cases, control }),
  };
  folder.writeJson(THEORY, theory);
  return theory;
}

/** Moments at which a case is looked at on its way, closer together at first. */
const MOMENTS = 40;

/** Optimizes one case from all starts at once. */
export async function runCase(gpu: Gpu, planned: PlannedCase, settings: TheorySettings): Promise<TheoryCase> {
  const { classes, depth, skip, followed } = planned;
  const { width, starts, steps, penalty } = settings;
  const model = { classes, depth, width, penalty, skip };
  const sizes = { classes, depth, width, starts };
  using optimizer = await UnconstrainedOptimizer.create(gpu, model, settings);
  const values = async () => {
    const found = await optimizer.values();
    const start = found.objective.findIndex((x) => !Number.isFinite(x));
    if (start < 0) return found;
    throw new CollimateError(
      `start ${start + 1} of ${caseInWords(planned)} diverged: its objective is ${found.objective[start]}`,
      'Use a smaller `--lr`.',
    );
  };
  const measure = async () => {
    const { loss, objective } = await values();
    const triples = await optimizer.triples();
    const measures = objective.map((value, start) => ({
      ...{ loss: loss[start]!, objective: value },
      ...measureStart(triples, sizes, start),
    }));
    return { measures, triples };
  };
  const { measures: initial } = await measure();
  const course: CourseMoment[] = [];
  const moments = followed ? MOMENTS : 1;
  let step = 0;
  for (let m = 0; m <= moments; m++) {
    const until = Math.round(steps * (m / moments) ** 2);
    if (m > 0 && until === step) continue;
    optimizer.queue(until - step);
    step = until;
    if (!followed) continue;
    const { objective } = await values();
    course.push({ step, objective, ...meanValues(await optimizer.singularValues(), sizes) });
  }
  const { measures: final, triples } = await measure();
  return {
    ...{ classes, depth, skip },
    predicted: skip ? alignedOptimum(model) : null,
    ...{ initial, final },
    course: followed ? course : null,
    ...(followed ? alignmentGrid(triples, sizes, 0) : { alignment: null, diagonalShare: null }),
  };
}

/** Means over blocks of σ_1 and σ_C, one number a start, of values [L, S, d]. */
function meanValues(
  s: Float32Array,
  { classes, depth, starts, width }: TripleSizes,
): Pick<CourseMoment, 'sigma1' | 'sigmaC'> {
  const mean = (start: number, k: number) =>
    Array.from({ length: depth }, (_, i) => s[(i * starts + start) * width + k]!).reduce((a, b) => a + b) /
    depth;
  const each = (k: number) => Array.from({ length: starts }, (_, start) => mean(start, k));
  return { sigma1: each(0), sigmaC: each(classes - 1) };
}
