import { above, type Context, type Row, real, whole } from './row.ts';

/*
 * A setting is its type and its row here, no more. The command line, checks, config.json, checkpoints,
 * workers, sweeps, reports and docs/settings.md are folds over the rows.
 */

/** Settings that checkpoints record besides the network; what they omit has its default. */
export interface TrainingOptions {
  readonly seed: number;
  readonly images: number;
  readonly epochs: number;
  readonly batch: number;
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly optimizer?: 'sgd' | 'adamw';
  readonly randomLabels?: number;
  readonly superclasses?: boolean;
  readonly snapshots?: number;
}

/** A run's settings; those that apply to the experiment's network and data have a value. */
export interface Settings extends Required<TrainingOptions> {
  /** Null where no control is trained. */
  readonly controlWeightDecay: number | null;
  readonly classes: number;
  readonly resolution?: number;
  readonly validation: number;
  readonly testEvery: number;
  readonly samples: number;
  readonly compress: boolean;
  readonly lens: boolean;
  readonly depth?: number;
  readonly width?: number;
  readonly channels?: number;
  readonly stride?: number;
  readonly heads?: number;
  readonly patch?: number;
  readonly code?: number;
  readonly activation: 'relu' | 'identity';
  readonly skip: boolean;
  readonly skipScale: number;
  /** `learned`: a parameter of each block, 0 at first. */
  readonly branchScale: number | 'learned';
  readonly survival: number;
  readonly norm: 'batch' | 'none';
  readonly branch: 'post-norm' | 'pre-norm' | 'inception';
  readonly shortcut: 'residual' | 'dense' | 'input';
  readonly dropout: number;
  readonly tied: boolean;
  readonly order: 'pre' | 'post';
  readonly branches: 'together' | 'apart';
}
const size = { changes: 'network', of: 'networks' } as const;
/** For numbers that only the data limit. */
const MANY = 1e9;

const differs =
  (label: string, paper: number) =>
  (value: number): string | false =>
    value !== paper && `${label}: ${value} here, ${paper} in the paper.`;
const percentage = (share: number): string => `${Number((100 * share).toPrecision(3))}%`;
const silent = () => false as const;
const ofControl = ({ settings }: Context<Settings>, words: string): string =>
  settings.controlWeightDecay === null ? '' : `; the control ${words}`;

/** The number of classes, or of superclasses. */
export const classesOf = (
  { classes, superclasses: fewer = classes }: Pick<Context<Settings>['dataset'], 'classes' | 'superclasses'>,
  { superclasses }: Pick<Settings, 'superclasses'>,
): number => (superclasses ? fewer : classes);

