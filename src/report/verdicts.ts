import { type Evidence, thresholdInWords, verdictOn } from '../analysis/evidence.ts';
import type { Row } from '../analysis/measures/figure.ts';
import { defined, format, formatSpread } from '../number-format.ts';
import {
  type ColumnOf,
  type Link,
  note,
  type Part,
  type ShownVerdict,
  type Table,
  tableOf,
  tableRows,
} from './page.ts';
import { statements } from './statements.ts';

export interface Shown extends Evidence {
  /** Where it comes from, in a table of several sources. */
  readonly source?: Link;
}

/** The value's error bound, if it shows in three decimals or leaves the verdict open. */
const uncertaintyInWords = ({ value, threshold, uncertainty }: Evidence): string =>
  defined(uncertainty) &&
  defined(value) &&
  (uncertainty >= 5e-4 || verdictOn(value, threshold, uncertainty) === 'not measurable')
    ? `; known to ±${format(uncertainty)}, as singular values lie close`
    : '';

const seedsInWords = ({ values, holding, verdict }: Evidence): string =>
  values.length > 1 && verdict !== 'not measurable' ? `${holding} of ${values.length}` : '—';

/** A value with its spread or interval, with as many digits as the verdict needs. */
export function measuredInWords(claim: Evidence): { value: string; spread: string } {
  const digits = decimals(claim);
  const { value, spread, interval } = claim;
  return {
    value: format(value, digits),
    spread: interval
      ? ` [${interval.map((x) => format(x, digits)).join(', ')}]`
      : defined(spread)
        ? ` ± ${formatSpread(spread, value ?? 0, digits)}`
        : '',
  };
}

/** The columns of evidence's numbers, without empty ones. */
export function numberColumns(
  claims: readonly Shown[],
  controlLabel?: string,
  beside = 'At initialization',
): ColumnOf<Shown>[] {
  const columns: (ColumnOf<Shown> | false)[] = [
    [
      'Measured',
      (c) => {
        const { value, spread } = measuredInWords(c);
        return { text: value, strong: true, after: spread };
      },
      'numeric',
    ],
    ['Threshold', (c) => thresholdInWords(c.threshold), 'numeric'],
    [beside, (c) => format(c.atInitialization, decimals(c)), 'numeric'],
    (controlLabel !== undefined || claims.some((c) => defined(c.control))) && [
      controlLabel ?? 'Control',
      ({ controlLabel: small, ...c }) => ({
        text: format(c.control, decimals(c)),
        ...(defined(c.control) && small && { small }),
      }),
      'numeric',
    ],
    claims.some((c) => c.values.length > 1) && ['Seeds that hold', seedsInWords, 'numeric'],
  ];
  return columns.filter((column) => column !== false);
}

/** The table of claims, a group of rows per property. */
export function verdictTable(claims: readonly Shown[], controlLabel?: string, beside?: string): Table {
  const columns: ColumnOf<Shown>[] = [
    ['Claim', (c) => ({ text: capitalized(c.title), small: c.measure + uncertaintyInWords(c) })],
    ...numberColumns(claims, controlLabel, beside),
    ...(claims.some((c) => c.source)
      ? [['Source', ({ source }: Shown) => ({ text: source ? [source] : '' })] as const]
      : []),
    ['Verdict', ({ verdict, reason: small }) => ({ text: '', verdict, ...(small && { small }) })],
  ];
  const groups = statements.flatMap(({ property, mark, short }) => {
    const rows = tableRows(
      columns,
      claims.filter((c) => c.property === property),
    );
    return rows.length > 0 ? [{ title: { mark, text: short }, rows }] : [];
  });
  return {
    ...tableOf('Claims, measured on the trained networks', columns, []),
    // The rows of one property need no headline of their own.
    groups: groups.length === 1 ? groups.map(({ rows }) => ({ rows })) : groups,
    cards: true,
  };
}

