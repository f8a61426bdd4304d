import { describe, expect, test } from 'vitest';
import { datasets } from '../../src/data/datasets.ts';
import { catalog } from '../../src/experiments/catalog.ts';
import { dataFacts, deviations } from '../../src/experiments/experiment.ts';
import {
  checkSettings,
  findExperiment,
  type GivenSettings,
  refuseContradiction,
  resolveSettings,
} from '../../src/experiments/given-settings.ts';
import { sweeps } from '../../src/experiments/sweeps/catalog.ts';
import { resolveTheory } from '../../src/experiments/unconstrained/settings.ts';
import { networkOf, networks } from '../../src/models/networks.ts';
import {
  controlSettings,
  dataSettings,
  defaults,
  labelOf,
  type SettingName,
  settingLines,
  settingNames,
} from '../../src/settings/settings.ts';
import type { Settings } from '../../src/settings/table.ts';

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

  test('are listed in a report where they are not by default', () => {
    const labels = (changes: Partial<Settings>) =>
      settingLines({ ...resolve({}), ...changes }).map(([label]) => label);
    const usual = labels({});
    expect(usual).toContain('Epochs');
    for (const name of Object.keys(defaults) as SettingName[]) expect(usual).not.toContain(labelOf(name));
    const listed = labels({ randomLabels: 0.5, testEvery: 5 });
    expect(listed.filter((label) => !usual.includes(label))).toHaveLength(2);
  });

  test('leave network, data and training as in the paper unless told otherwise', () => {
    for (const { model, presets } of Object.values(catalog)) {
      for (const [preset, { settings }] of Object.entries(presets)) {
        const adamw = ['vit', 'gpt'].includes(model) && preset !== 'paper';
        expect(settings).toMatchObject({ ...defaults, ...(adamw && { optimizer: 'adamw' }) });
      }
    }
    const given = { skip: true, superclasses: undefined };
    expect(resolve(given)).toEqual(resolve({}));
  });

  test('are those of a network that can be', () => {
    const vit = (given: GivenSettings) => () => resolveSettings(findExperiment('mnist-vit'), given);
    expect(vit({ heads: '2', patch: '4' })).not.toThrow();
    expect(vit({ heads: '5' })).toThrow('heads is 5 and does not divide width, 32');
    expect(vit({ patch: '5' })).toThrow('patches of 5 do not tile images of 28×28');
  });

  test('of a network without skip connections have no control', () => {
    expect(resolve({ skip: false })).toMatchObject({ skip: false, controlWeightDecay: null });
    const settings = { ...resolve({}), skip: false };
    expect(() => checkSettings(experiment, settings)).toThrow('a control was requested');
  });

  test('that a control cannot have are left out in it, the others kept', () => {
    const settings = resolve({ branchScale: '0.5', survival: '0.9', dropout: '0.1', norm: 'none' });
    expect(controlSettings(settings)).toEqual({
      ...settings,
      ...{ skip: false, branchScale: 1, survival: 1, weightDecay: 0.005, controlWeightDecay: null },
    });
  });

  test('take what is given, in any notation of numbers', () => {
    const settings = resolve({ preset: 'smoke', weightDecay: '2e-3', depth: '4', activation: 'identity' });
    expect(settings).toMatchObject({ weightDecay: 0.002, depth: 4, activation: 'identity', momentum: 0.9 });
    const others = { branchScale: 'learned', randomLabels: '.5', validation: '1e3', images: '2000' };
    expect(resolve({ ...others, norm: 'none' })).toMatchObject({
      ...{ branchScale: 'learned', randomLabels: 0.5, validation: 1000, images: 2000, norm: 'none' },
    });
    expect(resolve({ branchScale: '0.5', branch: 'pre-norm' })).toMatchObject({
      ...{ branchScale: 0.5, branch: 'pre-norm' },
    });
    expect(resolve({ dropout: '-0', momentum: ' +.5 ' })).toMatchObject({ dropout: 0, momentum: 0.5 });
    expect(Object.is(resolve({ dropout: '-0' }).dropout, 0)).toBe(true);
    expect(resolve({ control: false }).controlWeightDecay).toBeNull();
    expect(resolve({ control: true, controlWeightDecay: '0' }).controlWeightDecay).toBe(0);
  });

  test.each<[GivenSettings, string, string]>([
    [{ depth: '0' }, '--depth is 0', 'Give a whole number from 1 to 1000.'],
    [{ depth: '2.5' }, '--depth is 2.5', 'Give a whole number from 1 to 1000.'],
    [{ depth: '0x10' }, '--depth is 0x10', 'Give a whole number from 1 to 1000.'],
    [{ momentum: '0b0' }, '--momentum is 0b0', 'Give a number from 0 to 0.9999.'],
    [{ dropout: '' }, '--dropout is ""', 'Give a number from 0 to 0.99.'],
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
    [{ branchScale: '0' }, '--branch-scale is 0', 'Give a number above 0 and at most 100, or learned.'],
    [
      { branchScale: 'Learned' },
      '--branch-scale is Learned',
      'Give a number above 0 and at most 100, or learned.',
    ],
    [{ norm: 'layer' }, '--norm is layer', 'Give batch or none.'],
    [{ branch: 'pre' }, '--branch is pre', 'Give post-norm or pre-norm or inception.'],
    [{ dropout: '1' }, '--dropout is 1', 'Give a number from 0 to 0.99.'],
    [{ randomLabels: '50%' }, '--random-labels is "50%"', 'Give a number from 0 to 1.'],
    [{ snapshots: '-1' }, '--snapshots is -1', 'Give a whole number from 0 to 1000.'],
    [
      { validation: '5000' },
      '--validation is 5000, but only 0 training images of MNIST follow the first 60000',
      'Give --images 55000, or fewer.',
    ],
    [
      { superclasses: true },
      '--superclasses does not apply to mnist-fc, whose dataset is mnist',
      'Leave it out: it applies to cifar100.',
    ],
    [
      { shortcut: 'dense', tied: true },
      '--shortcut dense and --tied contradict each other',
      'Leave one of them out.',
    ],
    [
      { norm: 'none', branch: 'pre-norm' },
      '--norm none and --branch pre-norm contradict each other',
      'Leave one of them out.',
    ],
    [
      { skip: false, survival: '0.5' },
      '--survival is 0.5 without skip connections',
      'Leave it out: a dropped block would let nothing through.',
    ],
    [
      { skip: false, branchScale: 'learned' },
      '--branch-scale is learned without skip connections',
      'Leave it out: the branch has nothing to be small against.',
    ],
    [
      { skip: false, controlWeightDecay: '1' },
      '--control-weight-decay and --no-skip contradict each other',
      'Leave one of them out.',
    ],
    [{ preset: 'quik' }, 'there is no preset quik', 'Did you mean quick? There are: smoke, quick, paper.'],
  ])('%j are refused', (given, message, remedy) => {
    expect(() => resolve(given)).toThrow(expect.objectContaining({ message, remedy }));
  });

  test('of a resumed run may be repeated, but not changed', () => {
    const run = resolveSettings(experiment, { depth: '4' });
    const check = (given: GivenSettings) => refuseContradiction(given, experiment, run, 'results/x');
    check({});
    check({ depth: '4', preset: 'quick', lr: '1e-1', control: true });
    expect(() => check({ lr: '0.2' })).toThrow('--lr is 0.2, but the run in results/x was begun with 0.1');
    expect(() => check({ preset: 'paper' })).toThrow('--preset is paper');
    expect(() => check({ control: false })).toThrow('--no-control is given');
    expect(() => check({ skip: false })).toThrow('--no-skip is given, but the run');
    expect(() => check({ norm: 'none' })).toThrow(
      '--norm is none, but the run in results/x was begun with batch',
    );
    const cifar100 = findExperiment('cifar100-conv');
    const other = () =>
      refuseContradiction({ superclasses: true }, cifar100, resolveSettings(cifar100, {}), 'x');
    expect(other).toThrow('--superclasses is true, but the run in x was begun with false');
  });
});

