import { type Evidence, type Threshold, verdictOn } from '../../src/analysis/evidence.ts';
import type { Collapse } from '../../src/analysis/measures/collapse.ts';
import type { Analysis, EpochMetrics, Measures, SampleMeasures } from '../../src/analysis/results.ts';
import { spreadOf } from '../../src/analysis/statistics.ts';
import { range } from '../../src/lists.ts';
import type { ReportData, RunData } from '../../src/report/data.ts';

/** Options of a made-up report. Numbers are plausible, and the same for the same seed. */
export interface FixtureOptions {
  /** Blocks in all. */
  depth?: number;
  /** Blocks of each stage, `depth` in all; several make it a ResNet-34, which has convolutions. */
  stages?: number[];
  classes?: number;
  samples?: number;
  epochs?: number;
  control?: boolean;
  /** Dead blocks of the trained network, 1-based. */
  dead?: number[];
  seed?: number;
  /** Whether weights were kept on the way. */
  course?: boolean;
}

type Kind = 'trained' | 'initialization' | 'control';
type Options = Required<FixtureOptions>;

export function fixture(options: FixtureOptions = {}): ReportData {
  const { stages = [options.depth ?? 8] } = options;
  const o: Options = {
    stages,
    depth: stages.reduce((a, b) => a + b),
    classes: 10,
    samples: 16,
    epochs: 10,
    control: true,
    dead: [],
    seed: 1,
    course: false,
    ...options,
  };
  const run = runData('Residual network', 'trained', o);
  const control = o.control ? runData('No-skip control', 'control', o) : undefined;
  return {
    title: 'Residual Alignment in a fully connected ResNet on MNIST',
    experiment: 'mnist-fc',
    network: { config: { ...run.analysis.network, stem: 'Linear–BatchNorm–ReLU' } },
    run,
    ...(control && { control }),
    claims: claims(run.analysis, control?.analysis),
    settings: [
      ['preset', 'quick'],
      ['optimizer', 'SGD, lr 0.1 with cosine decay to 0, momentum 0'],
      ['weight decay', '5e-2 (control 5e-3)'],
      ['epochs', String(o.epochs)],
      ['batch', '128'],
    ],
    provenance: [
      ['command', `npm run reproduce -- mnist-fc --seed ${o.seed}`],
      ['adapter', 'llvmpipe (LLVM 15.0.6, 256 bits)'],
      ['commit', '0123456789abcdef0123456789abcdef01234567'],
    ],
    deviations: [
      '10 epochs instead of 500.',
      'Momentum is 0: the paper does not state it, and the stated weight decay kills blocks at momentum 0.9.',
    ],
  };
}

function runData(label: string, kind: Kind, o: Options): RunData {
  const { depth, classes, seed, epochs } = o;
  const analysis: Analysis = {
    schema: 'collimate/analysis@4',
    network: {
      ...(o.stages.length > 1 ? { kind: 'resnet34', width: 64 } : { kind: 'fc', width: 128 }),
      ...{ depth, classes, activation: 'relu', skip: kind !== 'control' },
      stages: o.stages.map((count, s) => ({
        blocks: range(count, 1).map((b) => `layer${s + 1}.${b}`),
        shape: o.stages.length > 1 ? [32 >> s, 32 >> s, 64 << s] : [128],
      })),
    },
    settings: {
      triples: classes,
      spectrum: 3 * classes,
      convention: 'branch',
      sketchColumns: 6 * classes + 10,
      powerIterations: 4,
      filters: o.stages.length > 1 ? 2 : 0,
      seed,
    },
    initialization: measures('initialization', { ...o, dead: [] }, generator(seed + 7)),
    trained: measures(kind, o, generator(seed + (kind === 'control' ? 13 : 0))),
  };
  const metrics: EpochMetrics[] = range(epochs, 1).map((epoch) => ({
    epoch,
    step: epoch * 468,
    lr: 0.05 * (1 + Math.cos((Math.PI * epoch) / epochs)),
    loss: (kind === 'control' ? 0.5 : 0.35) / epoch + 0.03,
    trainAccuracy: 1 - 0.06 / epoch,
    testAccuracy: 0.987 - 0.05 / epoch,
    seconds: 14.2 * epoch,
  }));
  const moment = ({ samples: _, alignment: __, ...summary }: Measures, epoch: number) => ({
    epoch,
    ...summary,
  });
  const { initialization, trained } = analysis;
  const course = [moment(initialization, 0), moment(trained, 1), moment(trained, epochs)];
  return { label, analysis, metrics, ...(o.course && { course }) };
}

