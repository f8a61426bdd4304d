import { beforeAll, describe, expect, test } from 'vitest';
import type { Evidence } from '../../src/analysis/evidence.ts';
import type { Analysis, EpochMetrics, Measures } from '../../src/analysis/results.ts';
import { judgeRun } from '../../src/analysis/run-claims.ts';
import { chooseSamples } from '../../src/analysis/samples.ts';
import { analyzeRun } from '../../src/experiments/analyst.ts';
import { DeviceTask, taskOf } from '../../src/experiments/task.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { csv } from '../../src/report/csv.ts';
import type { ReportData } from '../../src/report/data.ts';
import { runTables } from '../../src/report/tables.ts';
import { verdictTable } from '../../src/report/verdicts.ts';
import { type HostState, initialState } from '../../src/train/state.ts';
import { withGpu } from '../gpu/harness.ts';
import { average, type Images, measuresOf, type ReferenceAnalysis, spreadOf } from './reference/analysis.ts';
import type { Shape } from './reference/network.ts';
import { randomNumbers } from './support.ts';

/*
 * Every number that a run reports, from its weights, in float64. No sizes coincide: three triples, five
 * classes of unequal size, six blocks, one of them dead, four samples, and a control of five blocks.
 */
const TRIPLES = 3;
const SAMPLES = 4;
const SIDE = 5;
const SEED = 7;
/** Images of each class. */
const SIZES = { train: [40, 13, 21, 8, 30], test: [9, 17, 5, 12, 20] };

const RUN: Shape = { inputs: SIDE ** 2, depth: 6, width: 24, classes: 5, activation: 'relu', skip: true };
const CONTROL: Shape = { ...RUN, depth: 5, skip: false };
const DEAD = 'blocks.2.';

/** Blurred random patterns, one of each class. */
function images(sizes: readonly number[], seed: number) {
  const next = randomNumbers(seed);
  const labels = Uint8Array.from(sizes.flatMap((size, c) => new Array<number>(size).fill(c)));
  // In no order of classes.
  for (let i = labels.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [labels[i], labels[j]] = [labels[j]!, labels[i]!];
  }
  const patterns = randomNumbers(3);
  const centres = sizes.map(() => Array.from({ length: SIDE ** 2 }, () => 60 + 120 * patterns()));
  const pixels = [...labels].flatMap((c) => centres[c]!.map((v) => Math.round(v + 70 * (next() - 0.5))));
  const count = labels.length;
  const size = { height: SIDE, width: SIDE, channels: 1, classes: sizes.length };
  return { name: 'patterns', images: Uint8Array.from(pixels), labels, count, ...size };
}

const task = taskOf(
  { train: images(SIZES.train, 1), test: images(SIZES.test, 2) },
  { classes: 5, images: 1000 },
);

function normalized({ images, labels }: typeof task.train): Images {
  const values = [...task.train.images].map((v) => v / 255);
  const mean = average(values);
  const std = Math.sqrt(average(values.map((v) => (v - mean) ** 2)));
  return { x: Float64Array.from(images, (v) => (v / 255 - mean) / std), labels: [...labels] };
}

/** Weights whose Jacobians have singular values well apart, with BatchNorms that do something. */
function stateOf(shape: Shape, seed: number): HostState {
  const state = initialState(new FcResNet(shape), seed);
  const next = randomNumbers(seed);
  for (const [name, values] of [...state.parameters, ...state.statistics]) {
    if (/bn|bias$/.test(name)) values.set(values.map((v) => v + 0.1 + 0.5 * next()));
    if (name.startsWith(DEAD) && shape.skip) values.fill(0);
  }
  for (const [name, values] of state.statistics)
    if (name.endsWith('_var')) values.set(values.map((v) => v + 0.3));
  for (let i = 0; i < shape.depth; i++) {
    const weight = state.parameters.get(`blocks.${i}.linear2.weight`)!;
    weight.set(weight.map((w, k) => w * 3 * (shape.skip ? 0.75 : 0.95) ** Math.floor(k / shape.width)));
  }
  return { ...state, step: 30 + seed };
}

const METRICS = (network: number): EpochMetrics[] =>
  [1, 2].map((epoch) => ({
    ...{ epoch, step: 10 * epoch, lr: 0.1 / epoch, loss: network + epoch / 8, trainAccuracy: epoch / 5 },
    ...{ testAccuracy: epoch === 1 ? null : 0.25 * network, seconds: 3 * epoch + network },
  }));

