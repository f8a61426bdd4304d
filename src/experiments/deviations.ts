import { datasets } from '../data/datasets.ts';
import { classesOf, type Experiment, type Settings } from './experiment.ts';
import { paperSettings } from './presets.ts';

/** Weight decays that the paper states, for fully connected networks and for others. */
const DECAYS = { fc: [1e-2, 5e-2], other: [1e-1] };

/** In which ways settings depart from what the paper states, and what it leaves open and we chose. */
export function deviations({ dataset, model }: Experiment, settings: Settings): string[] {
  const { epochs, images, classes, resolution, lr, batch, weightDecay, momentum } = settings;
  const { controlWeightDecay, randomLabels, superclasses, validation } = settings;
  const paper = paperSettings(dataset, model);
  const facts = datasets[dataset];
  const allClasses = classesOf(dataset, settings);
  const differs = (name: string, value: number, wanted: number) =>
    value === wanted ? [] : [`${name}: ${value} here, ${wanted} in the paper.`];
  const decays = DECAYS[model === 'fc' ? 'fc' : 'other'];
  const networks = model === 'fc' ? 'fully connected' : 'convolutional';
  return [
    ...(facts.deviation ? [facts.deviation] : []),
    ...differs('Epochs', epochs, paper.epochs),
    ...differs('Learning rate', lr, paper.lr),
    ...differs('Batch', batch, paper.batch),
    ...(decays.includes(weightDecay)
      ? []
      : [
          `Weight decay: ${weightDecay} here; the paper states ${decays.map((x) => x.toExponential()).join(' and ')} for ${networks} networks.`,
        ]),
    ...(superclasses ? [`The classes are the ${facts.superclasses} superclasses.`] : []),
    ...(classes === allClasses ? [] : [`Only the first ${classes} classes are used.`]),
    ...(images < facts.images && classes === allClasses
      ? [`Only the first ${images} training images are used.`]
      : []),
    ...(resolution === undefined || facts.deviation
      ? []
      : [`Images are brought to ${resolution}×${resolution}, which is our choice.`]),
    `Momentum ${momentum} is our choice; the paper states none.`,
    shapeSentence(model, settings),
    ...(randomLabels === 0
      ? []
      : [
          `Of the training images ${percentage(randomLabels)} have random labels, drawn from all classes alike.`,
        ]),
    ...(validation === 0 ? [] : [`${validation} training images are held back to test on after each epoch.`]),
    ...blockSentences(settings),
    'Weight decay is coupled to the gradient, as in PyTorch; an epoch leaves out its last, partial batch.',
    ...(controlWeightDecay === null
      ? []
      : [
          `The control's weight decay, ${controlWeightDecay}, is our choice: without skip connections the network hardly trains at a large one.`,
        ]),
  ];
}

const percentage = (share: number): string => `${Number((100 * share).toPrecision(3))}%`;

/** What is unusual about the blocks. */
function blockSentences({ skip, branchScale, survival, dropout, controlWeightDecay }: Settings): string[] {
  const control = (words: string) => (controlWeightDecay === null ? '' : `; the control ${words}`);
  return [
    ...(skip ? [] : ['The network has no skip connections: no claim is made of it.']),
    ...(branchScale === 1
      ? []
      : [
          branchScale === 'learned'
            ? `The branch of each block has a learned factor, 0 at first (SkipInit), with weight decay as every parameter; it belongs to the Residual Jacobian${control('has none')}.`
            : `The branch of each block has the factor ${branchScale}, which belongs to the Residual Jacobian${control('has none')}.`,
        ]),
    ...(survival === 1
      ? []
      : [
          `Stochastic depth: a step keeps each branch with the probability ${survival}, the same for all blocks, and divides it by that${control('has none')}.`,
        ]),
    ...(dropout === 0
      ? []
      : [
          `Dropout: a step drops ${percentage(dropout)} of what enters the last linear layer of each branch${control('has it too')}.`,
        ]),
  ];
}

/** The layers of the stem and of the branch of fc. */
function layersInWords({ norm, branch }: Settings): string {
  if (norm === 'none')
    return 'stem Linear–ReLU, branch Linear–ReLU–Linear, with biases in place of BatchNorm';
  const layers = branch === 'pre-norm' ? 'BN–ReLU–Linear–BN–ReLU–Linear' : 'Linear–BN–ReLU–Linear–BN';
  return `stem Linear–BN–ReLU, branch ${layers}`;
}

function shapeSentence(model: Experiment['model'], settings: Settings): string {
  const { depth, width, channels, stride } = settings;
  if (model === 'fc') {
    return `The network's shape is our choice: ${depth} blocks of width ${width}, ${layersInWords(settings)}.`;
  }
  if (model === 'conv') {
    return `The network's shape is our choice: ${depth} blocks of ${channels} channels behind a stem conv–BN–ReLU of stride ${stride}, branch conv3×3–BN–ReLU–conv3×3–BN.`;
  }
  const standard = channels === 64 ? '' : `, with ${channels} channels in the first stage in place of 64`;
  return `The network is a ResNet-34${standard}; alignment is measured within its stages. Its control has no projections either.`;
}