/** Every setting, in the order of `--help` and of the files. */
export const rows: { readonly [K in keyof Settings]-?: Row<Exclude<Settings[K], undefined>, Settings> } = {
  seed: {
    what: 'random seed',
    ...{ type: whole(0, Number.MAX_SAFE_INTEGER), changes: 'training', paper: 1, recorded: true },
    changesData: ({ randomLabels }) => randomLabels > 0,
  },
  images: {
    label: 'Training images',
    what: 'use only the first training images',
    ...{ type: whole(2, MANY), changes: 'data', recorded: true },
    rangeIn: ({ images }) => ({ maximum: images }),
    shown: silent,
    deviation: (images, { settings, dataset }) =>
      images < dataset.images &&
      (dataset.regression || settings.classes === classesOf(dataset, settings)) &&
      `Only the first ${images} training images are used.`,
  },
  epochs: {
    what: 'passes over the training images',
    ...{ type: whole(1, 100_000), changes: 'training', paper: 500, recorded: true },
    deviation: differs('Epochs', 500),
  },
  batch: {
    what: 'images per step',
    ...{ type: whole(2, MANY), changes: 'training', paper: 128, recorded: true },
    rangeIn: ({ images }) => ({ maximum: images }),
    deviation: differs('Batch', 128),
  },
  lr: {
    label: 'Learning rate',
    what: 'initial learning rate; it decays to 0 along a cosine',
    ...{ type: above(0, 1e9), changes: 'training', paper: 0.1, recorded: true },
    shown: (lr) => `${lr} with cosine decay to 0`,
    deviation: differs('Learning rate', 0.1),
  },
  momentum: {
    what: 'momentum, below 1; of AdamW, β₁',
    ...{ type: real(0, 0.9999), changes: 'training', paper: 0, recorded: true },
    deviation: (momentum) => `Momentum ${momentum} is our choice; the paper states none.`,
  },
  weightDecay: {
    what: 'weight decay',
    ...{ type: real(0, 10), changes: 'training', recorded: true },
    shown: (decay, { controlWeightDecay: control }) =>
      `${decay}${control === null ? '' : ` (control ${control})`}`,
    deviation: (decay, { network: { decays, convolutional, deviation } }) =>
      deviation === undefined &&
      !decays.includes(decay) &&
      `Weight decay: ${decay} here; the paper states ${decays
        .toSorted((a, b) => a - b)
        .map((x) => x.toExponential())
        .join(' and ')} for ${convolutional ? 'convolutional' : 'fully connected'} networks.`,
  },
  optimizer: {
    what: 'SGD with momentum and coupled weight decay, or AdamW',
    ...{ type: ['sgd', 'adamw'], changes: 'training', default: 'sgd', recorded: true },
    shown: () => 'AdamW',
    deviation: (optimizer) =>
      optimizer === 'adamw' &&
      'The optimizer is AdamW (Loshchilov & Hutter, 2019) with β₂ = 0.999; the paper has SGD.',
  },
  randomLabels: {
    what: 'share of the training images given random labels',
    ...{ type: real(0, 1), changes: 'data', default: 0, recorded: true },
    shown: (share) => `share ${share} of the training images`,
    deviation: (share) =>
      share > 0 &&
      `${percentage(share)} of the training images have random labels, drawn uniformly from all classes.`,
  },
  superclasses: {
    what: 'use the 20 superclasses of CIFAR-100 as classes',
    ...{ type: 'flag', changes: 'data', of: 'datasets', default: false, recorded: true },
    shown: silent,
    deviation: (on, { dataset }) => on && `The classes are the ${dataset.superclasses} superclasses.`,
  },
  snapshots: {
    what: 'snapshots of the weights, after epochs evenly spaced on a log scale',
    ...{ type: whole(0, 1000), changes: 'training', default: 0, recorded: true },
  },
  controlWeightDecay: {
    label: 'Weight decay of the control',
    what: 'weight decay of the control',
    ...{ type: real(0, 10), changes: 'training', paper: 5e-3 },
    shown: silent,
    deviation: (decay) =>
      decay !== null &&
      `The control's weight decay, ${decay}, is our choice: without skip connections the network hardly trains at a large one.`,
  },
  classes: {
    what: 'use only the first classes, or components of the target',
    ...{ type: whole(1, 256), changes: 'data' },
    rangeIn: (dataset, settings) => ({
      ...{ minimum: dataset.regression ? 1 : 2, maximum: classesOf(dataset, settings) },
    }),
    shown: silent,
    deviation: (classes, { settings, dataset }) =>
      classes !== classesOf(dataset, settings) &&
      `Only the first ${classes} ${dataset.regression ? 'components of the target' : 'classes'} are used.`,
  },
  resolution: {
    what: 'height and width of images, for datasets without a fixed size',
    ...{ type: whole(8, 512), changes: 'data', of: 'datasets' },
    shown: (side) => `${side}×${side}`,
    deviation: (side, { dataset }) =>
      dataset.deviation === undefined && `Images are resized to ${side}×${side}, which is our choice.`,
  },
  validation: {
    what: 'training images held back for testing after each epoch',
    ...{ type: whole(0, MANY), changes: 'data', default: 0 },
    shown: (images) => `${images} training images held back`,
    deviation: (images) =>
      images > 0 && `${images} training images are held back to test on after each epoch.`,
  },
  testEvery: {
    label: 'Epochs between tests',
    what: 'epochs between tests; the last epoch is always tested',
    ...{ type: whole(1, 100_000), changes: 'training', default: 1 },
  },
  samples: {
    what: 'training examples at which Jacobians are taken',
    ...{ type: whole(1, 1000), changes: 'analysis', paper: 16 },
    shown: silent,
  },
  compress: {
    label: 'Compressed networks',
    what: 'also measure what is left where blocks are replaced, which takes longer',
    ...{ type: 'flag', changes: 'analysis', default: false },
    shown: () => 'measured',
  },
  lens: {
    label: 'Jacobian lens',
    what: 'also measure how well the mean Jacobian of all later blocks stands for them, which takes longer',
    ...{ type: 'flag', changes: 'analysis', default: false },
    shown: () => 'measured',
  },
  depth: { ...size, label: 'Blocks L', what: 'number L of residual blocks', type: whole(1, 1000) },
  width: { ...size, label: 'Width D', what: 'number D of features', type: whole(2, 8192) },
  channels: {
    ...size,
    what: 'channels; in networks with stages, those of the first',
    type: whole(1, 1024),
  },
  stride: {
    ...size,
    what: 'stride of the stem, which shrinks the maps of all blocks',
    type: whole(1, 32),
  },
  heads: { ...size, what: 'heads of attention, which divide the width', type: whole(1, 256) },
  patch: { ...size, what: 'side of the patches that images are cut into', type: whole(1, 512) },
  code: { ...size, what: 'dimension of the code of an autoencoder', type: whole(1, 1024) },
  activation: {
    label: 'Activation σ',
    what: 'activation σ after each block',
    ...{ type: ['relu', 'identity'], changes: 'network', paper: 'relu' },
  },
  skip: {
    label: 'Skip connections',
    what: 'train a network without skip connections, and no control',
    ...{ type: 'flag', changes: 'network', paper: true },
    shown: (skip) => !skip && 'none',
    deviation: (skip) => !skip && 'The network has no skip connections: no claim is made of it.',
  },
  skipScale: {
    what: 'factor of what skip connections carry',
    ...{ type: above(0, 100), changes: 'network', default: 1 },
    needsSkip: 'there is nothing to scale.',
    deviation: (scale, context) =>
      scale !== 1 && `Skip connections have the factor ${scale}${ofControl(context, 'has none')}.`,
  },
  branchScale: {
    what: 'factor of the branch F in each block',
    ...{ type: { ...above(0, 100), word: 'learned' }, changes: 'network', default: 1 },
    needsSkip: 'the branch has nothing to be small against.',
    deviation: (scale, context) =>
      scale !== 1 &&
      (scale === 'learned'
        ? `The branch of each block has a learned factor, 0 at first (SkipInit), with weight decay as every parameter; it belongs to the Residual Jacobian${ofControl(context, 'has none')}.`
        : `The branch of each block has the factor ${scale}, which belongs to the Residual Jacobian${ofControl(context, 'has none')}.`),
  },
  survival: {
    label: 'Stochastic depth',
    what: 'stochastic depth: probability that a step keeps a block',
    ...{ type: above(0, 1), changes: 'network', default: 1 },
    needsSkip: 'a dropped block would let nothing through.',
    shown: (p) => `a block survives a step with probability ${p}`,
    deviation: (p, context) =>
      p < 1 &&
      `Stochastic depth: a step keeps each branch with the probability ${p}, the same for all blocks, and divides it by that${ofControl(context, 'has none')}.`,
  },
  norm: {
    label: 'BatchNorm',
    what: 'BatchNorm, or biases in its place',
    ...{ type: ['batch', 'none'], changes: 'network', of: 'networks', default: 'batch' },
    shown: () => 'none; linear layers have biases',
  },
  branch: {
    what: 'BatchNorm after or before the linear layers of a branch, or parallel paths of one to three layers',
    ...{ type: ['post-norm', 'pre-norm', 'inception'], changes: 'network', of: 'networks' },
    default: 'post-norm',
  },
  shortcut: {
    what: 'what skip connections carry: h; all h before, side by side (dense); or the stem’s output (input)',
    ...{ type: ['residual', 'dense', 'input'], changes: 'network', of: 'networks', default: 'residual' },
    needsSkip: 'there is nothing to carry it.',
    deviation: (kind, context) =>
      kind !== 'residual' &&
      `Skip connections carry ${kind === 'dense' ? 'all that blocks before wrote, side by side' : 'the stem’s output'}${ofControl(context, 'has none')}.`,
  },
  dropout: {
    what: 'dropout rate before the last linear layer of each branch',
    ...{ type: real(0, 0.99), changes: 'network', of: 'networks', default: 0 },
    shown: (rate) => `rate ${rate} before the last linear layer of each branch`,
    deviation: (rate, context) =>
      rate > 0 &&
      `Dropout: a step drops ${percentage(rate)} of what enters the last linear layer of each branch${ofControl(context, 'has it too')}.`,
  },
  tied: {
    label: 'Tied blocks',
    what: 'share the linear layers of all blocks',
    ...{ type: 'flag', changes: 'network', of: 'networks', default: false },
    shown: () => 'all blocks share their linear layers',
    deviation: (tied, context) =>
      tied && `All blocks share their linear layers${ofControl(context, 'shares them too')}.`,
  },
  order: {
    label: 'Norms',
    what: 'norms before attention and MLP, or behind their sums with h',
    ...{ type: ['pre', 'post'], changes: 'network', of: 'networks', default: 'pre' },
    shown: () => 'behind attention and MLP',
  },
  branches: {
    label: 'Blocks measured',
    what: 'attention and MLP of a layer measured as one block, or each as one',
    ...{ type: ['together', 'apart'], changes: 'network', of: 'networks', default: 'together' },
    shown: () => 'attention and MLP each',
  },
};