function measures(kind: Kind, o: Options, random: () => number): Measures {
  const samples = range(o.samples).map((n) => sample(kind, n, o, random));
  const offDiagonal = (pick: (s: SampleMeasures) => (number | null)[][]) =>
    spreadOf(samples.flatMap((s) => pick(s).flatMap((row, i) => row.filter((_, j) => i !== j))));
  const perBlock = (pick: (s: SampleMeasures) => (number | null)[]) =>
    range(o.depth).map((i) => spreadOf(samples.map((s) => pick(s)[i])));
  const over = (pick: (s: SampleMeasures) => number | null) => spreadOf(samples.map(pick));
  const noise = { trained: 0.12, initialization: 0.5, control: 0.4 }[kind];
  const dead = kind === 'trained' ? o.dead : [];
  const { of } = stagesOf(o);
  const fit =
    kind === 'trained' ? { a: 1.05, b: -1.6, r2: 0.994 } : { a: 500 * level(kind), b: 500, r2: 0.021 };
  const path = {
    line: over((s) => s.line),
    straightness: over((s) => s.straightness),
    lineShape: over((s) => s.lineShape),
    stepCv: over((s) => s.stepCv),
    stepCosine: over((s) => s.stepCosine),
    diagonalShare: offDiagonal((s) => s.diagonalShare),
    coupling: offDiagonal((s) => s.coupling),
    couplingAbsolute: offDiagonal((s) => s.couplingAbsolute),
    growthCv: over((s) => s.growthCv),
  };
  return {
    step: kind === 'initialization' ? 0 : 4680,
    testAccuracy: kind === 'initialization' ? 0.083 : 0.9861,
    trainAccuracy: kind === 'initialization' ? 0.085 : 0.9934,
    samples,
    alignment: range(o.depth).map((i) =>
      range(o.depth).map((j) =>
        dead.includes(i + 1) || dead.includes(j + 1) || of(i) !== of(j)
          ? null
          : range(o.classes).map((k) =>
              range(o.classes).map((l) => {
                if (i === j) return k === l ? Math.exp(-k / 8) : 0;
                const aligned =
                  kind === 'trained' && k === l ? 0.85 * Math.exp(-k / 8 - Math.abs(i - j) / 20) : 0;
                return Math.min(1, aligned + noise * random() ** 2);
              }),
            ),
      ),
    ),
    deadBlocks: dead,
    summary: {
      ...path,
      perStage: o.stages.map((count) => ({ ...path, inverseDepthFit: count < 5 ? null : fit })),
      leftRight: perBlock((s) => s.leftRight.map((row) => spreadOf(row.slice(0, 3)).mean)),
      classifierShare: perBlock((s) => s.classifierShare),
      alignedDimension: over((s) => s.alignedDimension),
      topEnergy: perBlock((s) => s.topEnergy),
      numericalRank: perBlock((s) => s.numericalRank),
      stableRank: perBlock((s) => s.stableRank),
      sigma1: perBlock((s) => s.sigma.map((row) => row[0]!)),
      residual: perBlock((s) => s.residual.map((row) => row[0]!)),
      gap: perBlock((s) => s.gap.map((row) => row[0]!)),
      diagonalShareError: offDiagonal((s) => s.diagonalShareError),
      leftRightError: perBlock((s) => s.residual.map((row) => row[0]!)),
      effectiveRank: perBlock((s) => s.effectiveRank),
      blockInfluence: perBlock((s) => s.blockInfluence),
      branchRatio: perBlock((s) => s.branchRatio),
      pathShares: onePath(kind, o) ? range(o.depth + 1).map((l) => over((s) => s.pathShares![l]!)) : null,
    },
    collapse: collapse(kind, o),
    blockLoss:
      kind === 'control' ? null : range(o.depth).map((i) => (kind === 'trained' ? 0.3 / (i + 1) : 0.01)),
    blockLossExamples: kind === 'control' ? null : 2000,
    ...{ linearity: range(o.depth).map(() => 0.9), linearityOfStep: range(o.depth).map(() => 0.4) },
    compression: null,
    frobenius: o.stages.map((_, s) =>
      s > 0 ? { method: 'estimated', relativeError: 0.004 } : { method: 'exact', relativeError: 0 },
    ),
  };
}