interface Network {
  readonly shape: Shape;
  readonly found: Analysis;
  readonly initialization: ReferenceAnalysis;
  readonly trained: ReferenceAnalysis;
}

async function bothOf(gpu: Gpu, shape: Shape, seed: number): Promise<Network> {
  using data = new DeviceTask(gpu, task);
  const state = stateOf(shape, seed);
  const request = { trainingSeed: SEED, seed: SEED, samples: SAMPLES, triples: TRIPLES, compress: true };
  const found = await analyzeRun(data, { kind: 'fc', ...shape }, () => state, request);
  const reference = ({ parameters, statistics, step }: HostState, at: Measures, brief: boolean) => {
    const tensors = new Map([...parameters, ...statistics].map(([name, v]) => [name, Float64Array.from(v)]));
    const samples = at.samples.map(({ index }) => index);
    const { spectrum } = found.settings;
    const [train, test] = [normalized(task.train), normalized(task.test)];
    const linearized = chooseSamples(train.labels, 5 * shape.classes, 1);
    const given = { shape, tensors, step, train, test, samples, linearized, triples: TRIPLES, spectrum };
    return measuresOf(given, { brief });
  };
  return {
    ...{ shape, found },
    initialization: reference(initialState(new FcResNet(shape), SEED), found.initialization, true),
    trained: reference(state, found.trained, false),
  };
}

let run: Network;
let control: Network;
let claims: Evidence[];
let report: ReportData;
beforeAll(() =>
  withGpu(async (gpu) => {
    run = await bothOf(gpu, RUN, 1);
    control = await bothOf(gpu, CONTROL, 2);
    claims = judgeRun(run.found, control.found, { trainedAt: undefined, randomLabels: false });
    const data = (label: string, { found }: Network, network: number) => ({
      ...{ label, analysis: found, metrics: METRICS(network) },
    });
    report = {
      ...{ title: 'patterns', experiment: 'patterns', network: { config: {} }, claims },
      ...{ run: data('Residual network', run, 1), control: data('No-skip control', control, 2) },
      ...{ settings: [], provenance: [], deviations: [] },
    };
  }),
);

/** Where two structures differ: numbers by over 2e-3 of the larger of 1 and the value, all else at all. */
function differences(found: unknown, wanted: unknown, path = ''): string[] {
  if (typeof wanted === 'number' && typeof found === 'number') {
    return Math.abs(found - wanted) <= 2e-3 * Math.max(1, Math.abs(wanted))
      ? []
      : [`${path}: ${found}, expected ${wanted}`];
  }
  if (typeof wanted !== 'object' || typeof found !== 'object' || wanted === null || found === null) {
    return Object.is(found, wanted) ? [] : [`${path}: ${found}, expected ${wanted}`];
  }
  const keys = new Set([...Object.keys(found), ...Object.keys(wanted)]);
  return [...keys].flatMap((key) =>
    differences(found[key as keyof object], wanted[key as keyof object], `${path}.${key}`),
  );
}

describe('analysis.json', () => {
  test.each(['run', 'control'] as const)('of the %s is what follows from the weights', (name) => {
    const { found, initialization, trained, shape } = name === 'run' ? run : control;
    expect(differences(found.trained, trained)).toEqual([]);
    expect(differences(found.initialization, initialization)).toEqual([]);
    expect(found.network).toMatchObject({ depth: shape.depth, width: 24, classes: 5, skip: shape.skip });
    expect(found.trained.deadBlocks).toEqual(shape.skip ? [3] : []);
  });

  test('samples come from all classes, none twice', () => {
    const samples = run.found.trained.samples;
    expect(new Set(samples.map(({ index }) => index)).size).toBe(SAMPLES);
    expect(samples.map(({ label }) => label)).toEqual([0, 1, 2, 3]);
  });
});

