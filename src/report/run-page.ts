import type { Shown } from '../analysis/measures/figure.ts';
import { fold } from '../analysis/measures/list.ts';
import { blocksInWords } from '../analysis/network-info.ts';
import type { Analysis, Measures } from '../analysis/results.ts';
import { type ScalarName, scalar, scalarNames } from '../analysis/scalars.ts';
import { format, formatSpread, percent } from '../number-format.ts';
import { networksOf, type ReportData } from './data.ts';
import { figures } from './figures.ts';
import {
  type ColumnOf,
  type Fact,
  figureParts,
  type Inline,
  link,
  note,
  type Report,
  section,
  type Table,
  tableOf,
} from './page.ts';
import { runTables } from './tables.ts';
import { plural, verdictNote, verdictSentence, verdicts } from './verdicts.ts';

/** A run's page: verdicts, figures, every measure, and how to repeat them. */
export function runPage(data: ReportData): Report {
  const network = Object.entries(data.network.config).map(([k, v]): Fact => [k, show(v)]);
  const { claims } = data;
  return {
    kicker: `Collimate · ${data.experiment}`,
    title: data.title,
    subtitle: blocksInWords(data.run.analysis.network),
    result: resultSentence(data),
    sections: [
      section('verdicts', 'Verdicts', verdicts(claims, verdictNote(claims, 'samples'), data.control?.label)),
      section('figures', 'Figures', figureParts(figures(data))),
      section('measures', 'All measures', [
        measureTable(networksOf(data)),
        note(
          '± is one standard deviation over samples. A measure that each block has is that of the block named.',
        ),
      ]),
    ],
    method: {
      groups: [
        { title: 'Settings', rows: data.settings },
        { title: 'Network', rows: network },
        { title: 'Measurement', rows: measurement(data.run.analysis) },
        { title: 'Provenance', rows: data.provenance },
      ],
      deviations: data.deviations,
    },
    files: files(data.control?.label),
    data: runTables(data),
  };
}

/** Every scalar, with a column for each network. */
export function measureTable(networks: readonly Shown<Measures>[]): Table {
  const columns: ColumnOf<ScalarName>[] = [
    [
      'Measure',
      (name) => {
        const { label, what } = scalar(name);
        return { text: label, ...(what !== label && { small: what }) };
      },
    ],
    ...networks.map(
      ({ title, measures, network }): ColumnOf<ScalarName> => [
        title,
        (name) => {
          const { from, spread } = scalar(name);
          const [value, std] = [from(measures, network), spread?.(measures, network) ?? null];
          const after = value === null || std === null ? '' : ` ± ${formatSpread(std, value)}`;
          return { text: format(value), after };
        },
        'numeric',
      ],
    ),
  ];
  return { ...tableOf('All scalar measures', columns, scalarNames), cards: true };
}

function measurement(analysis: Analysis): Fact[] {
  const { settings, trained } = analysis;
  const convention = { branch: 'J = ∂F/∂h', 'post-activation': 'J = σ′(h + F(h)) ∂F/∂h' }[
    settings.convention
  ];
  return [
    ['Jacobian', `${convention} (convention “${settings.convention}”)`],
    ['Singular triples', `${settings.triples} compared, ${settings.spectrum} singular values kept`],
    [
      'Randomized SVD',
      `${settings.sketchColumns} sketch columns, ${settings.powerIterations} power iterations` +
        `${settings.filters > 0 ? `, ${settings.filters} spectral filters` : ''}, seed ${settings.seed}`,
    ],
    ...facts(analysis),
    ['Samples', `${trained.samples.length} training samples`],
  ];
}

/** How measures were taken, in their own words. */
export const facts = ({ trained, initialization }: Analysis): Fact[] =>
  Object.entries(fold('facts')).map(([name, of]): Fact => [name, of(trained, initialization)]);

const show = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? '—'));

export function resultSentence({ claims, run }: ReportData): string {
  const { trained } = run.analysis;
  const epochs = run.metrics.length;
  const after = epochs > 0 ? `After ${plural(epochs, 'epoch')}, at` : 'At';
  const sentence = verdictSentence(
    claims.filter((c) => c.property !== 'training'),
    {
      of: ' of Residual Alignment',
      where: ` on ${plural(trained.samples.length, 'sample')}`,
      named: (c) => `${c.title} (${c.property})`,
    },
  );
  const untrained = claims.some((c) => c.property === 'training' && c.verdict === 'does not hold');
  return (
    `${after} ${percent(trained.testAccuracy)} test accuracy, ${sentence[0]!.toLowerCase()}${sentence.slice(1)}` +
    (untrained ? ' Accuracy is below what the paper’s networks reach.' : '')
  );
}

function files(control: string | undefined): Inline[] {
  const written = [
    ['config.json', 'resolved settings, seed, adapter, kernel variants, versions'],
    ['metrics.jsonl', 'loss and accuracy, one line per epoch'],
    ['analysis.json', 'every measure, per sample and block'],
    ['checkpoint.safetensors', 'the trained weights and running statistics'],
  ].map(
    ([file, what]): Inline => [
      ...[link(file!), `: ${what}.`],
      ...(control === undefined ? [] : [` ${control}: `, link(`control/${file}`)]),
    ],
  );
  return [
    ...(control === undefined ? [] : [[`The ${control} by itself: `, link('control/report.html')]]),
    ...written,
  ];
}
