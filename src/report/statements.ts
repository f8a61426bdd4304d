import { type Property, properties } from '../analysis/evidence.ts';

/** What the paper states of a property, in our words, and where its evidence is. */
export interface Statement {
  readonly property: Property;
  /** The paper's name for it, such as RA1; empty if it has none. */
  readonly mark: string;
  readonly short: string;
  readonly statement: string;
  /** What to look at to judge it. */
  readonly evidence: string;
  /** Sweeps with evidence, the most telling first: its first claim goes into the index's first table. */
  readonly sweeps: readonly string[];
  /** The figure that shows it best, of a sweep or a run; null if the numbers say all. */
  readonly figure: string | null;
}

const table: Readonly<Record<Property, Omit<Statement, 'property' | 'mark'>>> = {
  training: {
    short: 'Presupposed: the network learned its task',
    statement:
      'Residual Alignment is claimed of trained networks. Of one that has not learned its task nothing else is measurable, and nothing of a control that has not.',
    evidence: 'Test accuracy of the networks and of their controls without skip connections.',
    sweeps: ['seed', 'dataset', 'no-skip'],
    figure: null,
  },
  RA1: {
    short: 'Representations of an input are equispaced on a line',
    statement:
      'From the first block to the last, the representation of an input moves along one straight line, in steps of one length.',
    evidence:
      'The share of a path’s variance along one direction, the cosine between successive steps, and how much step lengths vary.',
    sweeps: ['seed', 'dataset', 'width'],
    figure: 'ra1-trajectories',
  },
  RA2: {
    short: 'Singular vectors of Residual Jacobians align with each other and across depth',
    statement:
      'The leading left and right singular vectors of a block’s Jacobian point the same way, and those of all blocks do: one basis serves them all.',
    evidence:
      'How much of UⱼᵀJᵢVⱼ lies on its diagonal for different blocks i and j, and the cosine between left and right vectors. Vectors drawn at random would give a diagonal share of 1/C.',
    sweeps: ['seed', 'dataset', 'width'],
    figure: 'ra2-alignment',
  },
  RA3: {
    short: 'Residual Jacobians have rank at most C, the number of classes',
    statement: 'At most C singular values of a block’s Jacobian matter; all others are as good as zero.',
    evidence:
      'The share of ‖J‖² that the first C singular values carry, and how rank and the aligned subspace grow with C.',
    sweeps: ['seed', 'classes', 'dataset'],
    figure: 'ra3-spectra',
  },
  RA4: {
    short: 'The largest singular values scale inversely with depth',
    statement:
      'The deeper the network, the less each block does: the largest singular value falls as one over the number of blocks.',
    evidence:
      'The slope of σ₁ against total depth L, both logarithmic: −1 is inverse proportion, as the paper has it. At the preset quick we measure −1.26 [−1.32, −1.20], a steeper fall; our threshold, −1.5 … −0.8, takes both for inverse.',
    sweeps: ['ra4-depth', 'seed'],
    figure: 'ra4-depth',
  },
  'no-skip': {
    short: 'Without skip connections there is no alignment',
    statement:
      'The same networks without skip connections, trained as well as they can be, do not show Residual Alignment.',
    evidence: 'The measures of RA1–RA4 in plain networks at the weight decays at which these train best.',
    sweeps: ['no-skip', 'seed'],
    figure: 'no-skip',
  },
  scope: {
    short: 'It occurs across depths, widths, numbers of classes and datasets',
    statement:
      'Residual Alignment is no matter of one architecture or dataset: it appears at all depths, widths, numbers of classes and on all datasets tried.',
    evidence: 'The same measures along each of these axes.',
    sweeps: [
      ...['width', 'dataset', 'classes', 'ra4-depth'],
      ...['stochastic-depth', 'weight-decay', 'residual-scaling'],
    ],
    figure: 'width',
  },
  generalization: {
    short: 'It comes with generalization',
    statement:
      'Networks that generalize align, and those that fit labels without meaning align less or not at all.',
    evidence: 'Alignment with true labels against alignment with random ones.',
    sweeps: ['generalization', 'emergence'],
    figure: 'labels',
  },
  collapse: {
    short: 'It comes with neural collapse',
    statement:
      'As training goes on, alignment of the blocks and the collapse of last-layer features onto their class means emerge together.',
    evidence: 'The measures NC1–NC4 beside those of alignment over the epochs of one run.',
    sweeps: ['emergence', 'seed'],
    figure: 'collapse-course',
  },
  theory: {
    short: 'It is optimal in the Unconstrained Jacobians Model',
    statement:
      'Where the Jacobians themselves are the parameters, under a penalty on their norms, two classes have an optimum with aligned singular vectors, Jacobians of rank one, and equal singular values.',
    evidence:
      'The optimum that is found from many starts, checked against the theorem’s conclusions number by number.',
    sweeps: ['unconstrained-jacobians'],
    figure: 'theory-course',
  },
  beyond: {
    short: 'Beyond the paper',
    statement: 'What the paper leaves open, as claims of ours that may well fail.',
    evidence: 'Each sweep’s own page.',
    sweeps: ['recurrent-depth'],
    figure: null,
  },
};

export const statements: readonly Statement[] = properties.map((property) => ({
  ...{ property, mark: property.startsWith('RA') ? property : '' },
  ...table[property],
}));