/** Whether the blocks are one stage with skip connections, so that paths can be told apart by length. */
const onePath = (kind: Kind, { stages }: Options): boolean => kind !== 'control' && stages.length === 1;

function collapse(kind: Kind, { classes }: Options): Collapse {
  const [near, far] = kind === 'initialization' ? [0.5, 1] : [0.05, 0.1];
  return {
    examples: 500 * classes,
    nc1: kind === 'initialization' ? 40 : 0.1,
    ...{ nc2Norms: near, nc2Angles: near, nc3: far, nc4: near, weightNorms: near, weightAngles: near },
  };
}

/** The stage of a block, from 0. */
function stagesOf({ stages }: Options): { of: (block: number) => number } {
  const all = stages.flatMap((count, s) => new Array<number>(count).fill(s));
  return { of: (block) => all[block]! };
}

const level = (kind: Kind): number => (kind === 'control' ? 3 : 0.67);

function sample(kind: Kind, index: number, o: Options, random: () => number): SampleMeasures {
  const { depth, classes } = o;
  const trained = kind === 'trained';
  const label = index % classes;
  const blocks = range(depth);
  const dead = (i: number) => trained && o.dead.includes(i + 1);
  const defined = <T>(i: number, value: T): T | null => (dead(i) ? null : value);
  const sigma = blocks.map((i) => {
    const top = dead(i)
      ? 0
      : (trained ? (i < 2 ? 8 - 5 * i : 1.05 / (i - 0.6)) : level(kind)) * (0.9 + 0.2 * random());
    return range(3 * classes).map(
      (k) => top * Math.exp(-k * 0.04 - (trained && k >= classes ? 7 : 0)) * (k ? 0.9 + 0.1 * random() : 1),
    );
  });
  const frobenius2 = sigma.map((row) => row.reduce((sum, s) => sum + s * s, 0));
  const steps = blocks.map(() => (trained ? 3 + 0.4 * random() : 1.2 + random()));
  const angle = (2 * Math.PI * (label + 0.2 * random())) / classes;
  const at: [number, number] = [random() - 0.5, random() - 0.5];
  const { of } = stagesOf(o);
  const path = [at.slice() as [number, number]];
  for (const [i, step] of steps.entries()) {
    if (i > 0 && of(i) !== of(i - 1)) path.push([...at]);
    const a = trained ? angle + 0.1 * random() : 2 * Math.PI * random();
    at[0] += step * Math.cos(a);
    at[1] += step * Math.sin(a);
    path.push([...at]);
  }
  const share = trained ? 0.75 : 0.1;
  const matrix = (diagonal: number, other: number) =>
    blocks.map((i) =>
      blocks.map((j) =>
        dead(i) || dead(j) || of(i) !== of(j) ? null : i === j ? diagonal : other + 0.1 * random(),
      ),
    );
  const line = {
    line: trained ? 0.998 + 0.002 * random() : 0.5 + 0.1 * random(),
    straightness: trained ? 0.99 : 0.3,
    lineShape: trained ? 1.01 : 3.1,
    stepCv: spreadOf(steps).std! / spreadOf(steps).mean!,
    stepCosine: depth < 2 ? null : trained ? 0.99 : -0.04,
    growthCv: 0.3,
  };
  return {
    index: index * 37,
    label,
    predicted: label,
    ...line,
    perStage: o.stages.map(() => line),
    stepNorms: steps,
    trajectory: path,
    commonTrajectory: path,
    sigma,
    residual: blocks.map((i) => range(3 * classes).map(() => defined(i, 1e-6))),
    gap: blocks.map((i) => range(classes).map(() => defined(i, 0.02))),
    effectiveRank: blocks.map((i) => defined(i, classes - 0.5)),
    blockInfluence: blocks.map(() => 0.2),
    frobenius2,
    topEnergy: blocks.map((i) => defined(i, trained ? 0.999 : 0.45)),
    numericalRank: blocks.map((i) => (dead(i) ? 0 : trained ? classes : 3 * classes)),
    stableRank: blocks.map((i) => defined(i, frobenius2[i]! / sigma[i]![0]! ** 2)),
    leftRight: blocks.map((i) =>
      range(classes).map((k) =>
        defined(i, trained ? Math.min(1, (0.3 + 0.1 * i) * (1 - k / (3 * classes))) : 0.4 * (random() - 0.5)),
      ),
    ),
    diagonalShare: matrix(1, share),
    diagonalShareError: blocks.map((i) => blocks.map((j) => (of(i) === of(j) ? 1e-4 : null))),
    coupling: matrix(0, 1 - share),
    couplingAbsolute: matrix(0, 1 - share),
    classifierShare: blocks.map((i) =>
      of(i) < o.stages.length - 1
        ? null
        : defined(i, trained ? Math.min(0.99, 0.3 + 0.1 * i) : 0.1 + 0.05 * random()),
    ),
    alignedDimension: trained ? classes - 0.5 - random() : random(),
    branchRatio: steps.map((step, i) => step / (5 + 3 * i)),
    pathShares: onePath(kind, o) ? range(depth + 1).map((l) => (l === 0 ? 0.5 : 0.5 / depth)) : null,
  };
}

