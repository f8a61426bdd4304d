import type { Claim } from '../../analysis/claim.ts';
import type { ScalarName } from '../../analysis/scalars.ts';
import type { Settings } from '../../settings/table.ts';
import { axis, grid, type Sweep } from '../sweep.ts';
import { aligned, fcBase, MAIN, shows } from './bases.ts';

/** Without a whole skip connection around each block, networks need a lower weight decay: see `no-skip`. */
const GENTLE = { weightDecay: 1e-2 };

const KINDS: readonly (readonly [kind: string, changes: Partial<Settings>])[] = [
  ['residual', {}],
  ['pre-activation', { branch: 'pre-norm', activation: 'identity' }],
  ['inception', { branch: 'inception' }],
  ['dense', { shortcut: 'dense' }],
  ['residual, less decay', GENTLE],
  ['scaled by ½', { skipScale: 0.5, ...GENTLE }],
  ['from the stem', { shortcut: 'input', ...GENTLE }],
  ['from the stem, tied', { shortcut: 'input', tied: true, ...GENTLE }],
  ['none', { skip: false, ...GENTLE }],
];

const claimsOf = (kind: string): Claim<ScalarName>[] => {
  const part = (property: Claim['property']) => ({
    property,
    id: `${property.toLowerCase()}-${kind.replace(/\W+/g, '-')}`,
    where: `with skip connections: ${kind}`,
    of: { at: { kind } },
  });
  return [
    shows('line', part('RA1')),
    aligned(part('RA2')),
    shows('topEnergy', part('RA3')),
    shows('inverseDepthR2', part('RA4')),
  ];
};

/** Which part of a skip connection alignment needs; the paper asks about dense and inception-like ones. */
export const skips: Sweep = {
  name: 'skips',
  title: 'Kinds of skip connections',
  beyond: true,
  question:
    'Which part of a skip connection does Residual Alignment need: that blocks add, that what they add to is whole, that it comes from the block before, or that they write where the others do?',
  summary: 'every measure over kinds of skip connections and branches',
  axes: [{ name: 'kind', label: 'skip connections' }],
  cells: (level) => grid(fcBase(level), axis('kind', ...KINDS)),
  claims: () => KINDS.flatMap(([kind]) => claimsOf(kind)),
  figures: [
    {
      kind: 'scalars',
      file: 'skips',
      title: 'Measures by kind of skip connections',
      caption:
        'Measures by kind of skip connections: one dot per seed, small dots at initialization. Look for kinds that align like residual ones, and for what all others lack.',
      x: 'kind',
      scalars: ['testAccuracy', ...MAIN, 'inverseDepthR2'],
      beside: true,
    },
  ],
  notes: [
    'Dense blocks write into slices of their own: U_jᵀ J_i V_j is 0 for i ≠ j, so no diagonal share is defined; no step goes in the direction of the one before.',
  ],
};
