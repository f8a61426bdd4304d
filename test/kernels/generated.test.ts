import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { knownTraits, subjectOf } from '../../scripts/explanation.ts';
import { plan } from '../../src/autograd/lower/plan.ts';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';

/**
 * Which kernels are made of what, on which adapter: choices of speed and memory, which no result shows.
 * Where a change means to choose otherwise, write the pages of `generated` anew with
 * `npx vitest run test/kernels/generated.test.ts -u`; `npm run explain -- EXPRESSION TENSORS --traits NAME`
 * shows the sources.
 */
const pages: Readonly<Record<string, readonly string[]>> = {
  products: [
    'matmul(a, b) a=512,512 b=512,512',
    'matmul(a, b) a=4096,64 b=64,4096',
    'matmul(a, b) a=17,33 b=33,5',
    'matmul(a, b) a=4,2048 b=2048,10',
    'matmul(a, b) a=64,4096 b=4096,64',
    'matmul(a, b) a=16,64 b=64,16',
    'matmul(a, b) a=4,150000 b=150000,4',
    'matmul(a, b) a=5,6,17,8 b=6,8,12',
    'matmul(a, mT(b)) a=100,36 b=52,36',
    'matmul(mT(a), b) a=36,100 b=36,52',
    'matmul(mT(a), b) a=2048,6 b=2048,52',
    'relu(add(matmul(a, b), c)) a=64,128 b=128,32 c=1,32',
    'add(mul(matmul(a, b), c), d) a=64,128 b=128,32 c=64,32 d=64,32',
    'square(matmul(a, mT(b))) a=3,1,5,8 b=4,1,8',
    'attention(q, k, v) q=6,4,17,8 k=6,4,17,8 v=6,4,17,8',
    'sum(square(matmul(x, w))) x=128,784 w=784,128 by x,w',
    'sum(square(relu(matmul(x, matmul(v, w))))) x=128,64 v=64,64 w=64,64 by v,w',
  ],
  convolutions: [
    'conv2d(x, w, { padding: 1 }) x=16,16,16,64 w=64,64,3,3',
    'conv2d(x, w) x=2,7,7,3 w=5,3,3,3',
    'relu(conv2d(x, w, { padding: 1, stride: 2 })) x=64,28,28,1 w=16,1,3,3',
    'sum(square(conv2d(x, w, { padding: 1, stride: 2 }))) x=64,28,28,4 w=32,4,3,3 by x,w',
    'sum(square(conv2d(x, w, { padding: 1 }))) x=1024,8,8,32 w=4,32,3,3 by x,w',
    'sum(square(conv2d(x, w))) x=2,80,80,8 w=2,8,1,1 by x,w',
    'maxPool2d(relu(x), 2) x=16,16,16,64',
    'sum(square(maxPool2d(x, 3, { stride: 2, padding: 1 }))) x=4,9,9,6 by x',
  ],
  reductions: [
    'sum(x, -1) x=1024,1024',
    'sum(x, -1) x=3,1000',
    'sum(x, -1) x=100000,5',
    'sum(x, 0) x=1024,100',
    'sum(x, 0) x=6,4096',
    'sum(x) x=300,1000',
    'sum(x, -1) x=7,4095',
    'sum(x, -1) x=7,4096',
    'mean(x, 1) x=9,20,300',
    'variance(x, -1) x=64,4096',
    'variance(x, -2) x=1024,128',
    'variance(x, -2) x=20000,16',
    'amax(sub(x, y), -1) x=64,100 y=64,1',
    'prod(x, -1) x=6,10000',
    'argmax(x) x=64,10',
    'softmax(x) x=512,10',
    'layerNorm(x) x=512,64',
    'logsumexp(x, 0) x=512,64',
    'cumsum(x) x=8,256',
    'cumsum(x) x=8,257',
    'cumsum(x) x=8,5000',
    'sum(square(softmax(matmul(x, w)))) x=64,32 w=32,10 by w',
  ],
  pointwise: [
    'relu(add(a, b)) a=1024,1024 b=1,1024',
    'exp(x) x=100000',
    'exp(x) x=1000003',
    'mT(exp(x)) x=300,17',
    'add(slice(x, [0, 1], [8, 9]), y) x=8,12 y=8,8',
    'pad(x, [[1, 2], [3, 0]]) x=8,13',
    'concat([x, y], 1) x=8,3 y=8,5',
    'take(table, index) table=6000,784:u8 index=128:u32',
    'sum(take(table, index)) table=100,12 index=64:u32 by table',
    'oneHot(index, 10) index=128:u32',
    'rem(index, 7) index=128:u32',
    'cast(rem(index, 7), "f32") index=4,32:u32',
    'mul(exp(sin(x)), sub(exp(sin(x)), mean(exp(sin(x)), -1))) x=64,128',
    'add(exp(sin(tanh(x))), y) x=64,1 y=64,4096',
    'add(matmul(exp(x), w), matmul(exp(x), mT(w))) x=64,64 w=64,64',
    'add(a, mul(b, add(c, mul(d, add(e, mul(f, add(g, mul(h, add(i, mul(j, k)))))))))) a=64,8 b=1,8 c=1,8 d=1,8 e=1,8 f=1,8 g=1,8 h=1,8 i=1,8 j=1,8 k=1,8',
    'add(exp(a), mul(exp(b), add(exp(c), mul(exp(d), add(exp(e), mul(exp(f), add(exp(g), mul(exp(h), add(exp(i), j))))))))) a=512,512 b=512,512 c=512,512 d=512,512 e=512,512 f=512,512 g=512,512 h=512,512 i=512,512 j=512,512',
    '((t) => mul(t, sum(t, -1)))(add(a, mul(b, add(c, d)))) a=64,80 b=64,80 c=64,80 d=64,80',
    '((t) => mul(t, sum(t, -1)))(add(a, mul(b, add(c, mul(d, e))))) a=64,80 b=64,80 c=64,80 d=64,80 e=64,80',
    "random(key, [1024, 128], { distribution: 'normal' }) key=2:u32",
    'add(pow(x, 3), pow(x, 0.5)) x=64,64',
  ],
  'linear algebra': [
    'orthonormalize(x) x=128,64,128',
    'orthonormalize(x) x=3,5,40',
    'orthonormalize(x) x=3,5,130',
    'orthonormalize(x) x=2,10,300',
    'orthonormalize(x) x=100,700',
    'orthonormalize(x) x=10,16,1000',
    'orthonormalize(x) x=2,10,2050',
    'svd(x) x=128,64,64',
    'svd(x) x=5,7,7',
  ],
  loops: [
    'scan((h, x) => { const y = tanh(add(matmul(h, w), x)); return [y, y]; }, h, xs) h=8,16 w=16,16 xs=13,8,16',
    'sum(scan((h, x) => { const y = tanh(add(matmul(h, w), x)); return [y, y]; }, h, xs)[0]) h=8,16 w=16,16 xs=12,8,16 by w',
  ],
  experiments: ['mnist-fc', 'mnist-conv'],
  'products of f16': [
    'matmul(a, b) a=4096,4096 b=4096,4096',
    'matmul(mT(a), b) a=8192,100 b=8192,36',
    'matmul(mT(a), b) a=5000,500 b=5000,360',
    'matmul(a, mT(b)) a=20,33,70 b=20,90,70',
    'relu(add(matmul(a, b), c)) a=640,128 b=128,320 c=1,320',
    'matmul(a, b) a=128,64 b=64,10',
  ],
};

