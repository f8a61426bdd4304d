import { expect, test } from 'vitest';
import type { Claim } from '../../src/analysis/claim.ts';
import { type Evidence, thresholdInWords } from '../../src/analysis/evidence.ts';
import type { Place, Quantity } from '../../src/analysis/quantity.ts';
import type { ScalarName } from '../../src/analysis/scalars.ts';
import { LEVELS, type Level } from '../../src/experiments/experiment.ts';
import { planSweep, type Sweep } from '../../src/experiments/sweep.ts';
import { sweeps } from '../../src/experiments/sweeps/catalog.ts';

const place = (at: Place | undefined): string =>
  Object.entries(at ?? {})
    .map(([axis, value]) => `${axis} ${Array.isArray(value) ? value.join(' to ') : value}`)
    .join(', ');

/** Which number of which runs. */
function inWords({ scalar, network, at, over, take, less, withLog, withRank }: Quantity<ScalarName>): string {
  const of = `\`${scalar}\`${network ? ' of the control' : ''}${at ? ` at ${place(at)}` : ''}`;
  const difference = `${of}${less ? `, less that at ${place(less)}` : ''}`;
  const taken = take ? `${take} of ${difference}${over ? `, over ${over}` : ''}` : difference;
  if (withRank) return `rank correlation of ${taken} with \`${withRank}\` over cells`;
  return withLog ? `correlation of ${taken} with log \`${withLog}\` over snapshots` : taken;
}

/** Of a claim whose threshold depends on the network: of eight blocks and ten triples. */
const FACTS = { kind: 'fc', blocks: 8, triples: 10, randomLabels: false } as const;
/** An unknown run: only the words of its presuppositions are needed. */
const RUN = { cell: {}, seed: 1, status: 'done', trained: {}, control: {} } as const;

function row(claim: Claim<ScalarName>): string {
  const { id, property, title, of, threshold, control, presupposes = [] } = claim;
  const at: Evidence['threshold'] = typeof threshold === 'function' ? threshold(FACTS) : threshold;
  const beside = control ? [control.label, place(control.at)].filter(Boolean).join(': ') : '';
  const unless = presupposes.map((presupposed) => presupposed({ ...RUN, facts: FACTS }).otherwise).join('; ');
  const cells = [`\`${id}\``, property, title, inWords(of), thresholdInWords(at), unless, beside];
  return `| ${cells.join(' | ')} |`;
}

const cellsOf = (sweep: Sweep, level: Level): string[] => [
  ...new Set(
    planSweep(sweep, { level, seeds: [1], changes: {} }).map(({ id }) => id.replace(/[,/]seed=1$/, '')),
  ),
];

/** The bases of a level's cells, each once: an experiment's preset with changes. */
function bases(): string[] {
  const all = Object.values(sweeps).flatMap((sweep) => LEVELS.flatMap((level) => sweep.cells(level)));
  const byName = new Map(all.map(({ base }) => [base.name, base]));
  return [...byName.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, experiment, preset, changes }) => {
      const changed = Object.entries(changes).map(([setting, value]) => `${setting} ${value ?? 'none'}`);
      return `| \`${name}\` | \`${experiment} --preset ${preset}\` | ${changed.join(', ')} |`;
    });
}

/** The cells of a sweep at each scale, by what they start from. */
const scales = (sweep: Sweep): string[] =>
  LEVELS.flatMap((level) => {
    const bases = new Map<string, string[]>();
    for (const cell of cellsOf(sweep, level)) {
      const [base = '', changes = '*as it is*'] = cell.split('/');
      bases.set(base, [...(bases.get(base) ?? []), changes.replaceAll(',', ', ')]);
    }
    return [...bases].map(([base, cells]) => `| \`${level}\` | \`${base}\` | ${cells.join(' · ')} |`);
  });

/** docs/claims.md, from the declarations of all sweeps. */
const page = (): string =>
  [
    '# Claims and cells of the sweeps',
    '',
    'What each sweep runs and claims, from `src/experiments/sweeps`. The claims of single runs are in',
    '[measures.md](measures.md), what the sweeps found in [sweeps.md](sweeps.md). A cell is a base and',
    'what it changes. `npx vitest run claims-page -u` writes this page.',
    '',
    '| base of cells | preset | with |',
    '|---|---|---|',
    ...bases(),
    '',
    ...Object.values(sweeps).flatMap((sweep) => [
      `## ${sweep.title}: \`${sweep.name}\``,
      '',
      '| scale | base | cells |',
      '|---|---|---|',
      ...scales(sweep),
      ...(sweep.runClaims
        ? ['', `Claims of runs, joined over seeds at: ${sweep.runClaims.map(place).join('; ') || 'all'}.`]
        : []),
      '',
      ...(['quick', 'paper'] as const).flatMap((level) => {
        const rows = sweep.claims(level).map(row);
        const same = level === 'paper' && rows.join() === sweep.claims('quick').map(row).join();
        if (rows.length === 0 || same) return [];
        return [
          `| claim at \`${level}\` | property | | number | threshold | not measurable where | compared with |`,
          '|---|---|---|---|---|---|---|',
          ...rows,
          '',
        ];
      }),
    ]),
  ]
    .join('\n')
    .replace(/\n+$/, '\n');

// Runs are kept by the names of their bases, from one sweep and scale to the next.
test('a base of one name is one base', () => {
  const all = Object.values(sweeps).flatMap((sweep) => LEVELS.flatMap((level) => sweep.cells(level)));
  const byName = new Map<string, unknown>();
  for (const { base } of all) {
    expect(base).toEqual(byName.get(base.name) ?? base);
    byName.set(base.name, base);
  }
});

test('docs/claims.md is what the sweeps declare', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/claims.md');
});
