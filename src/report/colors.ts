import * as Plot from '@observablehq/plot';

/*
 * Figures are transparent and stand on white paper as well as on a dark page: ink is `currentColor`, and
 * every other color is of middle luminance (0.13–0.3), so that it has contrast ≥ 3 against both.
 */

const categories = [
  ...['#4269d0', '#c07f00', '#dc4a38', '#2a958e', '#d3579a'],
  ...['#4b8f29', '#8e5fd0', '#9c6b4e', '#3d93c4', '#7b838d'],
];

export function classColor(label: number, classes: number): string {
  if (classes <= categories.length) return categories[label % categories.length]!;
  return `hsl(${Math.round((360 * label) / classes)},55%,${label % 2 ? 40 : 52}%)`;
}

const depthScale = Plot.scale({
  color: {
    type: 'linear',
    domain: [0, 0.25, 0.5, 0.75, 1],
    range: ['#cf3f55', '#c07f1c', '#3b9668', '#2f80c3', '#8a63c9'],
    interpolate: 'lab',
  },
});

/** A color per block, from warm to cool. */
export function blockColor(block: number, depth: number): string {
  return depthScale.apply(depth < 2 ? 0 : (block - 1) / (depth - 1)) as string;
}

export const accent = '#2f80c3';
export const contrast = '#cf5a1e';
export const neutral = '#7b838d';
