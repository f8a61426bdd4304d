/** What a run can be told, each with a value. */
export interface Settings {
  readonly seed: number;
  /** Passes over the training images. */
  readonly epochs: number;
  /** Training images, the first ones of the set. */
  readonly images: number;
  /** The first classes of the set. */
  readonly classes: number;
  /** Number L of residual blocks. */
  readonly depth: number;
  /** Number D of features. */
  readonly width: number;
  /** σ in h ← σ(h + F(h)). */
  readonly activation: 'relu' | 'identity';
  readonly batch: number;
  /** At the first step; falls to 0 along a cosine. */
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
  /** That of the no-skip control, which is otherwise trained alike; null where none is trained. */
  readonly controlWeightDecay: number | null;
  /** Training examples at which Jacobians are taken. */
  readonly samples: number;
}

export interface Preset {
  readonly summary: string;
  readonly settings: Settings;
}

export interface Experiment {
  readonly name: string;
  readonly summary: string;
  /** The report's headline. */
  readonly title: string;
  readonly defaultPreset: string;
  readonly presets: Readonly<Record<string, Preset>>;
}

/**
 * The paper's settings for fully connected networks: lr 0.1 with cosine decay, batch 128, 500 epochs, weight decay 5e-2
 * (it names 1e-2 as well). Ours: depth, width, momentum 0 (the paper states none; at 0.9 this weight decay kills
 * blocks), and a control with a weight decay at which a network without skip connections still trains.
 */
const PAPER: Settings = {
  seed: 1,
  epochs: 500,
  images: 60_000,
  classes: 10,
  depth: 8,
  width: 128,
  activation: 'relu',
  batch: 128,
  lr: 0.1,
  momentum: 0,
  weightDecay: 5e-2,
  controlWeightDecay: 5e-3,
  samples: 16,
};

const mnistFc: Experiment = {
  name: 'mnist-fc',
  summary: 'a fully connected ResNet on MNIST, beside the same without skip connections',
  title: 'Residual Alignment in a fully connected ResNet on MNIST',
  defaultPreset: 'quick',
  presets: {
    smoke: {
      summary: 'seconds: half of the images, 3 epochs, and momentum 0.9, with which alignment shows soonest',
      settings: {
        ...PAPER,
        epochs: 3,
        images: 30_000,
        momentum: 0.9,
        weightDecay: 1e-2,
        controlWeightDecay: 1e-3,
        samples: 8,
      },
    },
    quick: {
      summary: "minutes: the paper's settings, but 10 epochs",
      settings: { ...PAPER, epochs: 10 },
    },
    paper: { summary: "hours: the paper's settings, 500 epochs", settings: PAPER },
  },
};

/** Every experiment there is, by name. */
export const catalog: Readonly<Record<string, Experiment>> = { [mnistFc.name]: mnistFc };

/** In which ways settings depart from what the paper states, and what it leaves open and we chose. */
export function deviations(settings: Settings): string[] {
  const { epochs, images, classes, lr, batch, weightDecay, momentum, controlWeightDecay, depth, width } =
    settings;
  const differs = (name: string, value: number, paper: number) =>
    value === paper ? [] : [`${name}: ${value} here, ${paper} in the paper.`];
  return [
    ...differs('Epochs', epochs, PAPER.epochs),
    ...differs('Learning rate', lr, PAPER.lr),
    ...differs('Batch', batch, PAPER.batch),
    ...(weightDecay === 5e-2 || weightDecay === 1e-2
      ? []
      : [`Weight decay: ${weightDecay} here; the paper states 1e-2 and 5e-2 for fully connected networks.`]),
    ...(classes === PAPER.classes ? [] : [`Only the first ${classes} classes are used.`]),
    ...(images < PAPER.images && classes === PAPER.classes
      ? [`Only the first ${images} training images are used.`]
      : []),
    `Momentum ${momentum} is our choice; the paper states none.`,
    `The network's shape is our choice: ${depth} blocks of width ${width}, stem Linear–BN–ReLU, branch Linear–BN–ReLU–Linear–BN.`,
    'Weight decay is coupled to the gradient, as in PyTorch; an epoch leaves out its last, partial batch.',
    ...(controlWeightDecay === null
      ? []
      : [
          `The control's weight decay, ${controlWeightDecay}, is our choice: without skip connections the network hardly trains at a large one.`,
        ]),
  ];
}
