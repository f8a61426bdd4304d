import { closest } from 'fastest-levenshtein';
import { type Graph, namesOf, printGraph, trace } from '../src/autograd/graph.ts';
import { lateKernels } from '../src/autograd/late.ts';
import { fuse } from '../src/autograd/lower/fuse.ts';
import type { BufferRef } from '../src/autograd/lower/memory.ts';
import { type Dispatch, plan } from '../src/autograd/lower/plan.ts';
import { simplify } from '../src/autograd/lower/simplify.ts';
import type { Spec } from '../src/autograd/signature.ts';
import type { Tensor } from '../src/autograd/tensor.ts';
import { grad, jvp, valueAndGrad } from '../src/autograd/transform.ts';
import { CollimateError } from '../src/errors.ts';
import { catalog } from '../src/experiments/catalog.ts';
import { imageShape } from '../src/experiments/experiment.ts';
import type { AdapterTraits, Kernel } from '../src/gpu/kernel.ts';
import * as library from '../src/index.ts';
import { networkOf, networks } from '../src/models/networks.ts';
import { trainingNorm } from '../src/train/batch-norm.ts';

// What is explained is planned without waiting.
await Promise.all(Object.values(lateKernels).map((kernels) => kernels.load()));

const common = { maxUniformBytes: 2 ** 16, maxTexelBytes: 2 ** 27, maxWorkgroupsPerDimension: 65_535 };
const software = {
  ...common,
  kind: 'software',
  maxWorkgroupStorageBytes: 2 ** 15,
  sizedSubgroups: true,
} as const;

/** What adapters let kernels do: the two software adapters, and a GPU with WebGPU's default limits. */
export const knownTraits = {
  lavapipe: {
    ...{ ...software, subgroupSize: 8, f16: true, maxStorageBuffersPerStage: 16, maxBindingBytes: 2 ** 27 },
    ...{ maxTexelBytes: 2 ** 28, maxWorkgroupInvocations: 1024, offsetAlignment: 16 },
  },
  swiftshader: {
    ...{ ...software, subgroupSize: 4, f16: false, maxStorageBuffersPerStage: 12, maxBindingBytes: 2 ** 30 },
    ...{ maxWorkgroupInvocations: 256, offsetAlignment: 256 },
  },
  gpu: {
    ...{ ...common, kind: 'hardware', subgroupSize: 32, f16: true, maxStorageBuffersPerStage: 8 },
    ...{ maxBindingBytes: 2 ** 27, maxWorkgroupInvocations: 256, maxWorkgroupStorageBytes: 2 ** 14 },
    ...{ offsetAlignment: 256 },
  },
} as const satisfies Record<string, AdapterTraits>;

/** An expression with a name of its own; sides are letters, or numbers where they are fixed. */
interface Example {
  readonly expression: string;
  readonly tensors: readonly string[];
  /** Each letter's size unless it is given: `M=128,N=128`. */
  readonly sizes: string;
}

const examples: Readonly<Record<string, Example>> = {
  walk: { expression: 'mean(square(relu(matmul(x, w))))', tensors: ['x=N,K', 'w=K,M'], sizes: 'N=8,K=4,M=4' },
  matmul: { expression: 'matmul(a, b)', tensors: ['a=M,K', 'b=K,N'], sizes: 'M=128,N=128,K=128' },
  conv: {
    expression: 'conv2d(x, w, { padding: 1 })',
    tensors: ['x=N,H,W,I', 'w=O,I,3,3'],
    sizes: 'N=16,H=16,W=16,I=64,O=64',
  },
  pointwise: { expression: 'relu(add(a, b))', tensors: ['a=R,C', 'b=1,C'], sizes: 'R=1024,C=1024' },
  reduce: { expression: 'sum(x, -1)', tensors: ['x=R,C'], sizes: 'R=1024,C=1024' },
  variance: { expression: 'variance(x, -2)', tensors: ['x=R,C'], sizes: 'R=1024,C=128' },
  pool: { expression: 'maxPool2d(x, 2)', tensors: ['x=N,H,W,C'], sizes: 'N=16,H=16,W=16,C=64' },
  gather: {
    expression: 'take(table, index)',
    tensors: ['table=N,C:u8', 'index=B:u32'],
    sizes: 'N=60000,C=784,B=128',
  },
  random: {
    expression: "random(key, [1024, 128], { distribution: 'normal' })",
    tensors: ['key=2:u32'],
    sizes: '',
  },
  qr: { expression: 'orthonormalize(x)', tensors: ['x=P,V,D'], sizes: 'P=128,D=128,V=64' },
  svd: { expression: 'svd(x)', tensors: ['x=P,N,N'], sizes: 'P=128,N=64' },
};

