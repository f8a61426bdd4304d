/** n whole numbers, from 0 or `from` on. */
export const range = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => i + from);

/** Groups items by key, in order of the keys' first appearance. */
export function groupBy<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