test('a worker loads its images anew for settings that change the data, and for no others', () => {
  const base = resolve({});
  const others: Partial<Record<SettingName, unknown>> = {
    activation: 'identity',
    norm: 'none',
    branch: 'pre-norm',
  };
  const key = (settings: Settings) => JSON.stringify(dataSettings(settings));
  const reloads = (from: Settings) =>
    settingNames.filter((name) => {
      const value = from[name];
      const other = typeof value === 'boolean' ? !value : (others[name] ?? Number(value ?? 0) + 1);
      return key({ ...from, [name]: other }) !== key(from);
    });
  const data = ['images', 'randomLabels', 'superclasses', 'classes', 'resolution', 'validation'];
  expect(reloads({ ...base, randomLabels: 0 })).toEqual(data);
  expect(reloads({ ...base, randomLabels: 0.5 })).toEqual(['seed', ...data]);
});

test('an unknown experiment is refused with the nearest name', () => {
  for (const name of ['mnistfc', 'mnist_fc']) {
    expect(() => findExperiment(name)).toThrow(
      expect.objectContaining({
        message: `there is no experiment ${name}`,
        remedy: expect.stringMatching(/^Did you mean mnist-fc\? There are: mnist-fc, mnist-conv, /),
      }),
    );
  }
});

test('departures from the paper are named, and what it leaves open', () => {
  const { quick, paper } = experiment.presets;
  expect(deviations(experiment, quick!.settings)[0]).toBe('Epochs: 10 here, 500 in the paper.');
  const ofPaper = deviations(experiment, paper!.settings).join('\n');
  expect(ofPaper).not.toContain('in the paper');
  expect(ofPaper).toContain('Momentum 0 is our choice; the paper states none.');
  expect(deviations(experiment, { ...paper!.settings, weightDecay: 0.2, classes: 3 }).join('\n')).toMatch(
    /Weight decay: 0\.2 here[\s\S]*\n.*first 3 classes/,
  );
});

