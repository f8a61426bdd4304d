import { expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import * as linalg from '../../src/autograd/linalg.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { expectAgreement, type Operand, of } from '../autograd/support.ts';
import { testGpu } from '../gpu/harness.ts';

/** Each kernel that uses subgroups, as a function of tensors. */
const users: Record<string, [f: (...xs: Tensor[]) => Tensor, operands: Operand[]]> = {
  'products by broadcasts': [(x, y) => c.matmul(x!, y!), [of([9, 20]), of([20, 36])]],
  'convolutions by broadcasts': [
    (x, w) => c.conv2d(x!, w!, { padding: 1 }),
    [of([2, 5, 5, 8]), of([16, 8, 3, 3])],
  ],
  'a basis': [(x) => c.abs(linalg.orthonormalize(x!)), [of([2, 3, 21])]],
  'singular values': [(x) => linalg.svd(x!).s, [of([3, 12, 12])]],
};

/** With several subgroup sizes, kernels know the smallest and may meet any: here one twice as large. */
it.each(Object.entries(users))(
  '%s, where subgroups are larger than the smallest',
  async (_, [f, operands]) => {
    const gpu = await testGpu();
    const subgroupSize = gpu.traits.subgroupSize / 2;
    expect(subgroupSize).toBeGreaterThan(1);
    await expectAgreement(gpu, f, operands, { traits: { subgroupSize }, tolerance: 1e-4 });
  },
);