/** Each claim's scalar of one network at one step, from its float64 measures. */
const SCALARS: Record<string, (m: ReferenceAnalysis) => { value: number | null; spread: number | null }> = {
  'test-accuracy': (m) => ({ value: m.testAccuracy, spread: null }),
  line: ({ summary }) => ofSpread(summary.line),
  'step-cosine': ({ summary }) => ofSpread(summary.stepCosine),
  'step-cv': ({ summary }) => ofSpread(summary.stepCv),
  'diagonal-share': ({ summary }) => ofSpread(summary.diagonalShare),
  'left-right': ({ summary }) => ofSpread(extreme(summary.leftRight.slice(3), Math.min)),
  'top-energy': ({ summary }) => ofSpread(extreme(summary.topEnergy, Math.min)),
  monotone: ({ summary }) => {
    const firsts = summary.sigma1.map(({ mean }) => mean!);
    const rise = Math.max(...firsts.slice(1).map((s, i) => s / firsts[i]!));
    return { value: Number.isFinite(rise) ? rise : null, spread: null };
  },
  'inverse-depth': ({ summary }) => ({
    value: summary.perStage[0]!.inverseDepthFit?.r2 ?? null,
    spread: null,
  }),
};

type Spread = ReturnType<typeof spreadOf>;
const ofSpread = ({ mean, std }: Spread) => ({ value: mean, spread: std });
const extreme = (blocks: readonly Spread[], which: (...values: number[]) => number) => {
  const known = blocks.filter(({ mean }) => mean !== null);
  return known.find(({ mean }) => mean === which(...known.map((b) => b.mean!)))!;
};

/** The claims of fully connected networks, with their thresholds for three triples. */
const CLAIMS = [
  ['training', 'test-accuracy', 'atLeast', 0.98],
  ['training', 'control-accuracy', 'atLeast', 0.97],
  ['RA1', 'line', 'atLeast', 0.99],
  ['RA1', 'step-cosine', 'atLeast', 0.97],
  ['RA1', 'step-cv', 'atMost', 0.2],
  ['RA2', 'diagonal-share', 'atLeast', 0.65],
  ['RA2', 'left-right', 'atLeast', 0.7],
  ['RA3', 'top-energy', 'atLeast', 0.99],
  ['RA4', 'monotone', 'atMost', 1],
  ['RA4', 'inverse-depth', 'atLeast', 0.95],
  ['no-skip', 'control-line', 'atMost', 0.6],
  ['no-skip', 'control-diagonal-share', 'atMost', 1 / 3 + 0.1],
] as const;

/** Claims whose numbers come with an error bound: 0 in float64. */
const CERTIFIED = /diagonal-share|left-right|top-energy|monotone/;

/** A claim's verdict; open if its network fell short of a linear classifier. All have enough blocks. */
function verdictOf(
  value: number | null,
  comparison: 'atLeast' | 'atMost',
  threshold: number,
  accuracy: number,
  property: string,
) {
  const open = (reason: string) => ({ verdict: 'not measurable', reason, holding: 0 });
  if (property !== 'training' && accuracy < 0.92) {
    const who = property === 'no-skip' ? 'control' : 'network';
    return open(
      `the ${who} has not learned its task: test accuracy ${+accuracy.toFixed(4)}, expected ≥ 0.92`,
    );
  }
  if (value === null) return open('the measure is undefined there');
  const holds = comparison === 'atLeast' ? value >= threshold : value <= threshold;
  return { verdict: holds ? 'holds' : 'does not hold', holding: Number(holds) };
}

function expectedClaims() {
  return CLAIMS.map(([property, id, comparison, threshold]) => {
    const judged = id.startsWith('control-') ? control : run;
    const of = SCALARS[id.replace('control-accuracy', 'test-accuracy').replace('control-', '')]!;
    const { value, spread } = of(judged.trained);
    return {
      ...{ property, id, threshold: { [comparison]: threshold }, value, values: [value], spread },
      atInitialization: of(judged.initialization).value,
      control: of(control.trained).value,
      ...verdictOf(value, comparison, threshold, judged.trained.testAccuracy, property),
      ...(CERTIFIED.test(id) && { uncertainty: 0 }),
    };
  });
}

test('claims are judged by those numbers', () => {
  const found = claims.map(({ title: _, measure: __, ...claim }) => claim);
  expect(differences(found, expectedClaims())).toEqual([]);
});

