import { CollimateError } from '../../errors.ts';
import type { AdapterTraits } from '../../gpu/kernel.ts';
import { bind } from '../bind.ts';
import type { Graph } from '../graph.ts';
import { ancestors, bytesOf, formatShape, type Tensor } from '../tensor.ts';
import { type CopyingStep, withPadding, withTexels } from './copies.ts';
import { emit } from './emit.ts';
import { aliasRoot } from './expression.ts';
import { fuse } from './fuse.ts';
import { checkPairs, checkReplacements, type InPlace, readBeforeReplacing } from './in-place.ts';
import { emitLoop } from './loop.ts';
import { placeValues } from './memory.ts';
import { simplify } from './simplify.ts';

/** A kernel with the memory that it binds, and the copies into textures that it needs first. */
export type Dispatch = CopyingStep;

/** A graph as a fixed list of dispatches over planned memory. Plain data: it knows no device. */
export interface Plan {
  readonly dispatches: readonly Dispatch[];
  /** The graph's own arrays, bound after its inputs. */
  readonly constants: readonly Tensor<'input'>[];
  /** Bytes of each slot. */
  readonly slots: readonly number[];
  /** Bytes of each texture. */
  readonly textures: readonly number[];
  readonly inPlace: InPlace;
}

/** Lowers a graph pass by pass: simplifies, fuses into groups, orders them, emits kernels, places values. */
export function plan(
  graph: Pick<Graph, 'inputs' | 'outputs'>,
  traits: AdapterTraits,
  { inPlace = new Map() }: Partial<Pick<Plan, 'inPlace'>> = {},
): Plan {
  checkPairs(graph, inPlace);
  const laid = stepsOf(graph, traits, inPlace);
  const { steps, slots } = withPadding(laid.steps, laid.slots, traits);
  return { ...withTexels(steps), constants: laid.constants, slots, inPlace };
}

/** The same without copies in other forms. */
function stepsOf(
  graph: Pick<Graph, 'inputs' | 'outputs'>,
  traits: AdapterTraits,
  inPlace: InPlace = new Map(),
): ReturnType<typeof placeValues> & Pick<Plan, 'constants'> {
  const outputs = ownOutputs(simplify(graph.outputs));
  const constants = ancestors(outputs).filter((x) => x.is('input') && x.params.data) as Tensor<'input'>[];
  const inputs = [...graph.inputs, ...constants];
  const replaced = new Map([...inPlace].map(([o, i]) => [aliasRoot(outputs[o]!), inputs[i]!]));
  const groups = readBeforeReplacing(fuse(outputs, traits, replaced), replaced);
  for (const t of [...inputs, ...groups.flatMap(({ nodes }) => nodes)]) checkBinding(t, traits);
  checkReplacements(groups, replaced, outputs);
  const emitted = groups.map((group) =>
    group.kind === 'loop'
      ? emitLoop(group, traits, (body) => stepsOf(body, traits))
      : emit(group, traits, replaced),
  );
  return { ...placeValues({ inputs, outputs }, groups, emitted), constants };
}

function checkBinding(t: Tensor, { maxBindingBytes }: AdapterTraits): void {
  if (bytesOf(t) <= maxBindingBytes) return;
  throw new CollimateError(
    `${t.op} of shape ${formatShape(t.shape)} takes ${bytesOf(t)} bytes, more than the ${maxBindingBytes} that this adapter lets one binding span`,
    'Use smaller sizes: a smaller batch, fewer samples, or fewer tangents at a time.',
  );
}

/**
 * Gives each output a buffer of its own: inputs, and outputs that share one, are copied. Of equal outputs
 * all are, not one from another: they may be views of one buffer, which no dispatch may read and write.
 */
function ownOutputs(outputs: readonly Tensor[]): Tensor[] {
  const roots = outputs.map(aliasRoot);
  const uses = new Map<Tensor, number>();
  for (const root of roots) uses.set(root, (uses.get(root) ?? 0) + 1);
  return outputs.map((t, i) =>
    roots[i]!.op === 'input' || uses.get(roots[i]!)! > 1 ? bind('copy', [t], {}) : t,
  );
}
