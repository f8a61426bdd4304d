import { shuffleIndex } from '../kernels/shuffle.ts';

/**
 * Positions of `count` examples at which to take Jacobians: classes in turn, each in an order by `seed`.
 * @example chooseSamples([0, 0, 1, 1], 2, 1) // [1, 2]
 */
export function chooseSamples(labels: ArrayLike<number>, count: number, seed: number): number[] {
  const byClass = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const index = shuffleIndex(i, seed >>> 0, labels.length);
    const label = labels[index]!;
    byClass.set(label, [...(byClass.get(label)?.slice(0, count) ?? []), index]);
    if (byClass.size > 1 && [...byClass.values()].every((list) => list.length >= count)) break;
  }
  const lists = [...byClass.entries()].sort(([a], [b]) => a - b).map(([, list]) => list);
  const chosen: number[] = [];
  for (let round = 0; chosen.length < count && round < labels.length; round++) {
    for (const list of lists) {
      const index = list[round];
      if (index !== undefined && chosen.length < count) chosen.push(index);
    }
  }
  return chosen;
}
