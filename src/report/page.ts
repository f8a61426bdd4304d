import type { Analysis, Measures } from '../analysis/results.ts';
import { type ScalarName, scalar, scalars } from '../analysis/scalars.ts';
import { blocksInWords, type Figure, moments, type ReportData } from './data.ts';
import { format, formatSpread, percent, spread } from './numbers.ts';
import type { Cell, Facts, Inline, Page, Part, Row, Table } from './parts.ts';
import { figureParts } from './publish.ts';
import { failedInWords, fromRun, plural, verdictNote, verdictTable } from './verdicts.ts';

/** The page of a run: the verdicts, the figures, and what it takes to repeat them. */
export function runPage(data: ReportData, figures: readonly Figure[], tables: readonly string[]): Page {
  const network = Object.entries(data.network.config).map(([k, v]): Row => [k, show(v)]);
  const claims = data.claims.map(fromRun);
  return {
    kicker: `Collimate · ${data.experiment}`,
    title: data.title,
    subtitle: blocksInWords(data.run.analysis.network),
    result: resultSentence(data),
    sections: [
      {
        id: 'verdicts',
        title: 'Verdicts',
        parts:
          claims.length > 0
            ? [
                verdictTable(claims, data.control?.label),
                { kind: 'text', text: verdictNote(claims, 'samples'), note: true },
              ]
            : [{ kind: 'text', text: 'No claim was judged.' }],
      },
      { id: 'figures', title: 'Figures', parts: figureParts(figures) },
      {
        id: 'measures',
        title: 'All measures',
        parts: [
          measureTable(data),
          {
            kind: 'text',
            text: 'Where it says ±, the mean over samples and one standard deviation; where a measure is one per block, of the block that is named.',
            note: true,
          },
        ],
      },
      howItWasMade(
        [
          { title: 'Settings', rows: data.settings },
          { title: 'Network', rows: network },
          { title: 'Measurement', rows: measurement(data.run.analysis) },
          { title: 'Provenance', rows: data.provenance },
        ],
        data.deviations,
      ),
      { id: 'files', title: 'Files', parts: [{ kind: 'list', items: files(data.control?.label, tables) }] },
    ],
  };
}

/** Settings, provenance, and where these depart from the paper: the same on every page. */
export const howItWasMade = (groups: readonly Facts[], deviations: readonly string[]) => ({
  id: 'method',
  title: 'How it was made',
  parts: [
    { kind: 'facts', groups },
    { kind: 'heading', text: 'Deviations from the paper' },
    deviations.length > 0 ? { kind: 'list', items: deviations } : { kind: 'text', text: 'None known.' },
  ] satisfies Part[],
});

/** Every scalar measure of the network as trained, at initialization, and of the control. */
function measureTable(data: ReportData): Table {
  const shown = moments(data);
  return {
    kind: 'table',
    caption: 'All scalar measures',
    columns: [{ label: 'Measure' }, ...shown.map(({ title }) => ({ label: title, numeric: true }))],
    groups: [
      {
        rows: (Object.keys(scalars) as ScalarName[]).map((name): Cell[] => {
          const { label, what, from, spread } = scalar(name);
          return [
            { text: label, ...(what !== label && { small: what }) },
            ...shown.map(({ measures, network }): Cell => {
              const [value, std] = [from(measures, network), spread?.(measures, network) ?? null];
              const after = value === null || std === null ? '' : ` ± ${formatSpread(std, value)}`;
              return { text: format(value), after };
            }),
          ];
        }),
      },
    ],
    cards: true,
  };
}

function measurement(analysis: Analysis): Row[] {
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
    ['Certificates', certificates(trained.summary)],
    ['‖J‖²', frobenius(analysis)],
    ['Samples', `${trained.samples.length} training samples`],
  ];
}

/** What the trained network's triples are worth, at its worst block and sample. */
export function certificates({ residual, gap }: Measures['summary']): string {
  const [off, apart] = [
    spread((residual ?? []).map((s) => s.max)).max,
    spread((gap ?? []).map((s) => s.min)).min,
  ];
  if (off === null || apart === null) return '—';
  return `‖J v − σ u‖ and ‖Jᵀu − σ v‖ at most ${format(off)}·σ₁; σ of compared vectors at least ${format(apart)}·σ₁ apart`;
}

/** How the Frobenius norms of the Jacobians were had. */
function frobenius({ initialization, trained }: Analysis): string {
  const all = [initialization, trained].flatMap((m) => m.frobenius);
  const errors = all.flatMap(({ method, relativeError }) => (method === 'estimated' ? [relativeError] : []));
  if (errors.length === 0) return 'exact';
  const where = errors.length === all.length ? 'estimated' : 'exact in some stages, estimated in others';
  return `${where}, with a standard error of at most ${percent(Math.max(...errors))}`;
}

const show = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? '—'));

/** The result in a sentence. */
export function resultSentence({ claims, run }: ReportData): string {
  const alignment = claims.filter((c) => c.property !== 'training');
  const failed = alignment.filter((c) => !c.holds);
  const untrained = claims.filter((c) => c.property === 'training' && !c.holds);
  const { trained } = run.analysis;
  const epochs = run.metrics.length;
  const after = epochs > 0 ? `After ${plural(epochs, 'epoch')}, at` : 'At';
  const subject = `${after} ${percent(trained.testAccuracy)} test accuracy, `;
  const caution =
    untrained.length > 0 ? ' The network did not reach the accuracy that the others presuppose.' : '';
  if (alignment.length === 0) return `${subject}no claim of Residual Alignment was judged.${caution}`;
  const on = ` on ${plural(trained.samples.length, 'sample')}`;
  if (failed.length === 0) {
    const all = alignment.length === 1 ? 'the one claim' : `all ${alignment.length} claims`;
    return `${subject}${all} of Residual Alignment ${alignment.length === 1 ? 'holds' : 'hold'}${on}.${caution}`;
  }
  const names = alignment.map((c) => `${c.title} (${c.property})`);
  return `${subject}${alignment.length - failed.length} of ${alignment.length} claims of Residual Alignment hold${on}.${failedInWords(alignment, names)}${caution}`;
}

function files(control: string | undefined, tables: readonly string[]): Inline[] {
  const link = (to: string) => ({ text: to, to });
  const written = [
    ['config.json', 'resolved settings, seed, adapter, kernel variants, versions'],
    ['metrics.jsonl', 'loss and accuracy, an epoch a line'],
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
    ['Every number as CSV: ', ...links(tables.map((name) => `data/${name}.csv`))],
    ['This page as ', link('report.md')],
  ];
}

/** Paths as links, with commas between. */
export const links = (paths: readonly string[]) =>
  paths.flatMap((to, i) => [...(i > 0 ? [', '] : []), { text: to, to }]);
