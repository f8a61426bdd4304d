import type { Claim } from '../analysis/results.ts';
import type { ReportData } from './data.ts';
import { format, percent } from './numbers.ts';
import { escapeText } from './svg.ts';

const properties: Record<Claim['property'], string> = {
  training: 'Presupposed: the network learned its task',
  RA1: 'Representations of an input are equispaced on a line',
  RA2: 'Singular vectors of Residual Jacobians align with each other and across depth',
  RA3: 'Residual Jacobians have rank at most C, the number of classes',
  RA4: 'The largest singular values scale inversely with depth',
};

/** The result in a sentence. */
export function resultSentence({ claims, run }: ReportData): string {
  const alignment = claims.filter((c) => c.property !== 'training');
  const failed = alignment.filter((c) => !c.holds);
  const untrained = claims.filter((c) => c.property === 'training' && !c.holds);
  const { trained } = run.analysis;
  const epochs = run.metrics.length;
  const after = epochs > 0 ? `After ${epochs} ${plural(epochs, 'epoch')}, at` : 'At';
  const subject = `${after} ${percent(trained.testAccuracy)} test accuracy, `;
  const caution =
    untrained.length > 0 ? ' The network did not reach the accuracy that the others presuppose.' : '';
  if (alignment.length === 0) return `${subject}no claim of Residual Alignment was judged.${caution}`;
  const on = ` on ${trained.samples.length} ${plural(trained.samples.length, 'sample')}`;
  if (failed.length === 0) {
    const all = alignment.length === 1 ? 'the one claim' : `all ${alignment.length} claims`;
    return `${subject}${all} of Residual Alignment ${alignment.length === 1 ? 'holds' : 'hold'}${on}.${caution}`;
  }
  const names = failed.map((c) => `${c.title} (${c.property})`).join('; ');
  return `${subject}${alignment.length - failed.length} of ${alignment.length} claims of Residual Alignment hold${on}. Does not hold: ${names}.${caution}`;
}

const plural = (n: number, noun: string): string => (n === 1 ? noun : `${noun}s`);

/** The table of claims, a group of rows a property. Its roles outlive the phone's layout of cards. */
export function verdictTable({ claims, control }: ReportData): string {
  const columns = [
    'Claim',
    'Measured',
    'Threshold',
    'At initialization',
    ...(control ? [control.label] : []),
    'Verdict',
  ];
  const groups = (Object.keys(properties) as Claim['property'][])
    .map((property) => ({ property, rows: claims.filter((c) => c.property === property) }))
    .filter(({ rows }) => rows.length > 0);
  const head = columns.map(
    (c, i) =>
      `<th scope="col" role="columnheader"${i && i < columns.length - 1 ? ' class="number"' : ''}>${escapeText(c)}</th>`,
  );
  const bodies = groups.map(
    ({ property, rows }) =>
      `<tbody role="rowgroup"><tr role="row" class="group"><th role="rowheader" scope="rowgroup" colspan="${columns.length}">` +
      `${property === 'training' ? '' : `<b>${property}</b> `}${properties[property]}</th></tr>` +
      `${rows.map((claim) => row(claim, control?.label)).join('')}</tbody>`,
  );
  const undefinedCell = claims.some(
    (c) => c.value === null || c.atInitialization === null || (control && c.control === null),
  );
  return (
    `<table role="table" class="verdicts"><caption>Claims, measured on the trained network</caption>` +
    `<thead role="rowgroup"><tr role="row">${head.join('')}</tr></thead>${bodies.join('')}</table>` +
    `<p class="note">± is one standard deviation over samples. The thresholds are ours, not the paper’s.` +
    (undefinedCell
      ? ' A dash means that the measure is undefined there, as for a dead block (J = 0) or too few blocks.'
      : '') +
    '</p>'
  );
}

function row(claim: Claim, controlLabel: string | undefined): string {
  const digits = decimals(claim);
  const cell = (label: string, text: string) =>
    `<td role="cell" class="number" data-label="${escapeText(label)}"><span>${text}</span></td>`;
  const value = format(claim.value, digits);
  const spread = `<span class="spread">${claim.spread === null ? '' : ` ± ${claim.spread.toFixed(digits)}`}</span>`;
  return (
    `<tr role="row" class="claim"><th role="rowheader" scope="row">${escapeText(capitalized(claim.title))}<small>${escapeText(claim.measure)}</small></th>` +
    cell('Measured', `<strong>${value}</strong>${spread}`) +
    cell('Threshold', `${claim.comparison === '>=' ? '≥' : '≤'} ${+claim.threshold.toFixed(3)}`) +
    cell('At initialization', format(claim.atInitialization, digits)) +
    (controlLabel === undefined ? '' : cell(controlLabel, format(claim.control, digits))) +
    `<td role="cell" class="verdict ${claim.holds ? 'holds' : 'fails'}"><span aria-hidden="true">${claim.holds ? '✓' : '✗'}</span> ` +
    `${claim.holds ? 'holds' : 'does not hold'}</td></tr>`
  );
}

/** Latin letters only: a σ is not a word's first letter. */
const capitalized = (text: string): string => text.replace(/^[a-z]/, (c) => c.toUpperCase());

/** Three, or as many as it takes for the printed value to be on its own side of the threshold. */
function decimals({ value, threshold }: Claim): number {
  if (value === null || !Number.isFinite(value) || value === threshold) return 3;
  const side = Math.sign(value - threshold);
  return [3, 4, 5, 6].find((d) => Math.sign(Number(value.toFixed(d)) - threshold) === side) ?? 7;
}
