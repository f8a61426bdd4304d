import { describe, expect, it } from 'vitest';
import { commandOf } from '../../web/command.ts';
import { PIXELS, pack, TEST, TRAIN, unpack } from '../../web/images.ts';
import { controls, defaults, fromLink, settingNames, toLink } from '../../web/settings.ts';

describe('links', () => {
  it('hold what is not as by default', () => {
    expect(toLink(defaults)).toBe('');
    expect(fromLink('')).toEqual(defaults);
    expect(toLink({ ...defaults, depth: 8, skip: false })).toBe('depth=8&skip=no');
  });

  it.each(settingNames)('hold every value of %s', (name) => {
    const control = controls[name];
    for (const value of control.kind === 'switch' ? [true, false] : control.values) {
      const settings = { ...defaults, [name]: value };
      expect(fromLink(`#${toLink(settings)}`)).toEqual(settings);
    }
  });

  it('hold what lies between the stops of a slider', () => {
    expect(fromLink('width=40&lr=0.03')).toEqual({ ...defaults, width: 40, lr: 0.03 });
  });

  it.each([
    ['depth=99', "the link sets depth to '99'", 'Expected a whole number from 1 to 16.'],
    ['depth=2.5', "the link sets depth to '2.5'", 'Expected a whole number from 1 to 16.'],
    ['depth=', "the link sets depth to ''", 'Expected a whole number from 1 to 16.'],
    ['lr=NaN', "the link sets lr to 'NaN'", 'Expected a number from 0.001 to 1.'],
    ['skip=1', "the link sets skip to '1'", 'Expected yes or no.'],
    ['branchScale=2', "the link sets branchScale to '2'", 'Expected 1, 1/L, learned.'],
  ])('that say %s are refused', (link, message, remedy) => {
    expect(() => fromLink(link)).toThrow(expect.objectContaining({ message, remedy }));
  });

  it('that name what is no setting are refused', () => {
    expect(() => fromLink('toString=1')).toThrow('the link sets toString, which is no setting');
  });
});

describe('the command', () => {
  it('says all that the page sets', () => {
    expect(commandOf({ ...defaults, branchScale: '1/L', depth: 4, norm: false }, 6400)).toBe(
      'npm run reproduce -- mnist-fc --images 6400 --classes 10 --depth 4 --width 32 --epochs 12 --lr 0.1 --momentum 0.9 ' +
        '--weight-decay 0.03 --control-weight-decay 0.003 --norm none --branch-scale 0.25 --samples 20 --seed 1',
    );
    expect(commandOf({ ...defaults, skip: false, branchScale: 'learned' }, 6400)).toMatch(
      /^(?!.*(control|branch)).* --no-skip$/,
    );
  });
});

describe('images', () => {
  const set = (count: number, seed: number) => ({
    ...{ name: 'mnist', count, height: 28, width: 28, channels: 1, classes: 10 },
    images: Uint8Array.from({ length: count * PIXELS }, (_, i) => (seed + 7 * i) % 256),
    labels: Uint8Array.from({ length: count }, (_, i) => (seed + i) % 10),
  });
  const images = {
    split: { train: set(TRAIN, 1), test: set(TEST, 2) },
    normalization: { mean: [0.1307], std: [0.3081] },
  };

  it('come out of the file as they went in', () => {
    const { split, normalization } = unpack(pack(images));
    expect(normalization).toEqual(images.normalization);
    for (const part of ['train', 'test'] as const) {
      const { images: pixels, labels, ...facts } = split[part];
      const { images: givenPixels, labels: givenLabels, ...givenFacts } = images.split[part];
      expect(facts).toEqual(givenFacts);
      // Millions of elements, which `toEqual` would look at one by one.
      expect(Buffer.compare(pixels, givenPixels)).toBe(0);
      expect(Buffer.compare(labels, givenLabels)).toBe(0);
    }
  });

  it('of a file that is too short are refused', () => {
    expect(() => unpack(pack(images).subarray(1))).toThrow('mnist.bin holds 5809015 bytes, expected 5809016');
  });
});
