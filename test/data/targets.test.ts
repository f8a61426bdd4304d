import { expect, test } from 'vitest';
import { firstClasses, standardized } from '../../src/data/dataset.ts';
import { loadDataset } from '../../src/data/load.ts';
import { taskOf } from '../../src/experiments/task.ts';

const waves = await loadDataset('waves');

test('targets of waves are sines that depend on the pixels alone', async () => {
  const { train, test: held } = waves;
  expect([train.count, held.count, train.classes, train.height]).toEqual([20_000, 2_000, 20, 6]);
  expect(train.targets!.every((t) => Math.abs(t) <= 1)).toBe(true);
  expect([...(await loadDataset('waves')).train.targets!.slice(0, 40)]).toEqual([
    ...train.targets!.slice(0, 40),
  ]);
  expect([...held.images.slice(0, 36)]).not.toEqual([...train.images.slice(0, 36)]);
  // To first order t = sin φ + cos φ (a·x): linear models explain a part; of noise it would be 36/4000.
  const column = Array.from({ length: 4000 }, (_, n) => train.targets![20 * n]!);
  const pixels = (n: number) => train.images.subarray(36 * n, 36 * (n + 1));
  const slopes = Array.from(
    { length: 36 },
    (_, p) => column.reduce((sum, t, n) => sum + t * (pixels(n)[p]! - 127.5), 0) / (4000 * (256 ** 2 / 12)),
  );
  const mean = column.reduce((a, b) => a + b) / 4000;
  const linear = column.map(
    (_, n) => mean + slopes.reduce((sum, s, p) => sum + s * (pixels(n)[p]! - 127.5), 0),
  );
  const variance = (x: number[]) => x.reduce((sum, v) => sum + v * v, 0) / x.length;
  const explained =
    1 - variance(column.map((t, n) => t - linear[n]!)) / variance(column.map((t) => t - mean));
  expect(explained).toBeGreaterThan(0.1);
  expect(explained).toBeLessThan(0.97);
});

test('fewer classes are the first components of the target, of all examples', () => {
  const { train } = firstClasses(waves, 3);
  expect([train.count, train.classes, train.targets!.length]).toEqual([20_000, 3, 60_000]);
  expect([...train.targets!.slice(3, 6)]).toEqual([...waves.train.targets!.slice(20, 23)]);
  expect(firstClasses(waves, 1).test.targets).toHaveLength(2_000);
  expect(() => firstClasses(waves, 0)).toThrow('cannot keep 0 classes');
  expect(() => firstClasses(waves, 21)).toThrow('which has 20');
});

test('a task has targets of mean 0 and variance 1 over its training examples, and others on that scale', () => {
  const { train, test: held, validation } = taskOf(waves, { classes: 2, images: 500, validation: 100 });
  const components = (t: Float32Array, c: number) => [...t].filter((_, i) => i % 2 === c);
  for (const c of [0, 1]) {
    const own = components(train.targets!, c);
    const mean = own.reduce((a, b) => a + b) / 500;
    expect(mean).toBeCloseTo(0, 5);
    expect(own.reduce((sum, t) => sum + t * t, 0) / 500).toBeCloseTo(1, 5);
    // One affine map for all parts.
    const before = components(firstClasses(waves, 2).train.targets!, c);
    const slope = (own[1]! - own[0]!) / (before[1]! - before[0]!);
    const moved = (t: number) => own[0]! + slope * (t - before[0]!);
    expect(components(validation!.targets!, c)[7]).toBeCloseTo(moved(before[507]!), 4);
    expect(components(held.targets!, c)[7]).toBeCloseTo(
      moved(components(firstClasses(waves, 2).test.targets!, c)[7]!),
      4,
    );
  }
  const [one] = standardized({ ...train, targets: undefined as never });
  expect(one!.targets).toBeUndefined();
});

test('digits are turned by the angle whose cosine and sine are the target', async () => {
  const [{ train }, plain] = await Promise.all([
    loadDataset('mnist-angles', { images: 40 }),
    loadDataset('mnist'),
  ]);
  expect([train.count, train.classes]).toEqual([40, 2]);
  for (let n = 0; n < 40; n++) {
    const [cos, sin] = [train.targets![2 * n]!, train.targets![2 * n + 1]!];
    expect(Math.hypot(cos, sin)).toBeCloseTo(1, 6);
    expect(cos).toBeGreaterThanOrEqual(0.5 - 1e-6);
    expect(train.labels[n]).toBe(Math.floor(10 * (Math.atan2(sin, cos) / ((2 * Math.PI) / 3) + 0.5)));
    // The center of mass, seen from the middle, turns with the digit.
    const center = (images: Uint8Array) => {
      let [mass, x, y] = [0, 0, 0];
      images.subarray(784 * n, 784 * (n + 1)).forEach((v, i) => {
        mass += v;
        x += v * ((i % 28) - 13.5);
        y += v * (Math.floor(i / 28) - 13.5);
      });
      return [x / mass, y / mass] as const;
    };
    const [[x0, y0], [x1, y1]] = [center(plain.train.images), center(train.images)];
    // Columns run to the right and rows down: a positive angle turns clockwise or not, but all alike.
    expect(x1).toBeCloseTo(cos * x0 - sin * y0, 0);
    expect(y1).toBeCloseTo(sin * x0 + cos * y0, 0);
  }
});
