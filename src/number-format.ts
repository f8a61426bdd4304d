/** Numbers as people read them, in notes, tables and captions. */

/** Whether a number from data with nulls is one. */
export const defined = (x: number | null | undefined): x is number => x != null && Number.isFinite(x);

/** For a table or a caption: three decimals, or three digits where that says more; "—" where undefined. */
export function format(x: number | null | undefined, decimals = 3): string {
  if (!defined(x)) return '—';
  const size = Math.abs(x);
  if (size !== 0 && (size < 0.5 * 10 ** -decimals || size >= 1e6)) return minus(x.toExponential(1));
  return minus(x.toFixed(size >= 100 ? 0 : size >= 10 ? Math.min(decimals, 2) : decimals));
}

/** A standard deviation with as many decimals as its mean is printed with. */
export function formatSpread(std: number, mean: number, decimals = 3): string {
  const size = Math.abs(mean);
  if (size !== 0 && size < 0.5 * 10 ** -decimals) return format(std, decimals);
  return std.toFixed(size >= 100 ? 0 : size >= 10 ? Math.min(decimals, 2) : decimals);
}

export const percent = (x: number, decimals = 1): string => `${(100 * x).toFixed(decimals)}%`;

const minus = (text: string): string => text.replaceAll('-', '−');
