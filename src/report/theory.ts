import type { StartMeasures } from '../analysis/unconstrained/measures.ts';
import type { TheoryCase } from '../analysis/unconstrained/results.ts';
import type { Origin } from '../experiments/run-config.ts';
import { CONFIG, type RunFolder } from '../experiments/run-folder.ts';
import { THEORY, THEORY_CONFIG, THEORY_FILE, type Theory } from '../experiments/unconstrained/run.ts';
import type { Data, Observation } from './csv.ts';
import { theoryFigures } from './figures/theory.ts';
import { format } from './numbers.ts';
import { link, provenance, type Report, verdicts } from './page.ts';
import { figureParts, type Part, type Row, type Table } from './parts.ts';
import { into, publish } from './publish.ts';
import { fromTheory, plural, verdictSentence } from './verdicts.ts';

/** Draws the page of an optimization of the Unconstrained Jacobians Model from the files in its folder. */
export function writeTheoryReport(folder: RunFolder): void {
  const theory = folder.read(THEORY, THEORY_FILE);
  publish(into(folder), theoryPage(theory, folder.read(CONFIG, THEORY_CONFIG)));
}

function theoryPage(theory: Theory, origin: Origin): Report {
  const { settings, claims, preset } = theory;
  const wording = { noun: 'conclusion', where: ` from ${plural(settings.starts, 'random start')}` };
  return {
    kicker: `Collimate · unconstrained-jacobians · preset ${preset}`,
    title: 'Residual Alignment in the Unconstrained Jacobians Model',
    subtitle: `${settings.classes.join(', ')} classes, ${settings.depths.join(', ')} blocks of width ${settings.width}, ${settings.starts} starts`,
    result: [verdictSentence(claims.map(fromTheory), wording), ...lowRankSentence(theory)].join(' '),
    sections: [
      {
        id: 'verdicts',
        title: 'Verdicts',
        parts: verdicts(
          claims.map(fromTheory),
          'Each value is the worst over all starts and numbers of blocks. The control has two classes and no skip connections. Brackets hold the 95% confidence interval of a fit. The thresholds are ours, not the paper’s.',
        ),
      },
      { id: 'figures', title: 'Figures', parts: figureParts(theoryFigures(theory)) },
      { id: 'cases', title: 'All models', parts: [caseTable(theory), caseNote] },
    ],
    method: {
      groups: [
        { title: 'Settings', rows: settingRows(theory) },
        { title: 'Provenance', rows: provenance(origin) },
      ],
      deviations,
    },
    files: [
      [link(THEORY), ': every measure, per start and block.'],
      [link(CONFIG), ': settings, adapter, versions.'],
    ],
    data: theoryData(theory),
  };
}

/** Below this ratio of objectives, the aligned solution is beaten, not met. */
const BEATEN = 0.999;

/** Where fewer directions than C − 1 turned out better. */
function lowRankSentence({ cases }: Theory): string[] {
  const beaten = cases.filter(({ final, predicted }) =>
    final.some(({ objective }) => objective < BEATEN * predicted!.objective),
  );
  if (beaten.length === 0) return [];
  const where = [...new Set(beaten.map(({ classes }) => classes))].map((classes) => {
    const depths = beaten.filter((found) => found.classes === classes).map(({ depth }) => depth);
    return `${classes} classes from ${Math.min(...depths)} blocks on`;
  });
  return [
    `With ${where.join(' and ')}, starts end below the solution that uses all C − 1 directions alike: deep models do better with fewer.`,
  ];
}

const deviations = [
  'From the paper: that the Jacobians themselves are the parameters, under a penalty on their Frobenius norms, and the conclusion of its Theorem 3.3 for two classes.',
  'Ours, because the paper’s exact definition was not at hand: one input a class, orthonormal; a classifier that is a parameter under the same penalty; cross-entropy; Jacobians shared by all classes; and the equation of the optimum, derived in docs/theory.md.',
  'More than two classes, numbers of blocks and the control without skip connections are our additions.',
  'The optimizer, SGD with momentum and gradients cut to a length, is ours: the theory is about the optimum, not about how it is found.',
];

const settingRows = ({ settings }: Theory): Row[] => {
  const { penalty, steps, lr, momentum, clip, seed } = settings;
  return [
    ['Penalty λ', `${penalty}`],
    ['Optimizer', `SGD, learning rate ${lr} with cosine decay to 0, momentum ${momentum}`],
    ['Gradients', `cut to length ${clip}, for each start`],
    ['Steps', `${steps}`],
    ['Seed', `${seed}`],
  ];
};

