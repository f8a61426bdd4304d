import { command } from '../command.ts';
import { groupBy } from '../lists.ts';
import { percent } from '../number-format.ts';
import { type Collection, collect, type FoundRun, type FoundSweep } from './collection.ts';
import { type Gathered, gatherEvidence } from './gather.ts';
import { figureOf, glance, headline, statementParts } from './index-claims.ts';
import { type ColumnOf, type Fact, type Part, type Report, type Section, section, tableOf } from './page.ts';
import { below, publish } from './publish.ts';
import { sharedSettings, sweepSentence } from './sweep.ts';
import { evidenceRow, plural, together } from './verdicts.ts';

/** Writes the page over all below a root: each claim of the paper with its evidence, then sweeps, runs. */
export function writeIndex(root: string): void {
  const found = collect(root);
  const evidence = gatherEvidence(found);
  publish(below(root), indexPage(found, evidence), 'index');
}

function indexPage(found: Collection, evidence: readonly Gathered[]): Report {
  const { sweeps, runs, damaged } = found;
  const unread = damaged.map(({ path, reason }) => `${path}: ${reason}`);
  let figures = 0;
  const claims = evidence.map((e): Section => {
    const figure = figureOf(found, e, figures + 1);
    if (figure) figures++;
    const { statement, verdict } = e;
    return { ...section(statement.property, headline(statement), statementParts(e, figure)), verdict };
  });
  return {
    kicker: 'Collimate · all results',
    title: 'Residual Alignment: what the paper claims, and what was measured',
    subtitle: `${plural(sweeps.length, 'sweep')}, ${plural(runs.length, 'single run')}`,
    result: resultOf(evidence),
    sections: [
      section('claims', 'The claims at a glance', glance(evidence)),
      ...claims,
      section('sweeps', 'Sweeps', [sweepTable(found)]),
      section('runs', 'Single runs', [runTable(found)]),
      section('damaged', 'Could not be read', unread.length > 0 ? [{ kind: 'list', items: unread }] : []),
    ],
    method: method(found),
    files: [],
    data: [{ name: 'claims', rows: evidence.flatMap(observations) }],
  };
}

const observations = ({ statement: { mark }, evidence }: Gathered) =>
  evidence.map(({ source, ...row }) => ({ mark, source: source?.text ?? '', ...evidenceRow(row) }));

/** Which of RA1–RA4 hold, and how many of the other claims. */
function resultOf(evidence: readonly Gathered[]): string {
  if (evidence.every((e) => e.verdict === 'not measured')) return 'Nothing is measured yet.';
  const properties = evidence
    .filter((e) => e.statement.mark !== '')
    .map((e) => `${e.statement.mark} ${e.verdict}`);
  const others = evidence.filter(
    ({ statement: { mark, property } }) => mark === '' && property !== 'training' && property !== 'beyond',
  );
  const counts = [...groupBy(others, (e) => e.verdict)].map(
    ([verdict, same]) => `${verdict} (${same.length})`,
  );
  return `${properties.join('; ')}. The paper’s other claims: ${counts.join(', ')}.`;
}

function method({ sweeps }: Collection): Report['method'] {
  const networks = new Set(sweeps.flatMap(({ record }) => (record.batched ? [] : [record.name])));
  const main = sweeps.find(({ record }) => record.name === 'seed') ?? sweeps[0];
  const records = sweeps.map(({ record }) => record);
  const ranOn = groupBy(
    records.flatMap((r) => r.provenance),
    ({ name }) => name,
  );
  const notes = groupBy(
    records.flatMap(({ name, notes }) => notes.map((note) => ({ note, name }))),
    (n) => n.note,
  );
  const distinct = (items: readonly string[]) => [...new Set(items)];
  return {
    intro: 'Each page has the settings, the adapter and the commit of its own runs, and every number as CSV.',
    groups: [
      ...(main ? [{ title: `Settings of ${main.name}`, rows: sharedSettings(main.record) }] : []),
      {
        title: 'Provenance',
        rows: [...ranOn].map(
          ([name, all]): Fact => [name, distinct(all.flatMap((p) => p.values)).join('; ')],
        ),
      },
    ],
    deviations: [...notes].map(([note, all]) => {
      const of = distinct(all.map(({ name }) => name));
      const everywhere = of.length === networks.size && of.every((name) => networks.has(name));
      return `${note} (${everywhere ? 'all sweeps of networks' : of.join(', ')})`;
    }),
  };
}

const page = ({ folder, name }: { folder: string; name: string }) => ({
  text: [{ text: name, to: `${folder}/report.html` }],
});
const holding = ({ claims }: Pick<FoundRun, 'claims'>): string =>
  `${claims.filter((c) => c.verdict === 'holds').length} of ${claims.length}`;

function sweepTable({ sweeps }: Collection): Part {
  if (sweeps.length === 0)
    return { kind: 'text', text: ['None yet: run ', { code: command('reproduce', 'all --preset quick') }] };
  const columns: ColumnOf<FoundSweep>[] = [
    ['Sweep', (sweep) => ({ ...page(sweep), small: sweep.record.question })],
    [
      'Runs',
      ({ record: { runs } }) => `${runs.filter((r) => r.status === 'done').length} of ${runs.length}`,
      'numeric',
    ],
    ['Seeds', ({ record }) => `${record.seeds.length}`, 'numeric'],
    ['Result', ({ record }) => sweepSentence(record)],
    ['Claims that hold', holding, 'numeric'],
    ['Verdict', ({ claims }) => ({ text: '', verdict: together(claims) })],
  ];
  return tableOf('All sweeps', columns, sweeps);
}

/** A row for each run that belongs to no sweep. */
function runTable({ runs }: Collection): Part {
  if (runs.length === 0) return { kind: 'text', text: 'None but those of the sweeps.' };
  const without = ({ claims }: FoundRun): string =>
    claims
      .filter((c) => c.verdict !== 'holds')
      .map((c) => c.title + (c.verdict === 'not measurable' ? ' (not measurable)' : ''))
      .join('; ') || '—';
  const columns: ColumnOf<FoundRun>[] = [
    ['Run', page],
    ['Preset', ({ config }) => config?.preset ?? '—'],
    ['Seed', ({ config }) => (config ? `${config.settings.seed}` : '—'), 'numeric'],
    ['Test accuracy', ({ testAccuracy }) => percent(testAccuracy), 'numeric'],
    ['Claims that hold', holding, 'numeric'],
    ['Does not hold', without],
  ];
  return tableOf('All runs that belong to no sweep', columns, runs);
}
