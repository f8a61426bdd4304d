import type { Claim } from '../analysis/results.ts';
import type { TheoryClaim } from '../analysis/unconstrained/results.ts';
import { type ClaimProperty, isIncomplete, type SweepClaim } from '../experiments/sweep-results.ts';
import { defined, format, formatSpread } from './numbers.ts';
import { paperClaims } from './paper-claims.ts';
import { type Cell, type Column, type Inline, type Table, type Verdict, verdictOf } from './parts.ts';

/** A claim as a row of a table, judged in one run or over the seeds of a sweep. */
export interface Judged {
  readonly property: ClaimProperty;
  readonly title: string;
  readonly measure: string;
  readonly value: number | null;
  readonly spread: number | null;
  readonly interval?: readonly [number, number] | undefined;
  readonly comparison: SweepClaim['comparison'];
  readonly threshold: SweepClaim['threshold'];
  readonly atInitialization: number | null;
  readonly control: number | null;
  readonly controlLabel?: string | undefined;
  /** In how many seeds, or starts, of how many it holds; not of a single run. */
  readonly seeds?: readonly [holding: number, all: number];
  /** What `seeds` counts, where these are no seeds. */
  readonly counted?: string;
  readonly holds: boolean | null;
  readonly uncertainty?: number | null;
  readonly incomplete?: boolean;
  /** Where it comes from, in a table of several sources. */
  readonly source?: Inline;
}

export const fromRun = (claim: Claim): Judged => claim;

export const fromSweep = (claim: SweepClaim): Judged => ({
  ...claim,
  spread: claim.values.length > 1 ? claim.spread : null,
  seeds: [claim.seedsHolding, claim.values.length],
  incomplete: isIncomplete(claim),
});

export const fromTheory = ({ startsHolding, starts, ...claim }: TheoryClaim): Judged => ({
  ...claim,
  controlLabel: 'without skip connections',
  counted: 'starts',
  ...(startsHolding !== null && { seeds: [startsHolding, starts] as const }),
});

/** What the value may be off by, where that shows in three decimals or leaves the verdict open. */
const uncertaintyInWords = ({ uncertainty, holds }: Judged): string =>
  defined(uncertainty) && (uncertainty >= 5e-4 || (holds === null && uncertainty > 0))
    ? `; known to ±${format(uncertainty)}, as singular values lie close`
    : '';

/** In how many seeds a claim holds. */
export const seedsInWords = ({ seeds, counted, holds }: Judged): string =>
  seeds && holds !== null ? `${seeds.join(' of ')}${counted ? ` ${counted}` : ''}` : '—';

/** A row's threshold, as in `≥ 0.95`. */
export function thresholdInWords({
  comparison,
  threshold,
}: Pick<Judged, 'comparison' | 'threshold'>): string {
  const short = (x: number) => String(+x.toPrecision(6)).replace('-', '−');
  if (typeof threshold !== 'number') return `${short(threshold[0])} … ${short(threshold[1])}`;
  return `${comparison === '>=' ? '≥' : '≤'} ${short(+threshold.toFixed(4) || threshold)}`;
}

/** A value with its spread or interval, with as many digits as the verdict needs. */
export function valueInWords(claim: Judged): { value: string; spread: string } {
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

/** The table of claims, a group of rows a property: none of the columns that all rows would leave empty. */
export function verdictTable(claims: readonly Judged[], controlLabel?: string): Table {
  const [seeds, sources, named] = [
    claims.some((c) => c.seeds),
    claims.some((c) => c.source !== undefined),
    claims.some((c) => c.controlLabel),
  ];
  const controls = controlLabel !== undefined || claims.some((c) => defined(c.control));
  const columns: (Column & { of: (c: Judged, digits: number) => Cell })[] = [
    { label: 'Claim', of: (c) => ({ text: capitalized(c.title), small: c.measure + uncertaintyInWords(c) }) },
    {
      ...{ label: 'Measured', numeric: true },
      of: (c) => {
        const { value, spread } = valueInWords(c);
        return { text: value, strong: true, after: spread };
      },
    },
    { label: 'Threshold', numeric: true, of: (c) => ({ text: thresholdInWords(c) }) },
    {
      ...{ label: 'At initialization', numeric: true },
      of: (c, digits) => ({ text: format(c.atInitialization, digits) }),
    },
  ];
  if (controls)
    columns.push({
      ...{ label: controlLabel ?? 'Control', numeric: true },
      of: (c, digits) => ({
        text: format(c.control, digits),
        ...(named && defined(c.control) && c.controlLabel && { small: c.controlLabel }),
      }),
    });
  if (seeds)
    columns.push({
      ...{ label: 'Seeds that hold', numeric: true },
      of: (c) => ({ text: seedsInWords(c) }),
    });
  if (sources) columns.push({ label: 'Source', of: (c) => ({ text: c.source ?? '' }) });
  columns.push({ label: 'Verdict', of: (c) => ({ text: '', verdict: verdictOf(c) }) });
  const groups = paperClaims
    .map(({ property, mark, short }) => ({
      title: { mark, text: short },
      rows: claims
        .filter((c) => c.property === property)
        .map((c) => columns.map(({ of }) => of(c, decimals(c)))),
    }))
    .filter(({ rows }) => rows.length > 0);
  return {
    kind: 'table',
    caption: 'Claims, measured on the trained networks',
    columns: columns.map(({ of: _, ...column }) => column),
    // The rows of one claim of the paper need no headline of their own.
    groups: groups.length === 1 ? groups.map(({ rows }) => ({ rows })) : groups,
    cards: true,
  };
}

/** What the numbers of a verdict table mean. */
export function verdictNote(claims: readonly Judged[], over: 'samples' | 'seeds'): string {
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

/** Several claims as one: what is missing does not count where others are there. */
export function together(claims: readonly Pick<Judged, 'holds' | 'incomplete'>[]): Verdict {
  const judged = claims.filter((c) => c.holds !== null);
  if (judged.length === 0) return claims.some((c) => !c.incomplete) ? 'undefined' : 'open';
  const holding = judged.filter((c) => c.holds).length;
  return holding === judged.length ? 'holds' : holding === 0 ? 'fails' : 'part';
}

/** The titles of the claims that do not hold, and of those that are not measurable, as sentences; empty where all hold. */
export function failedInWords(
  claims: readonly Pick<Judged, 'holds' | 'incomplete'>[],
  names: readonly string[],
): string {
  const list = (verdict: Verdict, words: string) => {
    const own = names.filter((_, i) => verdictOf(claims[i]!) === verdict);
    return own.length > 0 ? ` ${words}: ${own.join('; ')}.` : '';
  };
  return list('fails', 'Does not hold') + list('undefined', 'Not measurable');
}

/** Latin letters only: a σ is not a word's first letter. */
export const capitalized = (text: string): string => text.replace(/^[a-z]/, (c) => c.toUpperCase());

export const plural = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** Three, or as many as it takes for the printed value to be on its own side of the thresholds. */
function decimals({ value, threshold }: Pick<Judged, 'value' | 'threshold'>): number {
  const bounds = typeof threshold === 'number' ? [threshold] : threshold;
  if (!defined(value) || bounds.includes(value)) return 3;
  const sides = (x: number) => bounds.map((t) => Math.sign(x - t)).join();
  return [3, 4, 5, 6].find((d) => sides(Number(value.toFixed(d))) === sides(value)) ?? 7;
}
