/** Up to `count` epochs after which weights are saved, evenly in log(epoch), with the last; all if fewer. */
export function snapshotEpochs(epochs: number, count: number): number[] {
  if (count === 0) return [];
  if (count === 1) return [epochs];
  const chosen: number[] = [];
  for (let k = 0; k < Math.min(count, epochs); k++) {
    const even = Math.round(epochs ** (k / (count - 1)));
    chosen.push(Math.max(even, (chosen.at(-1) ?? 0) + 1));
  }
  return chosen;
}

/** The file in a run's folder that holds the weights after an epoch: a checkpoint without momenta. */
export const snapshotFile = (epoch: number): string =>
  `snapshots/epoch-${`${epoch}`.padStart(4, '0')}.safetensors`;
