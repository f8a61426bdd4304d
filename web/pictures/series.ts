import { accent, contrast } from '../../src/report/colors.ts';
import type { Pair } from '../protocol.ts';

/** The two networks' names and colors, and text colors, which need more contrast. */
export type Names = Pair<{ readonly name: string; readonly color: string; readonly ink: string }>;

export const namesOf = (skip: boolean): Names => [
  { name: skip ? 'with skips' : 'without, too', color: accent, ink: 'var(--network)' },
  { name: 'twin, without', color: contrast, ink: 'var(--twin)' },
];

export const percent = (share: number): string => `${Math.round(100 * share)}%`;
