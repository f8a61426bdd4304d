/** At least, at most, or between two numbers. */
export type Comparison = '>=' | '<=' | 'between';

/** Whether a value is on its side of a threshold; null, *not measurable*, where it is undefined, or may lie on either by what it may be off. */
export function verdictOn(
  value: number | null,
  comparison: Comparison,
  threshold: number | readonly [low: number, high: number],
  uncertainty = 0,
): boolean | null {
  if (value === null || !Number.isFinite(value)) return null;
  const on = (x: number) => verdictOn(x, comparison, threshold);
  if (uncertainty > 0)
    return [-uncertainty, uncertainty].every((off) => on(value + off) === on(value)) ? on(value) : null;
  const [low, high] = typeof threshold === 'number' ? [threshold, threshold] : threshold;
  return (comparison === '<=' || value >= low) && (comparison === '>=' || value <= high);
}

/** The verdict on several at once: not measurable if one of them is, or if there are none. */
export const verdictOnAll = (verdicts: readonly (boolean | null)[]): boolean | null =>
  verdicts.length === 0 || verdicts.includes(null) ? null : !verdicts.includes(false);
