import { type Collection, collect } from './collection.ts';
import { type Gathered, gather } from './gather.ts';
import { figureOf, glance, headline, statementParts } from './index-claims.ts';
import { runTable, sweepTable } from './index-lists.ts';
import { groupBy } from './numbers.ts';
import type { Report } from './page.ts';
import type { Part, Row, Section, Verdict } from './parts.ts';
import { publish } from './publish.ts';
import { writerTo } from './sweep.ts';
import { sharedSettings } from './sweep-page.ts';
import { evidenceRow, plural } from './verdicts.ts';

/** Writes the page over all that lies below a root: each claim of the paper with what was measured of it, then all sweeps and runs. */
export function writeIndex(root: string): void {
  const found = collect(root);
  const evidence = gather(found);
  publish(writerTo(root), indexPage(found, evidence), 'index');
}

function indexPage(found: Collection, evidence: readonly Gathered[]): Report {
  const { sweeps, runs, theory, damaged } = found;
  let figures = 0;
  const claims = evidence.map((e): Section => {
    const figure = figureOf(found, e, figures + 1);
    if (figure) figures++;
    const { property } = e.statement;
    return {
      id: property,
      title: headline(e.statement),
      verdict: e.verdict,
      parts: statementParts(e, figure),
    };
  });
  const list = (items: readonly string[]): Part[] => [{ kind: 'list', items }];
  const unread = damaged.map(({ path, reason }) => `${path}: ${reason}`);
  return {
    kicker: 'Collimate · all results',
    title: 'Residual Alignment: what the paper claims, and what was measured',
    subtitle: `${plural(sweeps.length, 'sweep')}, ${plural(runs.length, 'single run')}${theory.length > 0 ? ', the theory' : ''}`,
    result: resultOf(evidence),
    sections: [
      { id: 'claims', title: 'The claims at a glance', parts: glance(evidence) },
      ...claims,
      { id: 'sweeps', title: 'Sweeps', parts: [sweepTable(found)] },
      { id: 'runs', title: 'Single runs', parts: [runTable(found)] },
      ...(unread.length > 0 ? [{ id: 'damaged', title: 'Could not be read', parts: list(unread) }] : []),
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
  const properties = evidence.filter((e) => e.statement.mark !== '');
  if (evidence.every((e) => e.verdict === 'not measured')) return 'Nothing is measured yet.';
  const said = properties.map((e) => `${e.statement.mark} ${e.verdict}`).join('; ');
  const others = evidence.filter((e) => e.statement.mark === '' && e.statement.property !== 'training');
  const counts = (Object.keys(manyWords) as Verdict[]).flatMap((verdict) => {
    const n = others.filter((e) => e.verdict === verdict).length;
    return n > 0 ? [`${n} ${manyWords[verdict][n === 1 ? 0 : 1]}`] : [];
  });
  return `${said}. Of the paper’s ${others.length} other claims ${new Intl.ListFormat('en-US', { style: 'long' }).format(counts)}.`;
}

const manyWords: Record<Verdict, [string, string]> = {
  holds: ['holds', 'hold'],
  'holds in part': ['holds in part', 'hold in part'],
  'does not hold': ['does not hold', 'do not hold'],
  'not measurable': ['is not measurable', 'are not measurable'],
  'not measured': ['is not measured', 'are not measured'],
};

function method({ sweeps }: Collection): Report['method'] {
  const names = new Set(sweeps.map(({ record }) => record.name));
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
    note: 'Each page has the settings, the adapter and the commit of its own runs, and every number as CSV.',
    groups: [
      ...(main ? [{ title: `Settings of ${main.name}`, rows: sharedSettings(main.record) }] : []),
      {
        title: 'Provenance',
        rows: [...ranOn].map(([name, all]): Row => [name, distinct(all.flatMap((p) => p.values)).join('; ')]),
      },
    ],
    deviations: [...notes].map(([note, all]) => {
      const of = distinct(all.map(({ name }) => name));
      return `${note} (${of.length === names.size ? 'all sweeps' : of.join(', ')})`;
    }),
  };
}
