import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldGrid } from '../../src/kernels/grid.ts';
import { softwareTraits } from '../gpu/traits.ts';

test('a folded grid has room for all workgroups, and for less than a row more', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 1000, max: 65_535 }), (groups, side) => {
      const [x, y, z] = foldGrid(groups, { ...softwareTraits, maxWorkgroupsPerDimension: side });
      expect([x, y].every((n) => n >= 1 && n <= side)).toBe(true);
      expect(z).toBe(1);
      expect(x * y).toBeGreaterThanOrEqual(groups);
      expect(x * y - Math.max(groups, 1)).toBeLessThan(y);
      if (groups <= side) expect(y).toBe(1);
    }),
  );
});