test('no experiment departs from the paper in its paper preset, but in what the paper leaves open', () => {
  for (const each of Object.values(catalog)) {
    expect(deviations(each, each.presets.paper.settings).join('\n')).not.toMatch(
      /in the paper\.|the paper states \d/,
    );
  }
  const conv = catalog['cifar10-conv']!;
  const settings = { ...conv.presets.quick.settings, survival: 0.8 };
  const text = deviations(conv, settings).join('\n');
  expect(text).toContain('Weight decay: 0.01 here; the paper states 1e-1 for convolutional networks.');
  expect(text).toContain('10 blocks of 32 channels behind a stem conv–BN–ReLU of stride 8');
  expect(text).toContain('Stochastic depth: a step keeps each branch with the probability 0.8');
});

test('what is unusual about blocks, labels and data is among the departures', () => {
  const { settings } = experiment.presets.paper;
  const usual = deviations(experiment, settings);
  const added = (changes: Partial<Settings>) =>
    deviations(experiment, { ...settings, ...changes }).filter((text) => !usual.includes(text));
  expect(added({ branchScale: 0.25 })).toEqual([
    'The branch of each block has the factor 0.25, which belongs to the Residual Jacobian; the control has none.',
  ]);
  expect(added({ branchScale: 'learned', controlWeightDecay: null })).toEqual([
    'The branch of each block has a learned factor, 0 at first (SkipInit), with weight decay as every parameter; it belongs to the Residual Jacobian.',
  ]);
  expect(added({ dropout: 0.125 })).toEqual([
    'Dropout: a step drops 12.5% of what enters the last linear layer of each branch; the control has it too.',
  ]);
  expect(added({ randomLabels: 1 })).toEqual([
    '100% of the training images have random labels, drawn uniformly from all classes.',
  ]);
  expect(added({ validation: 100 })[0]).toContain('100 training images are held back');
  expect(added({ skip: false, controlWeightDecay: null })[0]).toContain('no skip connections');
  expect(added({ norm: 'none' })[0]).toContain('stem Linear–ReLU, branch Linear–ReLU–Linear, with biases');
  expect(added({ branch: 'pre-norm' })[0]).toContain('branch BN–ReLU–Linear–BN–ReLU–Linear.');
  const coarse = deviations(catalog['cifar100-conv']!, {
    ...catalog['cifar100-conv']!.presets.paper.settings,
    ...{ superclasses: true, classes: 20 },
  }).join('\n');
  expect(coarse).toContain('The classes are the 20 superclasses.');
  expect(coarse).not.toContain('first 20 classes');
});

