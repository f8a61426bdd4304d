import { datasets } from '../data/datasets.ts';
import { catalog } from '../experiments/catalog.ts';
import { measureRates, type Rates, workOf } from '../experiments/estimate.ts';
import { applies, type Experiment, imageShape, LEVELS, type Level } from '../experiments/experiment.ts';
import { findExperiment } from '../experiments/given-settings.ts';
import { defaultSeeds, planSweep, type Sweep } from '../experiments/sweep.ts';
import { suites, sweeps } from '../experiments/sweeps/catalog.ts';
import { theorySweep } from '../experiments/sweeps/unconstrained-jacobians.ts';
import { planTheory } from '../experiments/unconstrained/run.ts';
import { theoryPreset, theoryTimes } from '../experiments/unconstrained/settings.ts';
import { openGpu } from '../host/open.ts';
import { models } from '../models/networks.ts';
import { labelOf, settingNames } from '../settings/settings.ts';
import type { Settings } from '../settings/table.ts';
import { alignColumns } from './verdict-table.ts';

/** Prints all experiments and sweeps, or all presets of one, with sizes and times on the current adapter. */
export async function list(
  name: string | undefined,
  { adapter, json }: { readonly adapter?: string; readonly json?: boolean },
): Promise<number> {
  const sweep = name === undefined ? undefined : sweeps[name];
  if (name === theorySweep.name) return listTheory(!!json);
  const experiment = name === undefined || sweep ? undefined : findExperiment(name, [...Object.keys(sweeps)]);
  const planned = sweep && LEVELS.flatMap((level) => runsOf(sweep, level));
  const shown = experiment ? [experiment] : planned?.map((run) => run.experiment);
  using gpu = await openGpu({ adapter });
  const rates = await measureRates(
    gpu,
    shown?.map(({ model }) => model),
  );
  const which = name === undefined ? ' at `--preset quick`' : '';
  const times = `Estimated for ${gpu.info.name}: training and control${which}, without the analysis.`;
  if (json) {
    const whole = name === undefined;
    for (const each of experiment ? [experiment] : whole ? Object.values(catalog) : [])
      presetLines(each, rates);
    for (const each of sweep ? [sweep] : whole ? Object.values(sweeps) : []) sweepLine(each, rates);
    if (whole) listTheory(true);
  } else if (experiment)
    console.log(`${experiment.summary}\n\n${experimentTable(experiment, rates)}\n\n${times}`);
  else if (sweep) console.log(`${sweep.title}\n${sweep.question}\n\n${sweepTable(sweep, rates)}\n\n${times}`);
  else console.log(overview(rates, times));
  return 0;
}

/** Training times: one line per dataset with a column per network, and one line per sweep. */
function overview(rates: Rates, times: string): string {
  const experiments = Object.keys(datasets).map((name) => {
    const on = Object.values(catalog).filter(({ dataset }) => dataset === name);
    const times = models.map((model) => {
      const experiment = on.find((each) => each.model === model);
      return experiment ? duration(secondsOf(experiment, experiment.presets.quick.settings, rates)) : '';
    });
    return [on[0]!.name.replace(`-${on[0]!.model}`, ''), ...times];
  });
  const planned = (suite: keyof typeof suites) => [
    [`Sweeps of \`${suite}\``, '', '', ''],
    ...suites[suite].map((sweep) => {
      const { runs, seconds } = plan(sweep, 'quick', rates);
      return [sweep.name, sweep.summary, `${runs} runs`, duration(seconds)];
    }),
  ];
  return [
    'Experiments are called `<dataset>-<network>`, such as `mnist-fc`:',
    alignColumns([['', ...models], ...experiments]),
    alignColumns([
      ...planned('beyond'),
      ...planned('all'),
      [theorySweep.name, theorySweep.summary, `${theoryRuns('quick')} runs`, theoryTimes.quick],
    ]),
    times,
    '`list NAME` shows all presets of one, with its sizes and settings.',
  ].join('\n');
}