/** `expression name=sides… by name,…` as its graph. */
function graphOf(line: string) {
  const { expression, tensors, by } =
    /^(?<expression>.*?)(?<tensors>( [a-z]\w*=[\w,:]+)*)( by (?<by>[\w,]+))?$/.exec(line)!.groups!;
  const variation = { sizes: undefined, jvp: undefined, grad: by };
  return subjectOf(expression!, tensors!.split(' ').slice(1), variation).graph;
}

const digest = (value: unknown) =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 8);

/** Kernels with digests of their sources and other candidates; then a digest of what they get. */
function planOf(subject: string, traits: AdapterTraits): string {
  const { dispatches, slots, textures } = plan(graphOf(subject), traits);
  const counts = new Map<string, number>();
  for (const { kernel } of dispatches) {
    const { name, variant, grid, choice } = kernel;
    const others = choice?.others.length
      ? ` or ${choice.others.map(({ wgsl }) => digest(wgsl)).join(' ')}`
      : '';
    const line = `${name}${variant ? ` (${variant})` : ''} ${grid.join('×')} ${digest(kernel.wgsl)}${others}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  const given = dispatches.map(({ kernel, buffers, copies }) => {
    const { uniforms = [], bindings, padded, flops, bytes } = kernel;
    return [[...uniforms], bindings, padded, flops, bytes, buffers, copies];
  });
  const lines = [...counts].map(([line, count]) => `    ${count > 1 ? `${count} × ` : ''}${line}`);
  return [...lines, `    given ${digest(given)} in ${sum(slots)} + ${sum(textures)} bytes`].join('\n');
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

const adapters: Record<string, AdapterTraits> = {
  ...knownTraits,
  'gpu without subgroups': { ...knownTraits.gpu, subgroupSize: 0 },
};
const halves = { ...knownTraits.gpu, halfProducts: true, maxWorkgroupStorageBytes: 2 ** 15 };
const halfAdapters: Record<string, AdapterTraits> = {
  gpu: halves,
  'gpu with subgroup matrices': { ...halves, sizedSubgroups: true, halfMatrices: { m: 16, n: 16, k: 16 } },
};

test.each(Object.entries(pages))('%s become the kernels that are written down', async (page, lines) => {
  const given = Object.entries(page === 'products of f16' ? halfAdapters : adapters);
  const text = lines.map((subject) =>
    [subject, ...given.map(([name, traits]) => `  ${name}\n${planOf(subject, traits)}`)].join('\n'),
  );
  await expect(`${text.join('\n\n')}\n`).toMatchFileSnapshot(`generated/${page.replaceAll(' ', '-')}.txt`);
});