describe('experiments', () => {
  const conv = findExperiment('mnist-conv');

  test('have a network of their kind for every preset, and a control without skip connections', () => {
    for (const { dataset, model, presets } of Object.values(catalog)) {
      const { side, channels } = datasets[dataset];
      for (const { settings } of Object.values(presets)) {
        const { resolution = side } = settings;
        for (const own of [settings, controlSettings(settings)]) {
          const options = networks[model].optionsOf(own, [resolution, resolution, channels]);
          expect(networkOf(options).options).toEqual(options);
          expect(options).toMatchObject({ kind: model, skip: own === settings });
        }
      }
    }
  });

  test('judge accuracy by what their data allow', () => {
    expect(dataFacts(conv, { randomLabels: 0 })).toEqual({ trainedAt: undefined, randomLabels: false });
    expect(dataFacts(catalog['cifar10-fc']!, { randomLabels: 0.5 })).toEqual({
      trainedAt: 0.45,
      randomLabels: true,
    });
  });

  test('have the stem that their stride takes', () => {
    const stem = (stride: number) => {
      const settings = { ...conv.presets.quick.settings, stride };
      return networks.conv.optionsOf(settings, [28, 28, 1]) as { stem: object };
    };
    expect(stem(1).stem).toEqual({ size: 3, stride: 1, padding: 1 });
    expect(stem(2).stem).toEqual({ size: 3, stride: 2, padding: 1 });
    expect(stem(4).stem).toEqual({ size: 5, stride: 4, padding: 1 });
    expect(stem(6).stem).toEqual({ size: 7, stride: 6, padding: 1 });
  });

  test('know their superclasses', () => {
    const superclasses = (given: GivenSettings) =>
      resolveSettings(findExperiment('cifar100-conv'), { superclasses: true, ...given }).settings;
    expect(superclasses({ preset: 'paper' })).toMatchObject({ superclasses: true, classes: 20 });
    expect(superclasses({ preset: 'paper', classes: '3' }).classes).toBe(3);
    const asValues = { ...conv.presets.quick.settings, superclasses: true, images: 1000, classes: 21 };
    expect(() => checkSettings(findExperiment('cifar100-conv'), asValues)).toThrow(
      '--classes is 21, but CIFAR-100 has 20',
    );
  });

  test('drop blocks in the network alone, not in the control', () => {
    const { settings } = resolveSettings(conv, { survival: '0.9' });
    expect(networks.conv.optionsOf(settings, [28, 28, 1]).survival).toBe(0.9);
    expect(networks.conv.optionsOf(controlSettings(settings), [28, 28, 1]).survival).toBeUndefined();
  });

  test.each<[string, GivenSettings, string, string]>([
    [
      'mnist-conv',
      { width: '8' },
      '--width does not apply to mnist-conv, whose network is conv',
      'it applies to fc, vit, autoencoder, gpt.',
    ],
    [
      'mnist-fc',
      { stride: '2' },
      '--stride does not apply to mnist-fc, whose network is fc',
      'Leave it out: it applies to conv.',
    ],
    [
      'cifar10-resnet34',
      { depth: '9' },
      '--depth does not apply to cifar10-resnet34',
      'it applies to fc, conv, vit, autoencoder, gpt.',
    ],
    ['cifar10-conv', { images: '50001' }, '--images is 50001', 'Give a whole number from 2 to 50000.'],
    ['cifar100-conv', { classes: '101' }, '--classes is 101', 'Give a whole number from 2 to 100.'],
    [
      'mnist-conv',
      { resolution: '14' },
      '--resolution does not apply to mnist-conv, whose dataset is mnist',
      'imagenette',
    ],
    ['imagenette-conv', { resolution: '4' }, '--resolution is 4', 'Give a whole number from 8 to 512.'],
    [
      'mnist-conv',
      { norm: 'none' },
      '--norm does not apply to mnist-conv, whose network is conv',
      'Leave it out',
    ],
    ['mnist-conv', { dropout: '0.1' }, '--dropout does not apply to mnist-conv', 'it applies to fc.'],
    [
      'cifar10-resnet34',
      { branch: 'pre-norm' },
      '--branch does not apply to cifar10-resnet34',
      'Leave it out',
    ],
    [
      'cifar100-conv',
      { superclasses: true, classes: '21' },
      '--classes is 21',
      'Give a whole number from 2 to 20.',
    ],
    ['mnist-conv', { survival: '0' }, '--survival is 0', 'Give a number above 0 and at most 1.'],
  ])('%s: %j is refused', (name, given, message, remedy) => {
    expect(() => resolveSettings(findExperiment(name), given)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(message),
        remedy: expect.stringContaining(remedy),
      }),
    );
  });
});

test.each(['constructor', '__proto__', 'toString'])('%s names no experiment, sweep or preset', (name) => {
  expect(catalog[name]).toBeUndefined();
  expect(sweeps[name]).toBeUndefined();
  expect(() => findExperiment(name)).toThrow(`there is no experiment ${name}`);
  expect(() => resolveSettings(findExperiment('mnist-fc'), { preset: name })).toThrow(
    `there is no preset ${name}`,
  );
  expect(() => resolveTheory({ preset: name })).toThrow(`there is no preset ${name}`);
});
