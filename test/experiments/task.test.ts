import { describe, expect, test } from 'vitest';
import { type DataSettings, taskOf } from '../../src/experiments/task.ts';

/** Images of one pixel each, which is their number, with ten classes in turn. */
function numbered(count: number) {
  const of = (f: (i: number) => number) => Uint8Array.from({ length: count }, (_, i) => f(i));
  const shape = { height: 1, width: 1, channels: 1 };
  return {
    ...{ name: 'numbered', count, classes: 10 },
    ...shape,
    images: of((i) => i),
    labels: of((i) => i % 10),
  };
}
const ALL = { train: numbered(2000), test: numbered(300) };

const load = (settings: Partial<DataSettings>) =>
  taskOf(ALL, { classes: 10, images: 1500, seed: 3, ...settings });

describe('random labels', () => {
  const changed = (settings: Parameters<typeof load>[0]) => {
    const { train } = load(settings);
    return [...train.labels.keys()].filter((i) => train.labels[i] !== i % 10);
  };

  test('are as many as asked, the true ones among them by chance', () => {
    expect(changed({ randomLabels: 0 })).toEqual([]);
    // Of those drawn, nine of ten differ.
    expect(Math.abs(changed({ randomLabels: 0.4 }).length - 0.9 * 600)).toBeLessThan(30);
    expect(Math.abs(changed({ randomLabels: 1 }).length - 0.9 * 1500)).toBeLessThan(50);
  });

  test('are of all classes alike, and at images of every part', () => {
    const { train } = load({ randomLabels: 1 });
    const counts = new Array<number>(10).fill(0);
    for (const label of train.labels) counts[label]! += 1;
    for (const count of counts) expect(Math.abs(count - 150)).toBeLessThan(50);
    const firstHalf = changed({ randomLabels: 0.4 }).filter((i) => i < 750).length;
    expect(Math.abs(firstHalf - 270)).toBeLessThan(45);
  });

  test('stay what they were: runs are compared by them', () => {
    const { train } = load({ randomLabels: 1 });
    expect([...train.labels.subarray(0, 16)]).toEqual([1, 8, 2, 4, 4, 7, 6, 5, 7, 8, 3, 2, 9, 2, 2, 6]);
  });

  test.each([-0.1, 1.1, Number.NaN])('are no share of %d', (randomLabels) => {
    expect(() => load({ randomLabels })).toThrow(`randomLabels is ${randomLabels}`);
  });

  test('depend on the seed alone, and a larger share has those of a smaller one', () => {
    const labels = (settings: Parameters<typeof load>[0]) => [...load(settings).train.labels];
    const some = labels({ randomLabels: 0.4 });
    expect(labels({ randomLabels: 0.4 })).toEqual(some);
    expect(labels({ randomLabels: 0.4, seed: 4 })).not.toEqual(some);
    expect(labels({ randomLabels: 0.4, seed: 3 + 2 ** 32 })).not.toEqual(some);
    const more = labels({ randomLabels: 0.8 });
    for (const i of changed({ randomLabels: 0.4 })) expect(more[i]).toBe(some[i]);
  });

  test('are only of images that are trained on', () => {
    const plain = load({ validation: 100 });
    const random = load({ validation: 100, randomLabels: 1 });
    expect(random.train.labels).not.toEqual(plain.train.labels);
    expect({ ...random, train: undefined }).toEqual({ ...plain, train: undefined });
    expect(random.train.images).toEqual(plain.train.images);
    expect([...plain.train.labels.slice(0, 12)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
  });
});

describe('images held back', () => {
  test('are those behind the first that are trained on', () => {
    const { train, validation } = load({ images: 250, validation: 5 });
    expect(train.count).toBe(250);
    expect(validation).toMatchObject({ count: 5, labels: Uint8Array.of(0, 1, 2, 3, 4) });
    expect([...validation!.images]).toEqual([250, 251, 252, 253, 254]);
    expect(load({}).validation).toBeUndefined();
  });

  test('are of the classes in use', () => {
    // Images 0, 1, 10, 11, 20, 21, … are left.
    const { validation } = load({ classes: 2, images: 4, validation: 3 });
    expect(validation).toMatchObject({ images: Uint8Array.of(20, 21, 30), labels: Uint8Array.of(0, 1, 0) });
  });

  test('are refused where there are too few', () => {
    expect(() => load({ classes: 2, validation: 10 })).toThrow(
      expect.objectContaining({
        message: '--validation is 10, but only 0 training images of 2 classes follow the first 400',
        remedy: 'Give --images 390, or fewer.',
      }),
    );
  });
});