/** Settings and sizes by preset. */
function experimentTable(experiment: Experiment, rates: Rates): string {
  const { dataset, presets } = experiment;
  const of = (show: (settings: Settings) => string) =>
    Object.values(presets).map(({ settings }) => show(settings));
  const names = settingNames.filter((name) => applies(experiment, name));
  return [
    ...Object.entries(presets).map(
      ([preset, { summary }]) => `--preset ${preset}${preset === 'quick' ? ' (default)' : ''}: ${summary}`,
    ),
    '',
    alignColumns([
      ['', ...Object.keys(presets)],
      ['Training time', ...of((settings) => duration(secondsOf(experiment, settings, rates)))],
      ['Parameters', ...of((settings) => workOf(experiment, settings).parameters.toLocaleString('en'))],
      ['Image', ...of((settings) => imageShape(dataset, settings).join('×'))],
      ...names.map((name) => [labelOf(name), ...of((settings) => `${settings[name]}`)]),
    ]),
  ].join('\n');
}

function sweepTable(sweep: Sweep, rates: Rates): string {
  const rows = LEVELS.map((level) => {
    const { runs, seconds } = plan(sweep, level, rates);
    return [level, `${runs}`, duration(seconds)];
  });
  return alignColumns([['--preset', 'runs', 'training time'], ...rows]);
}

const theoryRuns = (level: Level): number => {
  const settings = theoryPreset(level);
  return planTheory(settings).length * settings.starts;
};

function listTheory(json: boolean): number {
  const { name, title, question } = theorySweep;
  if (json) console.log(JSON.stringify({ sweep: name, runs: theoryRuns('quick'), presets: LEVELS }));
  else {
    const rows = LEVELS.map((level) => {
      const { classes, depth, width, steps } = theoryPreset(level);
      const sizes = [classes.join(', '), depth.join(', '), `${width}`, `${steps}`];
      return [level, `${theoryRuns(level)}`, ...sizes, theoryTimes[level]];
    });
    const head = ['--preset', 'runs', 'classes', 'blocks', 'width', 'steps', 'time'];
    console.log(`${title}\n${question}\n\n${alignColumns([head, ...rows])}`);
  }
  return 0;
}

function presetLines(experiment: Experiment, rates: Rates): void {
  const { name, dataset, model, presets } = experiment;
  for (const [preset, { settings }] of Object.entries(presets)) {
    const { image, parameters } = workOf(experiment, settings);
    const estimate = { estimatedTrainingSeconds: rounded(secondsOf(experiment, settings, rates)) };
    console.log(
      JSON.stringify({ experiment: name, dataset, model, preset, image, parameters, ...estimate, settings }),
    );
  }
}

function sweepLine(sweep: Sweep, rates: Rates): void {
  const { runs, seconds } = plan(sweep, 'quick', rates);
  console.log(JSON.stringify({ sweep: sweep.name, runs, estimatedTrainingSeconds: rounded(seconds) }));
}

const runsOf = (sweep: Sweep, level: Level) =>
  planSweep(sweep, { level, seeds: defaultSeeds(level), changes: {} });

function plan(sweep: Sweep, level: Level, rates: Rates): { runs: number; seconds: number } {
  const runs = runsOf(sweep, level);
  const seconds = runs.map(({ experiment, settings }) => secondsOf(experiment, settings, rates));
  return { runs: runs.length, seconds: seconds.reduce((a, b) => a + b, 0) };
}

const secondsOf = (experiment: Experiment, settings: Settings, rates: Rates): number =>
  workOf(experiment, settings).flops / rates[experiment.model]!;

const rounded = (seconds: number): number => Number(seconds.toPrecision(2));

function duration(seconds: number): string {
  const units = { d: 86_400, h: 3600, min: 60 };
  const found = Object.entries(units).find(([, size]) => seconds >= 2 * size);
  return found ? `${rounded(seconds / found[1])} ${found[0]}` : `${Math.max(1, Math.round(seconds))} s`;
}
