import { readAnalysis } from '../experiments/analysis-file.ts';
import { readCourse } from '../experiments/course.ts';
import { deviations } from '../experiments/experiment.ts';
import { findExperiment } from '../experiments/given-settings.ts';
import { CONTROL, labels } from '../experiments/reproduce.ts';
import { type RunConfig, readConfig } from '../experiments/run-config.ts';
import { type RunFolder, readMetrics } from '../experiments/run-folder.ts';
import { settingLines } from '../settings/settings.ts';
import type { RunData } from './data.ts';
import type { Fact } from './page.ts';
import { into, publish } from './publish.ts';
import { runPage } from './run-page.ts';

/** Draws a run's figures and page from the files in its folder, which hold all that is shown. */
export function writeReport(folder: RunFolder): void {
  const config = readConfig(folder.path);
  const controlFolder = config.settings.controlWeightDecay === null ? undefined : folder.sub(CONTROL);
  const run = runData(folder, config.settings.skip ? labels.run : labels.plain);
  const control = controlFolder && runData(controlFolder, labels.control);
  const { title } = findExperiment(config.experiment);
  // The control's own page shows it alone: no claim is made of it. The run's page comes last: see isDone.
  if (control) draw(controlFolder, readConfig(controlFolder.path), `${title}: the no-skip control`, control);
  draw(folder, config, title, run, control);
}

function runData(folder: RunFolder, label: string): RunData {
  const analysis = readAnalysis(folder.path)!; // It is made before.
  const course = readCourse(folder.path, analysis.network);
  return { label, analysis, metrics: readMetrics(folder.path), ...(course.length > 0 && { course }) };
}

function draw(folder: RunFolder, config: RunConfig, title: string, run: RunData, control?: RunData): void {
  const seconds = run.metrics.at(-1)?.seconds;
  const data = {
    title,
    experiment: config.experiment,
    network: { config: { ...config.network } },
    run,
    ...(control && { control }),
    claims: run.analysis.claims ?? [],
    settings: settingRows(config),
    provenance: [
      ...provenance(config),
      ['Training time', seconds === undefined ? 'unknown' : `${seconds.toFixed(1)} s`] satisfies Fact,
    ],
    deviations: [...deviations(findExperiment(config.experiment), config.settings), ...(config.notes ?? [])],
  };
  publish(into(folder), runPage(data));
}

const settingRows = ({ preset, settings, training, dataset }: RunConfig): Fact[] => [
  ['Preset', preset],
  ['Data', `${dataset}, ${training.images} training images of ${settings.classes} classes, standardized`],
  ...settingLines(settings),
];

const provenance = (run: RunConfig): Fact[] => [
  ['Command', run.command],
  ['Adapter', run.adapter.name],
  ['Driver', run.adapter.driver || 'not reported'],
  ...(run.resumedOn ?? []).map(({ name, driver }): Fact => ['Resumed on', `${name}, ${driver}`]),
  ['System', run.system],
  [
    'Versions',
    Object.entries(run.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
  ],
  ['Commit', run.commit ?? 'unknown'],
  ['Started', run.started],
];
