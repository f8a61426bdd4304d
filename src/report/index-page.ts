import { type Collection, collect, type FoundSweep } from './collection.ts';
import { type Gathered, gather } from './evidence.ts';
import { claimParts, figureOf, glance, headline } from './index-claims.ts';
import { runTable, sweepTable } from './index-lists.ts';
import type { Report } from './page.ts';
import type { Part, Row, Section, Verdict } from './parts.ts';
import { publish } from './publish.ts';
import { writerTo } from './sweep.ts';
import { sharedSettings } from './sweep-page.ts';
import { evidenceRow, plural, type Shown } from './verdicts.ts';

/** Writes the page over all that lies below a root: each claim of the paper with what was measured of it, then all sweeps and runs. */
export function writeIndex(root: string): void {
  const found = collect(root);
  const evidence = gather(found);
  publish(writerTo(root), indexPage(found, evidence), 'index');
}

function observations({ claim, judged }: Gathered) {
  return judged.map(({ source, ...row }) => ({
    ...{ mark: claim.mark, source: typeof source === 'string' ? source : pathOf(source) },
    ...evidenceRow(row),
  }));
}

const pathOf = (source: Shown['source']): string => {
  const [first] = source ?? [];
  return typeof first === 'object' && 'text' in first ? first.text : '';
};

function indexPage(found: Collection, evidence: readonly Gathered[]): Report {
  const { sweeps, runs, theory, damaged } = found;
  let figures = 0;
  const claims = evidence.map((e): Section => {
    const figure = figureOf(found, e, figures + 1);
    if (figure) figures++;
    return {
      id: e.claim.property,
      title: headline(e.claim),
      verdict: e.verdict,
      parts: claimParts(e, figure),
    };
  });
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
      ...(damaged.length > 0
        ? [
            {
              ...{ id: 'damaged', title: 'Could not be read' },
              parts: [{ kind: 'list', items: damaged.map((d) => `${d.path}: ${d.reason}`) }] satisfies Part[],
            },
          ]
        : []),
    ],
    method: method(found),
    files: [],
    data: [{ name: 'claims', rows: evidence.flatMap(observations) }],
  };
}

/** Which of RA1–RA4 hold, and how many of the other claims. */
function resultOf(evidence: readonly Gathered[]): string {
  const properties = evidence.filter((e) => e.claim.mark !== '');
  if (evidence.every((e) => e.verdict === 'not measured')) return 'Nothing is measured yet.';
  const said = properties.map((e) => `${e.claim.mark} ${e.verdict}`).join('; ');
  const others = evidence.filter((e) => e.claim.mark === '' && e.claim.property !== 'training');
  const counts = (Object.keys(manyWords) as Verdict[]).flatMap((verdict) => {
    const n = others.filter((e) => e.verdict === verdict).length;
    return n > 0 ? [`${n} ${manyWords[verdict][n === 1 ? 0 : 1]}`] : [];
  });
  return `${said}. Of the paper’s ${others.length} other claims ${enumerated(counts)}.`;
}

const manyWords: Record<Verdict, [string, string]> = {
  holds: ['holds', 'hold'],
  'holds in part': ['holds in part', 'hold in part'],
  'does not hold': ['does not hold', 'do not hold'],
  'not measurable': ['is not measurable', 'are not measurable'],
  'not measured': ['is not measured', 'are not measured'],
};

const enumerated = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;

function method({ sweeps }: Collection): Report['method'] {
  const names = ({ record }: FoundSweep) => record.name;
  const ranOn = new Map<string, Set<string>>();
  const notes = new Map<string, Set<string>>();
  const add = (to: typeof notes, key: string, values: readonly string[]) =>
    to.set(key, new Set([...(to.get(key) ?? []), ...values]));
  for (const sweep of sweeps) {
    for (const { name, values } of sweep.record.provenance) add(ranOn, name, values);
    for (const note of sweep.record.notes) add(notes, note, [names(sweep)]);
  }
  const all = new Set(sweeps.map(names)).size;
  const main = sweeps.find((sweep) => names(sweep) === 'seed') ?? sweeps[0];
  const settings = main ? [{ title: `Settings of ${main.name}`, rows: sharedSettings(main.record) }] : [];
  const rows = [...ranOn].map(([name, values]): Row => [name, [...values].join('; ')]);
  return {
    note: 'Each page has the settings, the adapter and the commit of its own runs, and every number as CSV.',
    groups: [...settings, { title: 'Provenance', rows }],
    deviations: [...notes].map(
      ([note, of]) => `${note} (${of.size === all ? 'all sweeps' : [...of].join(', ')})`,
    ),
  };
}
