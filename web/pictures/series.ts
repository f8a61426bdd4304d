import { accent, contrast } from '../../src/report/colors.ts';
import type { Pair } from '../protocol.ts';

/** What the two networks are called, and their colors. */
export type Names = Pair<{ readonly name: string; readonly color: string }>;

export const namesOf = (skip: boolean): Names => [
  { name: skip ? 'with skips' : 'without, too', color: accent },
  { name: 'twin, without', color: contrast },
];

export const percent = (share: number): string => `${Math.round(100 * share)}%`;
