import { describe, expect, test } from 'vitest';
import { catalog, deviations } from '../../src/experiments/catalog.ts';
import {
  findExperiment,
  type GivenSettings,
  refuseContradiction,
  resolveSettings,
} from '../../src/experiments/settings.ts';

const experiment = findExperiment('mnist-fc');
const resolve = (given: GivenSettings) => resolveSettings(experiment, given).settings;

describe('settings', () => {
  test('are the quick preset, which is the paper but for its epochs, unless told otherwise', () => {
    const { preset, settings } = resolveSettings(experiment, {});
    expect(preset).toBe('quick');
    expect({ ...settings, epochs: 500 }).toEqual(resolve({ preset: 'paper' }));
    expect(settings).toMatchObject({ epochs: 10, lr: 0.1, batch: 128, momentum: 0, weightDecay: 0.05 });
    expect(settings).toMatchObject({ depth: 8, width: 128, images: 60_000, controlWeightDecay: 0.005 });
  });

  test('take what is given, in any notation of numbers', () => {
    const settings = resolve({ preset: 'smoke', weightDecay: '2e-3', depth: '4', activation: 'identity' });
    expect(settings).toMatchObject({ weightDecay: 0.002, depth: 4, activation: 'identity', momentum: 0.9 });
    expect(resolve({ control: false }).controlWeightDecay).toBeNull();
    expect(resolve({ control: true, controlWeightDecay: '0' }).controlWeightDecay).toBe(0);
  });

  test.each<[GivenSettings, string, string]>([
    [{ depth: '0' }, '--depth is 0', 'Give a whole number from 1 to 1000.'],
    [{ depth: '2.5' }, '--depth is 2.5', 'Give a whole number from 1 to 1000.'],
    [{ width: '1e12' }, '--width is 1e12', 'Give a whole number from 2 to 8192.'],
    [{ classes: '11' }, '--classes is 11', 'Give a whole number from 2 to 10.'],
    [{ epochs: 'many' }, '--epochs is many', 'Give a whole number from 1 to 100000.'],
    [{ epochs: '' }, '--epochs is ""', 'Give a whole number from 1 to 100000.'],
    [{ lr: '0' }, '--lr is 0', 'Give a number above 0 and at most 1000000000.'],
    [{ lr: 'NaN' }, '--lr is NaN', 'Give a number above 0 and at most 1000000000.'],
    [{ lr: '-0.1' }, '--lr is -0.1', 'Give a number above 0 and at most 1000000000.'],
    [{ weightDecay: '-1' }, '--weight-decay is -1', 'Give a number from 0 to 10.'],
    [{ momentum: '1' }, '--momentum is 1', 'Give a number from 0 to 0.9999.'],
    [{ batch: '1' }, '--batch is 1', 'Give a whole number from 2 to 60000.'],
    [{ seed: '-1' }, '--seed is -1', `Give a whole number from 0 to ${Number.MAX_SAFE_INTEGER}.`],
    [{ samples: '0' }, '--samples is 0', 'Give a whole number from 1 to 1000.'],
    [{ activation: 'gelu' }, '--activation is gelu', 'Give relu or identity.'],
    [
      { images: '100' },
      '--batch is 128, more than the 100 training images',
      'Give at most 100, or use more --images.',
    ],
    [
      { images: '4', batch: '2' },
      '--samples is 16, more than the 4 training images',
      'Give at most 4, or use more --images.',
    ],
    [
      { control: false, controlWeightDecay: '1' },
      '--control-weight-decay and --no-control contradict each other',
      'Leave one of them out.',
    ],
    [{ preset: 'quik' }, 'there is no preset quik', 'Did you mean quick? There are: smoke, quick, paper.'],
  ])('%j are refused', (given, message, remedy) => {
    expect(() => resolve(given)).toThrow(expect.objectContaining({ message, remedy }));
  });

  test('of a resumed run may be repeated, but not changed', () => {
    const run = resolveSettings(experiment, { depth: '4' });
    const check = (given: GivenSettings) => refuseContradiction(given, run, 'results/x');
    check({});
    check({ depth: '4', preset: 'quick', lr: '1e-1', control: true });
    expect(() => check({ lr: '0.2' })).toThrow('--lr is 0.2, but the run in results/x was begun with 0.1');
    expect(() => check({ preset: 'paper' })).toThrow('--preset is paper');
    expect(() => check({ control: false })).toThrow('--no-control is given');
  });
});

test('an unknown experiment is refused with the nearest name', () => {
  for (const name of ['mnistfc', 'constructor']) {
    expect(() => findExperiment(name)).toThrow(
      expect.objectContaining({
        message: `there is no experiment ${name}`,
        remedy: 'Did you mean mnist-fc? There is: mnist-fc.',
      }),
    );
  }
});

test('departures from the paper are named, and what it leaves open', () => {
  const { quick, paper } = catalog['mnist-fc']!.presets;
  expect(deviations(quick!.settings)[0]).toBe('Epochs: 10 here, 500 in the paper.');
  const ofPaper = deviations(paper!.settings).join('\n');
  expect(ofPaper).not.toContain('in the paper');
  expect(ofPaper).toContain('Momentum 0 is our choice; the paper states none.');
  expect(deviations({ ...paper!.settings, weightDecay: 0.2, classes: 3 }).join('\n')).toMatch(
    /Weight decay: 0\.2 here.*\n.*first 3 classes/,
  );
});
