import type { Ink, Row } from '../../analysis/measures/figure.ts';
import { accent, blockColor, classColor, contrast, neutral } from '../colors.ts';

const inks: Readonly<Record<string, string>> = { accent, contrast, neutral };

/** A color, or the column that has it, or what it is of each row. */
export function pen(ink: Ink | string): string | ((row: Row) => string) {
  if (typeof ink === 'string') return inks[ink] ?? ink;
  const [place, color] = 'scale' in ink ? [ink.scale, blockColor] : [ink.category, classColor];
  return typeof place === 'number' ? color(place, ink.of) : (row) => color(row[place] as number, ink.of);
}

/** Blue above zero, orange below. Twenty steps each: finer ones would be invisible and the file larger. */
export const shade = (cosine: number) => ({
  color: cosine < 0 ? contrast : accent,
  opacity: Math.round(20 * Math.abs(cosine)) / 20,
});