/** Names to use instead of an expression, a line each. */
export const subjects = Object.entries(examples).map(
  ([name, { expression, sizes }]) => `${name.padEnd(10)} ${expression.padEnd(48)} ${sizes}`,
);

type Tensors = Record<string, Tensor>;

/** What is explained. */
export interface Subject {
  readonly graph: Graph;
  /** Printed by default. */
  readonly steps: readonly Step[];
}

interface Variation {
  readonly sizes: string | undefined;
  readonly jvp: string | undefined;
  readonly grad: string | undefined;
}

/** The graph of an expression, a kernel or an experiment's training step. */
export function subjectOf(what: string, tensors: readonly string[], variation: Variation): Subject {
  if (what in catalog) return { graph: trainingGraph(what), steps: ['plan'] };
  const example = Object.hasOwn(examples, what) ? examples[what] : undefined;
  if (!example && /^[\w-]+$/.test(what)) {
    const names = [...Object.keys(examples), ...Object.keys(catalog)];
    throw new CollimateError(
      `there is nothing named '${what}'`,
      `Did you mean ${closest(what, names)}? Or give an expression, such as 'relu(x)' x=8,4.`,
    );
  }
  const letters = sizesOf(example, variation.sizes);
  const texts = tensors.length > 0 ? tensors : (example?.tensors ?? []);
  const specs = Object.fromEntries(texts.map((text) => specOf(text, letters)));
  const f = functionOf(example?.expression ?? what, Object.keys(specs));
  return { graph: traceOf(f, specs, variation), steps: Object.keys(steps) as Step[] };
}

function sizesOf(example: Example | undefined, given: string | undefined): Map<string, number> {
  const letters = example?.sizes.split(',').filter((text) => text !== '') ?? [];
  const defaults = letters.map((text) => text.split('=') as [string, string]);
  const several = given?.split(/[x,]/).map(Number) ?? defaults.map(([, size]) => Number(size));
  const sizes = several.length === 1 && defaults.length > 0 ? defaults.map(() => several[0]!) : several;
  if (sizes.length !== defaults.length || sizes.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new CollimateError(
      `--sizes: expected ${defaults.map(([letter]) => letter).join(',') || 'none'}, got ${given}`,
      example?.sizes
        ? `Give whole numbers, as in ${example.sizes}.`
        : 'Give the tensors with their sides: x=8,4.',
    );
  }
  return new Map(defaults.map(([letter], i) => [letter, sizes[i]!]));
}

/** `x=N,4:u8` as a name and a spec. */
function specOf(text: string, letters: ReadonlyMap<string, number>) {
  const [, name, sides, dtype = 'f32'] = /^([A-Za-z]\w*)=([\w,]*?)(?::(f32|u32|u8))?$/.exec(text) ?? [];
  const shape = sides?.split(',').map((side) => letters.get(side) ?? Number(side));
  if (!name || !shape?.every((side) => Number.isInteger(side) && side > 0)) {
    throw new CollimateError(`'${text}' is no tensor`, 'Give its name and its sides, such as x=8,4.');
  }
  return [name, { shape, dtype: dtype as 'f32' | 'u32' | 'u8' }] as const;
}

