import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Evidence } from '../../src/analysis/evidence.ts';
import type { Analysis } from '../../src/analysis/results.ts';
import { type ScalarName, scalar, scalars } from '../../src/analysis/scalars.ts';
import { spreadOf } from '../../src/analysis/statistics.ts';
import { catalog } from '../../src/experiments/catalog.ts';
import type { Scalars, SweepRecord, SweepRun } from '../../src/experiments/sweep-file.ts';
import { fixture } from './fixture.ts';

/** What a made-up sweep is to be like. */
export interface SweepOptions {
  name?: string;
  preset?: string;
  depths?: number[];
  seeds?: number[];
  /** Of runs by depth and seed, as in `4,2`. */
  missing?: string[];
  failed?: string[];
  control?: boolean;
  claims?: Evidence[];
  figures?: SweepRecord['figures'];
}

/** A sweep over depths and two activations, its runs below a root, with the files that its report reads. */
export function writeSweep(root: string, options: SweepOptions = {}): SweepRecord {
  const { name = 'ra4-depth', preset = 'quick', depths = [4, 8, 16], seeds = [1, 2, 3] } = options;
  const { missing = [], failed = [], control = true } = options;
  const runs = depths.flatMap((depth) =>
    seeds.map((seed): SweepRun => {
      const id = `mnist-fc.${preset}/depth=${depth},seed=${seed}`;
      const key = `${depth},${seed}`;
      const shared = {
        id,
        cell: { depth, activation: depth > 8 ? 'relu' : 'identity' },
        seed,
        settings: { ...catalog['mnist-fc']!.presets.paper.settings, seed, depth },
      };
      const status = missing.includes(key) ? 'missing' : failed.includes(key) ? 'failed' : 'done';
      if (status !== 'done') {
        const nothing = {
          seconds: null,
          trained: null,
          initialization: null,
          control: null,
          validationAccuracy: null,
          course: null,
          claims: [],
        };
        return {
          ...shared,
          ...nothing,
          status,
          ...(status === 'failed' && { reason: 'loss is NaN at step 12 <b>' }),
        };
      }
      const {
        run,
        control: plain,
        claims,
      } = fixture({ depth, seed, samples: 2, epochs: 2, control, classes: 4 });
      write(root, `runs/${id}/analysis.json`, { ...run.analysis, claims } satisfies Analysis);
      return {
        ...shared,
        status,
        seconds: 12.5,
        trained: measured(run.analysis, 'trained'),
        initialization: measured(run.analysis, 'initialization'),
        control: plain ? measured(plain.analysis, 'trained') : null,
        validationAccuracy: 0.97,
        course: courseOf(run.analysis),
        claims,
      };
    }),
  );
  const record: SweepRecord = {
    schema: 'collimate/sweep@2',
    ...{ name, preset },
    title: 'The top singular value against total depth',
    question: 'Does the largest singular value of the last block fall inversely with the number of blocks?',
    axes: [
      { name: 'depth', label: 'total depth L', log: true },
      { name: 'activation', label: 'activation' },
    ],
    ...{ seeds, runs },
    claims: options.claims ?? [slope(seeds.length), share(runs)],
    figures: options.figures ?? figures,
    base: { ...catalog['mnist-fc']!.presets.paper.settings },
    notes: ['Three seeds, where the paper states none.'],
    provenance: [{ name: 'adapter', values: ['llvmpipe', 'SwiftShader'] }],
  };
  write(root, `sweeps/${name}.${preset}/sweep.json`, record);
  return record;
}

const figures: SweepRecord['figures'] = [
  {
    ...{ kind: 'scalars', file: 'ra4-depth', title: 'σ₁ against depth', caption: 'Look for a slope of −1.' },
    ...{ x: 'depth', scalars: ['sigma1Last', 'sigma1First'], beside: true, slope: true },
  },
  {
    ...{ kind: 'scalars', file: 'by-activation', title: 'By activation', caption: 'Look for dots at 1.' },
    ...{
      x: 'activation',
      series: 'depth',
      scalars: ['line', 'diagonalShare', 'validationAccuracy', 'deadBlocks'],
    },
  },
  {
    ...{ kind: 'blocks', file: 'blocks', title: 'σ₁ by block', caption: 'Look for a fall.' },
    ...{ panels: 'depth', measure: 'sigma1' },
  },
  {
    ...{ kind: 'blocks', file: 'paths', title: 'Paths', caption: 'Look for short ones.' },
    ...{ panels: 'depth', measure: 'pathShares', where: { depth: 8 } },
  },
  {
    ...{ kind: 'course', file: 'course', title: 'Over training', caption: 'Look for a common rise.' },
    ...{ scalars: ['line', 'nc1', 'testAccuracy'], series: 'depth' },
  },
];

function measured({ network, ...analysis }: Analysis, at: 'trained' | 'initialization'): Scalars {
  const names = Object.keys(scalars) as ScalarName[];
  return Object.fromEntries(names.map((name) => [name, scalar(name).from(analysis[at], network)])) as Scalars;
}

function courseOf(analysis: Analysis): SweepRun['course'] {
  const moments = ['initialization', 'initialization', 'trained', 'trained'] as const;
  return moments.map((at, i) => ({ epoch: [0, 1, 3, 10][i]!, scalars: measured(analysis, at) }));
}

const slope = (seeds: number): Evidence => ({
  ...{ property: 'RA4', id: 'depth-slope', title: 'the top singular value falls inversely with total depth' },
  measure: 'slope of σ₁ of the last block against L, both logarithmic',
  ...{ threshold: { atLeast: -1.5, atMost: -0.8 } },
  values: Array.from({ length: seeds }, (_, i) => -1 - 0.01 * i),
  ...{ value: -1.0123, spread: 0.0081, interval: [-1.0931, -0.9277] },
  ...{ atInitialization: 0.0213, control: null, holding: seeds, verdict: 'holds' },
});

function share(runs: readonly SweepRun[]): Evidence {
  const { mean, std } = spreadOf(runs.map((r) => r.trained?.diagonalShare));
  return {
    ...{ property: 'RA2', id: 'diagonal-share', title: 'singular vectors align at all depths' },
    ...{ measure: 'diagonal share, least over depths', threshold: { atLeast: 0.999 } },
    ...{ values: [mean, null, mean], value: mean, spread: std, atInitialization: 0.1034, control: 0.0987 },
    ...{
      controlLabel: 'the same without skip connections',
      holding: 1,
      verdict: mean === null ? 'not measurable' : 'does not hold',
    },
  };
}

export function write(root: string, path: string, value: unknown): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), JSON.stringify(value));
}