/** A table's cells in the order of its rows: numbers and booleans as such, null for an empty cell. */
function parseCsv(text: string): Row[] {
  const rows = text
    .trimEnd()
    .split('\n')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
        quoted === undefined ? plain! : quoted.replaceAll('""', '"'),
      ),
    );
  const value = (cell: string) => {
    if (cell === '' || cell === 'true' || cell === 'false') return cell === '' ? null : cell === 'true';
    return Number.isNaN(Number(cell)) ? cell : Number(cell);
  };
  return rows
    .slice(1)
    .map((cells) => Object.fromEntries(rows[0]!.map((name, i) => [name, value(cells[i]!)])));
}

/** Rows of numbers for each network at each step. */
const SHOWN = [
  ['run', 'trained'],
  ['run', 'initialization'],
  ['control', 'trained'],
] as const;

type Row = Record<string, unknown>;

function expectedRows(of: (m: ReferenceAnalysis, shape: Shape) => Row[]): Row[] {
  return SHOWN.flatMap(([network, at]) => {
    const { shape, ...measured } = network === 'run' ? run : control;
    return of(measured[at], shape).map((row) => ({ network, at, ...row }));
  });
}

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);
const meanStd = ({ mean, std }: Spread) => ({ mean, std });

/** What each file of `data/` holds. */
const TABLES: Record<string, () => Row[]> = {
  claims: () =>
    expectedClaims().map(({ threshold, values, ...claim }) => ({
      ...{ uncertainty: null, reason: null, ...claim, atLeast: null, atMost: null, ...threshold },
      ...{ interval: null, intervalHigh: null, seeds: values.length },
    })),
  training: () => [
    ...METRICS(1).map((line) => ({ network: 'run', ...line })),
    ...METRICS(2).map((line) => ({ network: 'control', ...line })),
  ],
  measures: () =>
    expectedRows((m) => {
      const { summary: s, collapse: c } = m;
      const last = (blocks: readonly Spread[]) => ofSpread(blocks.at(-1)!);
      const most = (blocks: readonly Spread[]) => ofSpread(extreme(blocks, Math.max));
      const plain = (value: number | null) => ({ value, spread: null });
      const values: Record<string, { value: number | null; spread: number | null }> = {
        testAccuracy: plain(m.testAccuracy),
        trainAccuracy: plain(m.trainAccuracy),
        line: ofSpread(s.line),
        straightness: ofSpread(s.straightness),
        lineShape: ofSpread(s.lineShape),
        stepCv: ofSpread(s.stepCv),
        stepCosine: ofSpread(s.stepCosine),
        growthCv: ofSpread(s.growthCv),
        diagonalShare: ofSpread(s.diagonalShare),
        coupling: ofSpread(s.coupling),
        couplingAbsolute: ofSpread(s.couplingAbsolute),
        ...{ selfCoupling: plain(null), selfCouplingAbsolute: plain(null) },
        ...{ contextCoupling: plain(null), contextCouplingAbsolute: plain(null) },
        leftRight: SCALARS['left-right']!(m),
        leftRightLast: last(s.leftRight),
        alignedDimension: ofSpread(s.alignedDimension),
        classifierShare: last(s.classifierShare),
        topEnergy: SCALARS['top-energy']!(m),
        numericalRank: most(s.numericalRank),
        stableRank: most(s.stableRank),
        effectiveRank: most(s.effectiveRank),
        sigma1First: ofSpread(s.sigma1[0]!),
        sigma1Last: last(s.sigma1),
        sigma1Fall: SCALARS.monotone!(m),
        inverseDepthR2: SCALARS['inverse-depth']!(m),
        deadBlocks: plain(m.deadBlocks.length),
        branchRatioMax: most(s.branchRatio),
        blockInfluence: plain(average(s.blockInfluence.map(({ mean }) => mean!))),
        blockInfluenceSum: plain(s.blockInfluence.reduce((sum, { mean }) => sum + mean!, 0)),
        linearity: plain(spreadOf(m.linearity).mean),
        linearityOfStep: plain(spreadOf(m.linearityOfStep).mean),
        halfAccuracyLost: plain(
          m.earlyAccuracy.at(-1)! - m.earlyAccuracy[Math.ceil(m.summary.sigma1.length / 2)]!,
        ),
        ...Object.fromEntries(
          (['all', 'pairs'] as const).flatMap((which) =>
            (['dropped', 'iterated', 'linear', 'distilled'] as const).map((way) => {
              const parts = m.compression?.filter(({ from, to }) =>
                which === 'all' ? to - from > 2 && from === 1 : to - from < 2,
              );
              const name = `${which === 'all' ? 'kept' : 'pairs'}${way[0]!.toUpperCase()}${way.slice(1)}`;
              return [name, plain(spreadOf((parts ?? []).map((part) => part[way])).mean)];
            }),
          ),
        ),
        ...{ lensError: plain(null), lensAgreement: plain(null), directAgreement: plain(null) },
        nc1: plain(c.nc1),
        nc2Norms: plain(c.nc2Norms),
        nc2Angles: plain(c.nc2Angles),
        nc3: plain(c.nc3),
        nc4: plain(c.nc4),
      };
      return Object.entries(values).map(([measure, { value, spread }]) => ({ measure, value, std: spread }));
    }),
  stages: () =>
    expectedRows(({ summary: { perStage }, frobenius }) =>
      perStage.map(({ inverseDepthFit: fit, ...spreads }, stage) => ({
        stage: stage + 1,
        ...Object.fromEntries(
          Object.entries(spreads).flatMap(([name, { mean, std }]) => [
            [name, mean],
            [`${name}Std`, std],
          ]),
        ),
        ...{ fitA: fit?.a ?? null, fitB: fit?.b ?? null, fitR2: fit?.r2 ?? null },
        ...frobenius[stage],
      })),
    ),
  blocks: () =>
    expectedRows(({ summary: s, samples, blockLoss, linearity, linearityOfStep }, { depth }) =>
      numbers(depth).flatMap((i) => {
        const spreads = {
          step: spreadOf(samples.map((sample) => sample.stepNorms[i]!)),
          ...{ leftRight: s.leftRight[i]!, leftRightError: s.leftRightError[i]! },
          ...{ classifierShare: s.classifierShare[i]!, sigma1: s.sigma1[i]! },
          ...{ residual: s.residual[i]!, gap: s.gap[i]!, topEnergy: s.topEnergy[i]! },
          ...{ numericalRank: s.numericalRank[i]!, stableRank: s.stableRank[i]! },
          effectiveRank: s.effectiveRank[i]!,
          branchRatio: s.branchRatio[i]!,
        };
        const block = { block: i + 1, name: `blocks.${i}`, stage: 1 };
        const undefinedSpread = { std: null, min: null, max: null };
        return [
          ...Object.entries(spreads).map(([measure, spread]) => ({ ...block, measure, ...spread })),
          ...(blockLoss ? [{ ...block, measure: 'blockLoss', mean: blockLoss[i], ...undefinedSpread }] : []),
          { ...block, measure: 'blockInfluence', ...s.blockInfluence[i] },
          { ...block, measure: 'linearity', mean: linearity[i], ...undefinedSpread },
          { ...block, measure: 'linearityOfStep', mean: linearityOfStep[i], ...undefinedSpread },
        ];
      }),
    ),
  samples: () =>
    expectedRows(({ samples }) =>
      samples.map(
        ({ index, label, predicted, line, straightness, lineShape, stepCv, stepCosine, growthCv }) => ({
          ...{ sample: index, label, predicted, line, straightness, lineShape, stepCv, stepCosine, growthCv },
        }),
      ),
    ),
  pairs: () =>
    expectedRows(({ samples, deadBlocks }, { depth }) =>
      numbers(depth).flatMap((i) =>
        numbers(depth).flatMap((j) => {
          if (deadBlocks.includes(i + 1) || deadBlocks.includes(j + 1)) return [];
          const names = ['diagonalShare', 'coupling', 'couplingAbsolute'] as const;
          const [share, coupling, absolute] = names.map((name) =>
            meanStd(spreadOf(samples.map((sample) => sample[name][i]![j]!))),
          );
          return [
            {
              ...{ jacobian: i + 1, basis: j + 1 },
              ...{ diagonalShare: share!.mean, diagonalShareStd: share!.std },
              ...{ diagonalShareError: 0, coupling: coupling!.mean, couplingStd: coupling!.std },
              ...{ couplingAbsolute: absolute!.mean, couplingAbsoluteStd: absolute!.std },
            },
          ];
        }),
      ),
    ),
  trajectories: () =>
    expectedRows(({ samples }) =>
      samples.flatMap(({ index, label, trajectory, commonTrajectory }) =>
        commonTrajectory.map(([x, y], point) => ({
          ...{ sample: index, label, point: point + 1, x, y },
          ...{ ownX: trajectory[point]![0], ownY: trajectory[point]![1] },
        })),
      ),
    ),
  alignment: () =>
    expectedRows(({ alignment }) =>
      alignment.flatMap((line, i) =>
        line.flatMap((grid, j) =>
          (grid ?? []).flatMap((values, k) =>
            values.map((value, l) => ({ jacobian: i + 1, basis: j + 1, row: k + 1, column: l + 1, value })),
          ),
        ),
      ),
    ),
  'left-right': () =>
    expectedRows(({ samples }, { depth }) =>
      numbers(depth).flatMap((i) =>
        numbers(TRIPLES).map((k) => {
          const { mean, std } = spreadOf(samples.map(({ leftRight }) => leftRight[i]![k]!));
          return { block: i + 1, k: k + 1, cosine: mean, std };
        }),
      ),
    ),
  spectra: () =>
    expectedRows(({ samples }, { depth }) =>
      numbers(depth).flatMap((i) =>
        samples[0]!.sigma[i]![0] === 0
          ? []
          : samples[0]!.sigma[i]!.map((_, k) => ({
              ...{ block: i + 1, k: k + 1 },
              relative: average(samples.map(({ sigma }) => sigma[i]![k]! / sigma[i]![0]!)),
              sigma: average(samples.map(({ sigma }) => sigma[i]![k]!)),
              residual: 0,
              gap: spreadOf(samples.map(({ gap }) => gap[i]![k] ?? null)).min,
            })),
      ),
    ),
  compression: () => expectedRows((m) => m.compression ?? []),
  paths: () =>
    expectedRows(({ summary }) =>
      (summary.pathShares ?? []).map(({ mean, std }, length) => ({ length, share: mean, std })),
    ),
};

