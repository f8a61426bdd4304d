import type { Claim } from '../analysis/claim.ts';
import type { Cell } from '../analysis/quantity.ts';
import type { ScalarName } from '../analysis/scalars.ts';
import { CollimateError } from '../errors.ts';
import { range } from '../lists.ts';
import { parseNumber, whole } from '../settings/row.ts';
import { settingNames } from '../settings/settings.ts';
import type { Settings } from '../settings/table.ts';
import type { Experiment, Level } from './experiment.ts';
import {
  checkSettings,
  findExperiment,
  type GivenSettings,
  levelNamed,
  parseSettings,
} from './given-settings.ts';
import type { Axis, SweepFigure } from './sweep-file.ts';

/** What a cell's runs share: an experiment's preset, with changes. */
export interface Base {
  /** The folder of its runs: `mnist-fc.brief`. */
  readonly name: string;
  readonly experiment: string;
  readonly preset: Level;
  readonly changes: Partial<Settings>;
}

/** A cell of a sweep: its place on the axes, and the settings it changes. */
export interface SweepCell {
  readonly cell: Cell;
  readonly base: Base;
  readonly changes: Partial<Settings>;
}

/** A question that many runs answer, as data, except for its runs and claims. */
export interface Question {
  readonly name: string;
  readonly title: string;
  readonly question: string;
  /** In `list`. */
  readonly summary: string;
  readonly axes: readonly Axis[];
  readonly figures: readonly SweepFigure[];
  /** What a reader must know about the choice of settings. */
  readonly notes?: readonly string[];
}

export interface Sweep extends Question {
  readonly cells: (level: Level) => readonly SweepCell[];
  readonly claims: (level: Level) => readonly Claim<ScalarName>[];
  /** Whether it asks what the paper leaves open: it is in `beyond`, not in `all`. */
  readonly beyond?: true;
  /** Cells whose runs' own claims are joined over seeds. */
  readonly runClaims?: readonly Cell[];
}

/** One run of a sweep, made or not. */
export interface PlannedRun {
  readonly id: string;
  readonly experiment: Experiment;
  readonly preset: Level;
  readonly settings: Settings;
  readonly cell: Cell;
  readonly seed: number;
}

export interface PlanOptions {
  readonly level: Level;
  readonly seeds: readonly number[];
  /** Settings that override the sweep's own in all runs; refused where an axis sets them. */
  readonly changes: Partial<Settings>;
}

/** One seed for `smoke`, else three. */
export const defaultSeeds = (level: Level): number[] => range(level === 'smoke' ? 1 : 3, 1);

/** Options that select the runs of a sweep, as typed. */
export interface GivenPlan extends GivenSettings {
  readonly seeds?: string;
}

export function parsePlan({ preset, seeds, ...given }: GivenPlan): PlanOptions {
  const level = levelNamed(preset);
  return {
    level,
    seeds:
      seeds === undefined ? defaultSeeds(level) : range(parseNumber('--seeds', seeds, whole(1, 1000)), 1),
    changes: parseSettings(given, findExperiment('mnist-fc')),
  };
}

/** The runs of several sweeps, each once. */
export const distinct = (plans: readonly (readonly PlannedRun[])[]): PlannedRun[] => [
  ...new Map(plans.flat().map((run) => [run.id, run])).values(),
];

/** All runs of a sweep, seed by seed within each cell. */
export function planSweep(sweep: Sweep, { level, seeds, changes }: PlanOptions): PlannedRun[] {
  return sweep.cells(level).flatMap((point) => {
    refuseAxis(sweep, point, changes);
    return seeds.map((seed) => planRun(point, seed, changes));
  });
}

function planRun({ cell, base, changes }: SweepCell, seed: number, given: Partial<Settings>): PlannedRun {
  const experiment = findExperiment(base.experiment);
  const own = { ...experiment.presets[base.preset].settings, ...base.changes };
  const settings = checkSettings(experiment, { ...own, ...given, ...changes, seed });
  return {
    id: `${base.name}/${differences(settings, own)}`,
    experiment,
    preset: base.preset,
    settings,
    cell,
    seed,
  };
}

/** `depth=4,seed=2`: a run's changes to its base by name, the seed last. */
function differences(settings: Settings, base: Settings): string {
  const names = settingNames.filter((name) => name !== 'seed').sort();
  const changed = names.filter((name) => settings[name] !== base[name]);
  return [...changed, 'seed' as const].map((name) => `${name}=${settings[name] ?? 'none'}`).join(',');
}

function refuseAxis({ name }: Sweep, { changes }: SweepCell, given: Partial<Settings>): void {
  const both = Object.keys(given).find((setting) => setting in changes);
  if (both === undefined) return;
  throw new CollimateError(
    `${name} sets ${both} itself, and ${both} ${given[both as keyof Settings]} was requested`,
    'Leave that option out, or make a single run with it.',
  );
}

/** A value of an axis, and the settings that it stands for. */
type AxisValue = readonly [value: Cell[string], changes?: Partial<Settings>];
export interface AxisValues {
  readonly name: string;
  readonly values: readonly AxisValue[];
}
export const axis = (name: string, ...values: readonly AxisValue[]): AxisValues => ({ name, values });

/** Values of an axis that are the values of a setting. */
export const valuesOf = <K extends keyof Settings & string>(
  name: K,
  values: readonly (Settings[K] & Cell[string])[],
): AxisValues =>
  axis(name, ...values.map((value) => [value, { [name]: value } as Partial<Settings>] as const));

export function grid(base: Base, ...axes: readonly AxisValues[]): SweepCell[] {
  return axes.reduce<SweepCell[]>(
    (cells, { name, values }) =>
      cells.flatMap((point) =>
        values.map(([value, changes = {}]) => ({
          ...point,
          cell: { ...point.cell, [name]: value },
          changes: { ...point.changes, ...changes },
        })),
      ),
    [{ cell: {}, base, changes: {} }],
  );
}
