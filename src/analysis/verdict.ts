/** At least, at most, or between two numbers. */
export type Comparison = '>=' | '<=' | 'between';

/** Whether a value is on its side of a threshold; null, *not measurable*, where it is undefined. */
export function verdictOn(
  value: number | null,
  comparison: Comparison,
  threshold: number | readonly [low: number, high: number],
): boolean | null {
  if (value === null || !Number.isFinite(value)) return null;
  const [low, high] = typeof threshold === 'number' ? [threshold, threshold] : threshold;
  return (comparison === '<=' || value >= low) && (comparison === '>=' || value <= high);
}

/** The verdict on several at once: not measurable if one of them is, or if there are none. */
export const verdictOnAll = (verdicts: readonly (boolean | null)[]): boolean | null =>
  verdicts.length === 0 || verdicts.includes(null) ? null : !verdicts.includes(false);