/** A page's claims, and what their numbers mean. */
export const verdicts = (claims: readonly Shown[], words: string, controlLabel?: string): Part[] =>
  claims.length > 0
    ? [verdictTable(claims, controlLabel), note(words)]
    : [{ kind: 'text', text: 'No claim was judged.' }];

export function verdictNote(claims: readonly Evidence[], over: 'samples' | 'seeds'): string {
  const undefinedCell = claims.some((c) => [c.value, c.atInitialization, c.control].includes(null));
  const interval = claims.some((c) => c.interval)
    ? ' Brackets hold the 95% confidence interval of a fit.'
    : '';
  return (
    `± is one standard deviation over ${over}.${interval} The thresholds are ours, not the paper’s.` +
    (undefinedCell
      ? ' A dash means that the measure is undefined there, as for a dead block (J = 0) or too few blocks, or was not taken.'
      : '')
  );
}

/** Evidence as a row of CSV, without its values. */
export function evidenceRow({ threshold, interval, values, ...claim }: Evidence): Row {
  const [low, high] = interval ?? [];
  return {
    ...claim,
    ...{ atLeast: threshold.atLeast, atMost: threshold.atMost },
    ...{ interval: low, intervalHigh: high, seeds: values.length },
  };
}

/** Several verdicts as one: those not measurable count only if there are no others. */
export function together(claims: readonly Pick<Evidence, 'verdict'>[]): ShownVerdict {
  if (claims.length === 0) return 'not measured';
  const judged = claims.filter((c) => c.verdict !== 'not measurable');
  const holding = judged.filter((c) => c.verdict === 'holds').length;
  if (judged.length === 0) return 'not measurable';
  return holding === judged.length ? 'holds' : holding === 0 ? 'does not hold' : 'holds in part';
}

interface Wording {
  readonly noun?: string;
  /** Behind the noun, and behind "hold". */
  readonly of?: string;
  readonly where?: string;
  /** What claims that do not hold, or are not measurable, are called; default: they are only counted. */
  readonly named?: (claim: Evidence) => string;
}

/** Sums up claims in a sentence or a few: `2 of 3 claims hold. Does not hold: σ₁ falls with every block.` */
export function verdictSentence(
  claims: readonly Evidence[],
  { noun = 'claim', of = '', where = '', named }: Wording = {},
): string {
  if (claims.length === 0) return `No ${noun}${of} was judged.`;
  const all = `${plural(claims.length, noun)}${of}`;
  const those = (verdict: ShownVerdict) => claims.filter((c) => c.verdict === verdict);
  const holding = those('holds').length;
  if (holding === claims.length)
    return `${holding === 1 ? `The one ${noun}${of} holds` : `All ${all} hold`}${where}.`;
  const vague = those('not measurable').length;
  const count = `${holding} of ${all} hold${claims.length === 1 ? 's' : ''}${where}`;
  if (!named) return `${count}${vague > 0 ? `; ${vague} not measurable` : ''}.`;
  const lists = (['does not hold', 'not measurable'] as const).flatMap((verdict) =>
    those(verdict).length > 0 ? ` ${capitalized(verdict)}: ${those(verdict).map(named).join('; ')}.` : [],
  );
  return `${count}.${lists.join('')}`;
}

/** Latin letters only: a σ is not a word's first letter. */
export const capitalized = (text: string): string => text.replace(/^[a-z]/, (c) => c.toUpperCase());

export const plural = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** Three digits, or as many as keep the printed value on its side of the threshold. */
function decimals({ value, threshold }: Pick<Evidence, 'value' | 'threshold'>): number {
  const bounds = Object.values(threshold);
  if (!defined(value) || bounds.includes(value)) return 3;
  const sides = (x: number) => bounds.map((t) => Math.sign(x - t)).join();
  return [3, 4, 5, 6].find((d) => sides(Number(value.toFixed(d))) === sides(value)) ?? 7;
}