function claims({ trained, initialization }: Analysis, control?: Analysis): Evidence[] {
  const judge = (
    property: Evidence['property'],
    id: string,
    title: string,
    measure: string,
    pick: (m: Measures) => { mean: number | null; std: number | null },
    threshold: Threshold,
  ): Evidence => {
    const { mean: value, std } = pick(trained);
    return {
      ...{ property, id, title, measure, threshold, value, values: [value] },
      spread: std,
      atInitialization: pick(initialization).mean,
      control: control ? pick(control.trained).mean : null,
      ...{ holding: 1, verdict: verdictOn(value, threshold) },
    };
  };
  const least = (m: Measures) => ({ mean: spreadOf(m.summary.topEnergy.map((s) => s.mean)).min, std: null });
  const top = (m: Measures) => spreadOf(m.summary.leftRight.slice(3).map((s) => s.mean));
  return [
    judge(
      'training',
      'test-accuracy',
      'the network learned its task',
      'test accuracy',
      (m) => ({ mean: m.testAccuracy, std: null }),
      { atLeast: 0.98 },
    ),
    judge(
      'RA1',
      'line',
      'representations lie on a line',
      'share of variance along the first principal direction',
      (m) => m.summary.line,
      { atLeast: 0.99 },
    ),
    judge(
      'RA1',
      'step-cv',
      'steps are equally long',
      'coefficient of variation of the step norms',
      (m) => m.summary.stepCv,
      { atMost: 0.2 },
    ),
    judge(
      'RA1',
      'step-cosine',
      'steps point the same way',
      'mean cosine between successive steps',
      (m) => m.summary.stepCosine,
      { atLeast: 0.97 },
    ),
    judge(
      'RA2',
      'diagonal-share',
      'singular vectors align across depth',
      'diagonal share of A over i ≠ j',
      (m) => m.summary.diagonalShare,
      { atLeast: 0.65 },
    ),
    judge(
      'RA2',
      'left-right',
      'left and right singular vectors align',
      'cosine of the top three, from the fourth block on',
      top,
      { atLeast: 0.8 },
    ),
    judge(
      'RA3',
      'top-energy',
      'rank is at most C',
      'energy in the top C singular values, least over blocks',
      least,
      { atLeast: 0.99 },
    ),
    judge(
      'RA4',
      'inverse-depth',
      'σ₁ falls as 1/(i + b)',
      'R² of the fit from block 3 on',
      (m) => ({ mean: m.summary.perStage[0]!.inverseDepthFit?.r2 ?? null, std: null }),
      { atLeast: 0.95 },
    ),
  ];
}

/** mulberry32: small, seeded, and good enough for made-up numbers. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
