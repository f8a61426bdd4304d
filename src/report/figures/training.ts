import type { Mark, Scale } from '../../analysis/measures/figure.ts';
import type { EpochMetrics } from '../../analysis/results.ts';
import { scalar, scalarNames } from '../../analysis/scalars.ts';
import { defined, format, percent } from '../../number-format.ts';
import { accent } from '../colors.ts';
import type { ReportData, RunData } from '../data.ts';
import { courseRows } from '../tables.ts';
import type { Picture } from './draw.ts';
import { coursePanels, inRows } from './panels.ts';

/** How the networks were trained: loss and accuracy, one point per epoch. */
export function training({ run, control }: ReportData): Picture {
  const runs = [
    { ...run, ink: 'accent' } as const,
    ...(control ? [{ ...control, ink: 'contrast' } as const] : []),
  ];
  const metrics = runs.flatMap((one) => one.metrics);
  const test = ({ testAccuracy }: EpochMetrics) => testAccuracy && 100 * testAccuracy;
  const train = ({ trainAccuracy }: EpochMetrics) => 100 * trainAccuracy;
  const minimum = Math.min(100, ...metrics.flatMap((m) => [test(m), train(m)]).filter(defined));
  const low = Math.min(99, Math.max(0, Math.floor(minimum - 0.1 * (100 - minimum))));
  const curves = (read: (m: EpochMetrics) => number | null, dashed: boolean) =>
    runs.flatMap(({ metrics, ink }) => {
      const rows = metrics
        .map((m) => ({ epoch: m.epoch, value: read(m) }))
        .filter(({ value }) => defined(value));
      return curve(rows, ink, dashed);
    });
  const x: Scale = { label: 'epoch', counted: [1, Math.max(1, ...metrics.map(({ epoch }) => epoch))] };
  const final = (what: string, show: (m: EpochMetrics) => string) =>
    runs.map((r) => `${r.label}: ${what} ${r.metrics.length ? show(r.metrics.at(-1)!) : '—'}`).join('; ');
  return {
    file: 'training.svg',
    data: ['training'],
    title: 'Training',
    caption:
      'Loss (mean over the epoch’s batches, logarithmic scale) and accuracy after each epoch. Alignment says something only ' +
      `about networks that learned their task: look for ${control ? 'a network and a control that end alike.' : 'curves that have levelled off.'}`,
    rows: inRows([
      {
        title: 'Training loss',
        note: final('loss', (m) => format(m.loss, 4)),
        x,
        y: { label: 'cross-entropy (nats)', type: 'log' },
        marks: curves(({ loss }) => loss, true),
      },
      {
        title: 'Accuracy',
        note: final('test', ({ testAccuracy: t }) => (t === null ? '—' : percent(t, 2))),
        x,
        y: { label: 'accuracy (%)', domain: [low, 100] },
        marks: [...curves(train, true), ...curves(test, false)],
      },
    ]),
    legend: runs.flatMap(({ label, ink }) => [
      [`${label}, test`, ink, 'line'] as const,
      [`${label}, training`, ink, 'dashed'] as const,
    ]),
  };
}

function curve(rows: Mark['rows'], ink: 'accent' | 'contrast', dashed: boolean): Mark[] {
  const place = { rows, x: 'epoch', y: 'value' };
  const pen = dashed ? { strokeWidth: 1.25, strokeDasharray: '4 3' } : { strokeWidth: 1.75 };
  const dots: Mark = { mark: 'dot', ...place, fill: ink, r: dashed ? 1.75 : 2.5 };
  // Points, while they are distinguishable.
  return [{ mark: 'line', ...place, stroke: ink, ...pen }, ...(rows.length > 60 ? [] : [dots])];
}

/** How alignment and neural collapse came about, where weights were kept on the way. */
export function courseFigures({ run }: { readonly run: RunData }): Picture[] {
  if (!run.course) return [];
  const followed = scalarNames.filter((name) => scalar(name).followed);
  const rows = courseRows(run).map((row) => ({ ...row, run: run.label }));
  return [
    {
      file: 'course.svg',
      data: ['course'],
      title: 'Alignment and neural collapse over training',
      caption:
        'Measures at snapshots of training, from initialization on. Look for alignment (d, e, f, g) that rises while neural ' +
        'collapse (j, k, l) falls to 0. Epochs are placed by their logarithms; each panel has its own scale.',
      rows: inRows(coursePanels(followed, rows, () => accent)),
    },
  ];
}