/** An expression in the functions of the library. */
function functionOf(expression: string, names: readonly string[]): (tensors: Tensors) => Tensor {
  const own = Object.entries(library);
  return (tensors) => {
    try {
      const f = new Function(...own.map(([name]) => name), ...names, `return (${expression}\n);`);
      return f(...own.map(([, value]) => value), ...names.map((name) => tensors[name]));
    } catch (error) {
      if (error instanceof CollimateError) throw error;
      throw new CollimateError(
        `cannot evaluate '${expression}': ${(error as Error).message}`,
        'Write it in JavaScript, with functions that `collimate` exports.',
      );
    }
  };
}

/** The function's graph, or that of its derivative. */
function traceOf(
  f: (tensors: Tensors) => Tensor,
  specs: Readonly<Record<string, Spec>>,
  { jvp: along, grad: by }: Variation,
): Graph {
  const names = (along ?? by)?.split(',') ?? [];
  const unknown = names.find((name) => !Object.hasOwn(specs, name));
  if (unknown !== undefined) {
    throw new CollimateError(
      `there is no tensor '${unknown}' to differentiate by`,
      `There are: ${Object.keys(specs).join(', ')}.`,
    );
  }
  const pick = (of: Readonly<Record<string, unknown>>, prefix = '') =>
    Object.fromEntries(names.map((name) => [name, of[prefix + name]])) as Tensors;
  const isolated = (tensors: Tensors) => (own: Tensors) => f({ ...tensors, ...own });
  if (by !== undefined) return trace((tensors: Tensors) => grad(isolated(tensors))(pick(tensors)), [specs]);
  if (along === undefined) return trace(f, [specs]);
  const tangents = Object.fromEntries(names.map((name) => [`d${name}`, specs[name]!]));
  return trace(
    (tensors: Tensors) => jvp(isolated(tensors), [pick(tensors)], [pick(tensors, 'd')]),
    [{ ...specs, ...tangents }],
  );
}

/** Loss and gradients of an experiment's network on a batch. */
function trainingGraph(name: string): Graph {
  const { dataset, model, presets } = catalog[name]!;
  const { settings } = presets.quick;
  const network = networkOf(networks[model].optionsOf(settings, imageShape(dataset, settings)));
  const loss = (weights: Tensors, images: Tensor, labels: Tensor) =>
    library.softmaxCrossEntropy(network.forward(weights, images, trainingNorm({})), labels);
  const weights = Object.fromEntries(network.parameters.map(({ name, shape }) => [name, { shape }]));
  return trace(valueAndGrad(loss), [weights, [settings.batch, ...network.input], [settings.batch]]);
}

interface Printed {
  readonly summary: string;
  text(graph: Graph, traits: AdapterTraits, dispatch?: string): string;
}

/** A step on the way from a function to the GPU. */
export type Step = 'graph' | 'simplified' | 'groups' | 'plan' | 'wgsl';

/** All steps in order, each as text. */
export const steps: Readonly<Record<Step, Printed>> = {
  graph: { summary: 'the graph as traced and differentiated', text: (graph) => printGraph(graph) },
  simplified: {
    summary: 'the graph that is left to compute',
    text: (graph) => printGraph(simplified(graph)),
  },
  groups: {
    summary: 'which operations become one kernel',
    text: (graph, traits) => groupsText(simplified(graph), traits),
  },
  plan: { summary: 'dispatches and memory', text: (graph, traits) => planText(graph, traits) },
  wgsl: { summary: 'the kernels, with their numbers', text: wgslText },
};

const simplified = ({ inputs, outputs }: Graph) => ({ inputs, outputs: simplify(outputs) });

