import { expect, it } from 'vitest';
import { accuracyCases, measureAccuracy, operandsOf } from '../../scripts/accuracy.ts';
import { rules } from '../../src/autograd/rules.ts';
import { testGpu } from '../gpu/harness.ts';

/** A few thousand of the points of `npm run ulp`. */
it.each(accuracyCases)('$name errs no more than it may', async (test) => {
  const { outside, example, worst } = await measureAccuracy(await testGpu(), test, 4000);
  expect(outside, example).toBe(0);
  expect(worst).toBeLessThanOrEqual(test.ulps);
});

it('sees a function that is wrong', async () => {
  const gpu = await testGpu();
  const of = (name: string) => accuracyCases.find((test) => test.name === name)!;
  const wrong = await measureAccuracy(gpu, { ...of('sin'), f: of('cos').f }, 1000);
  expect(wrong.outside).toBeGreaterThan(900);
  expect(wrong.example).toMatch(/^sin\(0\) = 1, not 0/);
  const rounded = await measureAccuracy(
    gpu,
    { ...of('exp'), exact: (x) => Math.exp(x) * (1 + 2 ** -21) },
    1000,
  );
  expect(rounded.worst).toBeGreaterThan(2);
});

it('tries every pointwise primitive of one operation on numbers, and numbers of every size', () => {
  const pointwise = Object.keys(rules).filter(
    (op) => rules[op as keyof typeof rules].lowering.kind === 'pointwise',
  );
  const tried = new Set(accuracyCases.map(({ name }) => name.split(' ')[0]!));
  expect(pointwise.filter((op) => !tried.has(op)).sort()).toEqual([
    'concat',
    'copy',
    'normalize',
    'shuffle',
    'stopGradient',
  ]);
  const [x] = operandsOf(accuracyCases.find(({ name }) => name === 'exp')!, 10_000);
  const exponents = new Set(x!.map((v) => Math.floor(Math.log2(Math.abs(v)))));
  expect(exponents.size).toBeGreaterThan(240);
  expect(x!.filter((v) => v !== 0 && Math.abs(v) < 2 ** -126).length).toBeGreaterThan(10);
});