const caseNote: Part = {
  kind: 'text',
  text: 'From the least to the greatest over starts, and over blocks where there are several. Aligned: the solution in which every Jacobian is σ times the projection on the differences of the inputs; with two classes it is the optimum. Left–right and overlap are those of the triples with σ_k ≥ 0.01 σ₁.',
  note: true,
};

/** A row for each number of classes and of blocks. */
function caseTable({ cases, control }: Theory): Table {
  const numeric = [
    'σ aligned',
    'σ₁',
    'σ_C/σ₁, greatest',
    'Rank',
    'u·v, least',
    'Overlap, least',
    'Objective / aligned',
  ];
  const row = (found: TheoryCase) => {
    const { final, predicted } = found;
    const over = (pick: (m: StartMeasures) => readonly (number | null)[]) =>
      final.flatMap(pick).filter((x) => x !== null);
    const span = (values: number[], digits = 3) => {
      const ends = [Math.min(...values), Math.max(...values)].map((x) => format(x, digits));
      return [...new Set(ends)].join(' – ');
    };
    const overlaps = over(({ ranked }) => [ranked.left, ranked.right]);
    const texts = [
      `${found.classes} classes, ${found.depth} blocks${found.skip ? '' : ', no skip connections'}`,
      format(predicted?.sigma, 4),
      span(
        over(({ sigma }) => sigma.map(([s]) => s!)),
        4,
      ),
      format(Math.max(...over(({ rest }) => [rest]))),
      span(over(({ numericalRank }) => numericalRank)).replaceAll('.000', ''),
      format(Math.min(...over(({ ranked }) => [ranked.leftRight])), 4),
      overlaps.length > 0 ? format(Math.min(...overlaps), 4) : '—',
      predicted ? span(over(({ objective }) => [objective / predicted.objective])) : '—',
    ];
    return texts.map((text) => ({ text }));
  };
  return {
    kind: 'table',
    caption: 'All models',
    columns: [{ label: 'Model' }, ...numeric.map((label) => ({ label, numeric: true }))],
    groups: [{ rows: [...cases, ...(control ? [control] : [])].map(row) }],
  };
}

/** Every number as tables. */
function theoryData({ cases, control }: Theory): Data[] {
  const all = [...cases, ...(control ? [control] : [])];
  const own = ({ classes, depth, skip }: TheoryCase) => ({ classes, depth, skip });
  const flat = ({ leftRight, left, right }: StartMeasures['top'], of: string): Observation => ({
    [`leftRight ${of}`]: leftRight,
    [`left ${of}`]: left,
    [`right ${of}`]: right,
  });
  return [
    {
      name: 'measures',
      rows: all.flatMap((found) =>
        (['initial', 'final'] as const).flatMap((moment) =>
          found[moment].map(({ sigma, numericalRank, top, ranked, ...scalars }, start) => ({
            ...own(found),
            ...{ moment, start: start + 1, ...scalars },
            ...{ ...flat(top, 'C − 1'), ...flat(ranked, 'ranked') },
            ...{ alignedSigma: found.predicted?.sigma, alignedObjective: found.predicted?.objective },
          })),
        ),
      ),
    },
    {
      name: 'blocks',
      rows: all.flatMap((found) =>
        found.final.flatMap(({ sigma, numericalRank }, start) =>
          sigma.map((values, block) => ({
            ...{ ...own(found), start: start + 1, block: block + 1, numericalRank: numericalRank[block] },
            ...Object.fromEntries(values.map((value, k) => [`sigma${k + 1}`, value])),
          })),
        ),
      ),
    },
    {
      name: 'course',
      rows: all.flatMap((found) =>
        (found.course ?? []).flatMap(({ step, objective, sigma1, sigmaC }) =>
          objective.map((value, start) => ({
            ...{ ...own(found), step, start: start + 1, objective: value },
            ...{ sigma1: sigma1[start], sigmaC: sigmaC[start] },
          })),
        ),
      ),
    },
    {
      name: 'alignment',
      rows: all.flatMap((found) =>
        (found.alignment ?? []).flatMap((blocks, i) =>
          blocks.flatMap((cells, j) =>
            cells.flatMap((line, a) =>
              line.map((value, b) => ({
                ...own(found),
                i: i + 1,
                j: j + 1,
                row: a + 1,
                column: b + 1,
                value,
              })),
            ),
          ),
        ),
      ),
    },
  ];
}
