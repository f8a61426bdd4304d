import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { autoencoder } from '../examples/autoencoder.ts';
import { eigenvalue } from '../examples/eigenvalues.ts';
import { implicit } from '../examples/implicit.ts';
import { mlp } from '../examples/mlp.ts';
import { pinn } from '../examples/pinn.ts';
import { transformer } from '../examples/transformer.ts';
import { trace } from '../src/autograd/graph.ts';
import { interpret } from '../src/autograd/interpret.ts';
import { hessian } from '../src/autograd/jacobian.ts';
import type { BoundProgram } from '../src/autograd/program.ts';
import { grad } from '../src/autograd/transform.ts';
import type { Gpu } from '../src/gpu/device.ts';
import { expectClose } from './autograd/support.ts';
import { withGpu } from './gpu/harness.ts';

const FOLDER = resolve(import.meta.dirname, '../examples');

/** Asserts that the next step agrees with float64, and returns what it started from. */
async function expectStep(training: BoundProgram, tolerance: number): Promise<Float64Array[]> {
  const before = await Promise.all(training.inputs.map(async (a) => Float64Array.from(await a.read())));
  const want = interpret(training.program.graph, before);
  training.submit();
  for (const [i, array] of training.outputs.entries()) {
    const { data, dtype } = want[i]!;
    expectClose(await array.read(), data, dtype === 'f32' ? tolerance : 0, `result ${i}`);
  }
  return before;
}

/** Runs an example for a few steps, checks the next in float64, and frees what it made. */
async function short<T extends { training: BoundProgram }>(
  example: (gpu: Gpu, steps: number) => Promise<T>,
  steps: number,
  check: (result: T, before: Float64Array[]) => unknown,
  tolerance = 1e-4,
): Promise<void> {
  await withGpu(async (gpu) => {
    const result = await example(gpu, steps);
    await check(result, await expectStep(result.training, tolerance));
    result.training.dispose();
    for (const array of result.training.inputs) array.dispose();
  });
}

describe('an example learns, and steps as in float64', () => {
  it('mlp', () => short(mlp, 300, ({ accuracy }) => expect(accuracy).toBeGreaterThan(0.95)));

  it('transformer', () => short(transformer, 40, ({ loss }) => expect(loss).toBeLessThan(1.5)));

  it('autoencoder', () =>
    short(autoencoder, 100, ({ unexplained }) => expect(unexplained).toBeLessThan(0.1)));

  it('pinn', () => short(pinn, 60, ({ error }) => expect(error).toBeLessThan(0.2), 1e-3));

  it('eigenvalues: the largest of the Hessian', () =>
    short(eigenvalue, 100, ({ value, loss }, [, , hidden, out, x]) => {
      const specs = [{ hidden: [4, 8], out: [8, 1] }, [64, 4]] as const;
      const blocks = interpret(trace(hessian(loss), specs), [hidden!, out!, x!]).map(({ data }) => data);
      // Blocks [32, 32], [32, 8], [8, 32], [8, 8] of a symmetric matrix.
      const entry = (i: number, j: number) => {
        const block = blocks[(i < 32 ? 0 : 2) + (j < 32 ? 0 : 1)]!;
        return block[(i % 32) * (j < 32 ? 32 : 8) + (j % 32)]!;
      };
      let v = Array.from({ length: 40 }, (_, i) => Math.cos(i));
      let rayleigh = 0;
      for (let k = 0; k < 500; k++) {
        const norm = Math.hypot(...v);
        const unit = v.map((a) => a / norm);
        v = unit.map((_, i) => unit.reduce((sum, a, j) => sum + a * entry(i, j), 0));
        rayleigh = unit.reduce((sum, a, i) => sum + a * v[i]!, 0);
      }
      expect(value).toBeCloseTo(rayleigh, 4);
    }));

  it('implicit: with the gradient of all iterations', () =>
    short(implicit, 10, ({ loss, gradient, unrolled }, before) => {
      expect(loss).toBeLessThan(0.6);
      const specs = [{ inner: [16, 16], from: [2, 16], out: [16, 1] }, [64, 2]] as const;
      const values = [...before.slice(0, 3), before.at(-1)!];
      const [got, want] = [
        interpret(
          trace((p, x) => gradient(p, x)[1], specs),
          values,
        ),
        interpret(trace(grad(unrolled), specs), values),
      ];
      for (const [i, { data }] of want.entries()) expectClose(got[i]!.data, data, 1e-4);
    }));
});

test('examples are short, and all are run here', () => {
  const files = readdirSync(FOLDER).filter((name) => name !== 'start.ts');
  const here = readFileSync(import.meta.filename, 'utf8');
  expect(files).toHaveLength(6);
  for (const name of files) {
    const text = readFileSync(join(FOLDER, name), 'utf8');
    expect(text.trimEnd().split('\n').length, name).toBeLessThanOrEqual(60);
    expect(here).toContain(`'../examples/${name}'`);
  }
});