test('every table of the report is expected, and no other', () => {
  expect(runTables(report).map(({ name }) => name)).toEqual(Object.keys(TABLES));
});

/** Columns of words. */
const WORDS = ['title', 'measure', 'what'];

test.each(Object.keys(TABLES))('data/%s.csv holds those numbers', (name) => {
  const rows = parseCsv(csv(runTables(report).find((table) => table.name === name)!.rows));
  const wanted = TABLES[name]!();
  const found = rows.map((row, i) =>
    Object.fromEntries(
      Object.entries(row).filter(([column]) => !WORDS.includes(column) || column in wanted[i]!),
    ),
  );
  expect(differences(found, wanted)).toEqual([]);
});

test('every cell of the verdict table says those numbers', () => {
  const { columns, groups } = verdictTable(report.claims, 'No-skip control');
  const labels = ['Claim', 'Measured', 'Threshold', 'At initialization', 'No-skip control', 'Verdict'];
  expect(columns.map(({ label }) => label)).toEqual(labels);
  const found = groups.flatMap(({ rows }) => rows);
  const wanted = expectedClaims();
  expect(found).toHaveLength(wanted.length);
  const number = (text: string) => Number(text.replaceAll('−', '-'));
  /** Printed with three decimals at least, or three digits. */
  const says = (text: string, value: number | null, what: string) => {
    if (value === null) return expect(text, what).toBe('—');
    expect(Math.abs(number(text) - value), what).toBeLessThan(3e-3 * Math.max(1, Math.abs(value)));
  };
  wanted.forEach(({ id, value, spread, threshold, atInitialization, control, verdict: judged }, i) => {
    const [[comparison, needed]] = Object.entries(threshold) as [[string, number]];
    const [claim, measured, bound, initial, other, verdict] = found[i]!;
    expect(claim!.small, id).toContain(id.startsWith('control-') ? ', control' : '');
    says(measured!.text as string, value, `${id}, measured`);
    if (spread === null) expect(measured!.after, id).toBe('');
    else says(measured!.after!.replace(' ± ', ''), spread, `${id}, spread`);
    expect((bound!.text as string)[0], id).toBe(comparison === 'atLeast' ? '≥' : '≤');
    says((bound!.text as string).slice(2), needed, `${id}, threshold`);
    says(initial!.text as string, atInitialization, `${id}, at initialization`);
    says(other!.text as string, control, `${id}, control`);
    expect(verdict!.verdict, id).toBe(judged);
  });
});