function groupsText(graph: Pick<Graph, 'inputs' | 'outputs'>, traits: AdapterTraits): string {
  const names = namesOf(graph);
  const lines = fuse(graph.outputs, traits).map(({ kind, nodes, reads }, i) => {
    const inside = new Set<Tensor>();
    const enter = (x: Tensor) => {
      if (x.is('constant') || reads.includes(x) || inside.has(x)) return;
      x.inputs.forEach(enter);
      inside.add(x);
    };
    nodes.forEach(enter);
    const called = (tensors: readonly Tensor[]) => tensors.map((x) => names.get(x) ?? '?').join(', ');
    const ops = [...inside].map((x) => `${x.op} ${names.get(x) ?? ''}`.trim());
    return `${i + 1}  ${kind}: ${called(reads)} → ${called(nodes)}\n     ${ops.join(', ')}`;
  });
  return lines.join('\n');
}

function planText(graph: Graph, traits: AdapterTraits): string {
  const { dispatches, slots, textures } = plan(graph, traits);
  const name = ({ kind, index }: BufferRef) => `${kind} ${index}`;
  const lines = dispatches.map(({ kernel, buffers, copies }, i) => {
    const bound = buffers.map((ref, b) => `${name(ref)} ${kernel.bindings[b]!.replace('_', '-')}`);
    return [
      `${i + 1}  ${titleOf(kernel)}: ${kernel.flops} FLOP, ${kernel.bytes} bytes`,
      ...copies.map(({ from, to }) => `     ${name(to)} = copy of ${name(from)}`),
      `     ${bound.join(', ')}`,
    ].join('\n');
  });
  const total = (what: string, sizes: readonly number[]) =>
    `${sizes.length} ${what}${sizes.length === 1 ? '' : 's'}, ${sizes.reduce((a, b) => a + b, 0)} bytes`;
  return [...lines, `memory: ${total('slot', slots)}; ${total('texture', textures)}`].join('\n');
}

const titleOf = ({ name, variant, grid }: Kernel): string =>
  `${name}${variant ? ` (${variant})` : ''}, workgroups ${grid.join('×')}`;

function wgslText(graph: Graph, traits: AdapterTraits, chosen?: string): string {
  const { dispatches } = plan(graph, traits);
  const numbers = chosen === undefined ? dispatches.map((_, i) => i + 1) : [Number(chosen)];
  return numbers
    .map((number) => {
      const dispatch = dispatches[number - 1];
      if (dispatch) return kernelText(number, dispatch);
      throw new CollimateError(
        `there is no dispatch ${chosen}`,
        `Give a number from 1 to ${dispatches.length}: --plan lists them.`,
      );
    })
    .join('\n\n');
}

/** A kernel's source, with a dispatch's arguments as comments. */
function kernelText(number: number, { kernel }: Dispatch): string {
  const others = kernel.choice?.others.map(({ variant }) => variant) ?? [];
  const lines = [
    `dispatch ${number}: ${titleOf(kernel)}`,
    ...(kernel.uniforms ? [`sizes: ${uniformsText(kernel.wgsl, kernel.uniforms)}`] : []),
    ...(others.length ? [`the tuner also tries: ${others.join('; ')}`] : []),
  ];
  return [...lines.map((line) => `// ${line}`), kernel.wgsl.trimEnd()].join('\n');
}

/** The uniforms by their names in the shader, without padding and zeros; literals are floats. */
function uniformsText(wgsl: string, uniforms: Uint32Array): string {
  const [, type] = /var<uniform> \w+: (\w+);/.exec(wgsl) ?? [];
  const [, members = ''] = new RegExp(`struct ${type} \\{([^}]*)\\}`).exec(wgsl) ?? [];
  const floats = new Float32Array(uniforms.buffer, uniforms.byteOffset, uniforms.length);
  const named = [...members.matchAll(/(\w+): (\w+)/g)].flatMap(([, name, type], i) => {
    if (name!.startsWith('pad') || uniforms[i] === 0) return [];
    const float = type === 'f32' || (name!.startsWith('literal') && uniforms[i]! >= 2 ** 23);
    return [`${name} ${float ? floats[i] : uniforms[i]}`];
  });
  return named.length ? `${named.join(', ')}; all others 0` : uniforms.join(', ');
}
