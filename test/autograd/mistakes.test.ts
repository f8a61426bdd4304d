import { describe, expect, it } from 'vitest';
import { DeviceArray } from '../../src/autograd/array.ts';
import * as c from '../../src/autograd/functions.ts';
import { printGraph, trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Numeric, Tensor } from '../../src/autograd/tensor.ts';
import { grad, jvp, valueAndGrad } from '../../src/autograd/transform.ts';
import { CollimateError } from '../../src/errors.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { openForTest, testGpu, withGpu } from '../gpu/harness.ts';

/** Arguments that untyped code might pass. */
const anything = (value: unknown) => value as never;

/** Asserts that something is refused with a message and a remedy, and that the device still works. */
async function expectRefusal(gpu: Gpu, attempt: () => unknown, message: string | RegExp): Promise<void> {
  const live = gpu.liveBuffers;
  const error = await (async () => attempt())().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(CollimateError);
  expect((error as CollimateError).message).toMatch(message);
  expect((error as CollimateError).remedy).toBeTruthy();
  await gpu.idle();
  expect(gpu.liveBuffers, 'live buffers after, as before').toBe(live);
}

/** Doubles an array of four numbers. */
const double = (gpu: Gpu, inPlace = false) =>
  compile(gpu, (x: Tensor) => c.mul(x, 2), [[4]], { label: 'double', ...(inPlace && { inPlace: [[0, 0]] }) });

/** Two dispatches: the second reads the input again. */
const normalize = (gpu: Gpu) =>
  compile(gpu, (x: Tensor) => c.div(x, c.sum(x)), [[4]], { label: 'normalize' });

async function expectAlive(gpu: Gpu): Promise<void> {
  expect([...(await (await double(gpu)).run([1, 2, 3, 4])).data]).toEqual([2, 4, 6, 8]);
}

describe('a program refuses', () => {
  const cases: [string, (gpu: Gpu, x: DeviceArray) => unknown, string | RegExp][] = [
    [
      'its input as its output',
      async (gpu, x) => (await double(gpu)).bind([x], x),
      'double: output 0 and input 0 overlap',
    ],
    [
      'an input as output that a later dispatch reads',
      async (gpu, x) => (await normalize(gpu)).bind([x], x),
      'normalize: output 0 and input 0 overlap',
    ],
    [
      'overlapping outputs',
      async (gpu, x) => {
        const both = await compile(gpu, (x: Tensor) => [c.neg(x), c.mul(x, 2)], [[4]], { label: 'both' });
        using whole = DeviceArray.zeros(gpu, [256]);
        both.bind([x], [whole.view(0, [4]), whole.view(0, [4])]);
      },
      'both: output 1 and output 0 overlap',
    ],
    [
      'parts of one buffer that a dispatch would read and write',
      async (gpu) => {
        using whole = DeviceArray.zeros(gpu, [256]);
        (await double(gpu)).bind([whole.view(0, [4])], whole.view(128, [4]));
      },
      /double: output 0 and input 0 lie in one buffer, and \w+ needs both/,
    ],
    [
      'another array than it replaces in place',
      async (gpu, x) => {
        using y = DeviceArray.zeros(gpu, [4]);
        (await double(gpu, true)).bind([x], y);
      },
      'double: output 0 and input 0 are two arrays',
    ],
    [
      'an array that was disposed of',
      async (gpu) => {
        const y = DeviceArray.zeros(gpu, [4]);
        y.dispose();
        (await double(gpu)).bind([y]);
      },
      'double: input 0 was disposed of',
    ],
    [
      'a view of an array that was disposed of',
      async (gpu) => {
        const y = DeviceArray.zeros(gpu, [256]);
        const view = y.view(0, [4]);
        y.dispose();
        await (await double(gpu)).run(view);
      },
      'double: input 0 was disposed of',
    ],
    [
      'an output that was disposed of',
      async (gpu, x) => {
        const y = DeviceArray.zeros(gpu, [4]);
        y.dispose();
        (await double(gpu)).bind([x], y);
      },
      'double: output was disposed of',
    ],
    [
      'to run after an array of it was disposed of',
      async (gpu) => {
        const y = DeviceArray.zeros(gpu, [4], 'f32', 'the array');
        using bound = (await double(gpu)).bind([y]);
        y.dispose();
        bound.submit();
      },
      /^the array was disposed of, or lies on another device than the program double$/,
    ],
    [
      'to run after an output of its own was disposed of',
      async (gpu, x) => {
        using bound = (await double(gpu)).bind([x]);
        bound.outputs[0]!.dispose();
        bound.submit();
      },
      /^double output was disposed of/,
    ],
    [
      'to run after it was disposed of',
      async (gpu, x) => {
        const bound = (await normalize(gpu)).bind([x]);
        bound.dispose();
        bound.dispose();
        gpu.submit([bound]);
      },
      'normalize: the bound program was disposed of',
    ],
    [
      'to read what was disposed of',
      async (gpu, x) => {
        const bound = (await double(gpu)).bind([x]);
        bound.dispose();
        await bound.outputs[0]!.read();
      },
      'double output was disposed of',
    ],
    [
      'numbers of another length',
      async (gpu) => (await double(gpu)).run([1, 2, 3]),
      'shape [4] was given 3 numbers',
    ],
    [
      'what it returned',
      async (gpu) => {
        const p = await double(gpu);
        return p.run(anything(await p.run([1, 2, 3, 4])));
      },
      'double: input 0: expected f32[4], got {data, shape, dtype}',
    ],
    ['to run half a time', (gpu) => gpu.submit([], 0.5), 'the number of times to run is 0.5'],
    [
      'to run what is not in a list',
      async (gpu, x) => {
        using bound = (await double(gpu)).bind([x]);
        gpu.submit(anything(bound));
      },
      'submit: what was given is no list of bound programs',
    ],
    [
      'to run what is not bound',
      async (gpu) => gpu.submit([anything(await double(gpu))]),
      'submit: what was given is no list of bound programs',
    ],
    [
      'a tensor for data',
      async (gpu) => (await double(gpu)).run(anything((await double(gpu)).graph.inputs[0])),
      'double: input 0: expected f32[4], got the tensor f32[4]',
    ],
    [
      'a device that nobody waited for',
      async (gpu) => double(anything(Promise.resolve(gpu))),
      'compile: the device is a Promise',
    ],
    [
      'an array of no device',
      () => DeviceArray.zeros(anything(undefined), [4]),
      'array: the device is nothing',
    ],
    [
      'two inputs for one output to replace',
      (gpu) => compile(gpu, c.add, [[4], [4]], { inPlace: [[0, 0], [0, 1]] }), // biome-ignore format: pairs
      'inPlace is [0,0; 0,1]',
    ],
    [
      'no pair for an output to replace',
      (gpu) => compile(gpu, c.neg, [[4]], { inPlace: anything([0, 0]) }),
      'inPlace is [0; 0]',
    ],
    ['a number for four', async (gpu) => (await double(gpu)).run(1), 'shape [4] was given 1 numbers'],
    [
      'numbers in rows',
      async (gpu) =>
        (await double(gpu)).run(
          anything([
            [1, 2],
            [3, 4],
          ]),
        ),
      'double: input 0: expected f32[4]',
    ],
    [
      'bytes without a type',
      async (gpu) => (await double(gpu)).run(anything(new DataView(new ArrayBuffer(4)))),
      'double: input 0 of shape [4] was given a DataView',
    ],
    [
      'what f32 cannot hold',
      async (gpu) => (await double(gpu)).run(Float64Array.of(1, 2, 3, 1e40)),
      'double: input 0: element 3 is 1e+40, which f32 does not hold',
    ],
    [
      'strings',
      async (gpu) => (await double(gpu)).run(anything([1, '2', 3, 4])),
      'input 0: element 1 is "2", which f32 does not hold',
    ],
    [
      'big integers',
      async (gpu) => (await double(gpu)).run(anything(BigInt64Array.of(1n, 2n, 3n, 4n))),
      'element 0 is 1n, which f32 does not hold',
    ],
    [
      'an array of another type',
      async (gpu) => {
        using k = DeviceArray.zeros(gpu, [4], 'u32');
        (await double(gpu)).bind([k]);
      },
      'double: input 0: expected f32[4], got u32[4]',
    ],
  ];

  it.each(cases)('%s, and the device lives on', (_, attempt, message) =>
    withGpu(async (gpu) => {
      using x = DeviceArray.from(gpu, [1, 2, 3, 4], [4]);
      await expectRefusal(gpu, () => attempt(gpu, x), message);
      await expectAlive(gpu);
    }),
  );

  it('arrays and programs of another device', async () => {
    const gpu = await testGpu();
    using other = await openForTest();
    using x = DeviceArray.zeros(gpu, [4]);
    const program = await double(other);
    await expectRefusal(
      other,
      () => program.bind([x]),
      'double: input 0 lies in the memory of another device',
    );
    using bound = (await double(gpu)).bind([x]);
    await expectRefusal(other, () => other.submit([bound]), 'lies on another device');
    await expectAlive(other);
    await expectAlive(gpu);
  });

  it('everything once its device was disposed of', async () => {
    const gpu = await openForTest();
    const x = DeviceArray.zeros(gpu, [4]);
    const program = await double(gpu);
    const bound = program.bind([x]);
    gpu.dispose();
    gpu.dispose();
    bound.dispose();
    x.dispose();
    const gone = `the device ${gpu.info.name} was disposed of`;
    await expect(program.run([1, 2, 3, 4])).rejects.toThrow(gone);
    await expect(double(gpu)).rejects.toThrow(gone);
    await expect(x.read()).rejects.toThrow(gone);
    await expect(gpu.idle()).rejects.toThrow(gone);
    for (const attempt of [
      () => bound.submit(),
      () => x.write([1, 2, 3, 4]),
      () => DeviceArray.zeros(gpu, [4]),
    ])
      expect(attempt).toThrow(gone);
  });

  it('to leave a wait hanging when its device is disposed of', async () => {
    const gpu = await openForTest();
    const run = (await double(gpu)).run([1, 2, 3, 4]);
    const refused = expect(run).rejects.toThrow('was disposed of');
    gpu.dispose();
    await refused;
  });
});

it('replaces inputs in place, also where no outputs are given', () =>
  withGpu(async (gpu) => {
    const program = await double(gpu, true);
    expect([...(await program.run([1, 2, 3, 4])).data]).toEqual([2, 4, 6, 8]);
    using x = DeviceArray.from(gpu, [1, 2, 3, 4], [4]);
    using bound = program.bind([x]);
    bound.submit();
    bound.submit();
    bound.dispose();
    expect([...(await x.read())]).toEqual([4, 8, 12, 16]);
  }));

it('takes plain shapes as specs', () =>
  withGpu(async (gpu) => {
    const f = ({ w }: { w: Tensor }, [x]: [Tensor]) => c.add(w, x);
    const program = await compile(gpu, f, [{ w: [2, 2] }, [[2]]]);
    expect(program.graph.inputs.map(({ shape, dtype }) => [shape, dtype])).toEqual([
      [[2, 2], 'f32'],
      [[2], 'f32'],
    ]);
    expect([...(await program.run({ w: [1, 2, 3, 4] }, [[10, 20]])).data]).toEqual([11, 22, 13, 24]);
  }));

describe('tracing refuses', () => {
  let leaked: Tensor | undefined;
  trace(
    (x: Tensor) => {
      leaked = x;
      return c.neg(x);
    },
    [[2]],
  );

  it.each<[string, () => unknown, string]>([
    [
      'a tensor of another trace',
      () => trace((x: Tensor) => c.add(x, leaked!), [[2]]),
      'uses input 0, f32[2], of another trace',
    ],
    [
      'a function that is async',
      () => trace(async (x: Tensor) => c.neg(x), [[2]]),
      'returns a promise, and no tensor',
    ],
    ['a function of no result', () => trace(() => undefined, []), 'returns nothing, and no tensor'],
    ['a number as the result', () => trace(() => 1, []), 'returns 1, and no tensor'],
    ['an empty record', () => trace(() => ({}), []), 'returns {}, and no tensor'],
    [
      'bytes as the result',
      () => trace((x: Tensor) => x, [{ shape: [2], dtype: 'u8' }]),
      'returns bytes, u8[2]',
    ],
    ['what is no function', () => trace(anything([2]), [[2]]), 'cannot trace a list of 1'],
    ['a spec outside of a list', () => trace(c.neg, anything({ shape: [2] })), 'with the specs {shape}'],
    [
      'data closed over',
      () => trace((x: Tensor) => c.mul(x, anything(Float32Array.of(1, 2))), [[2]]),
      'mul: operand 1 is a Float32Array of 2, not a tensor',
    ],
    ['fractional sides', () => trace(c.neg, [[2.5]]), 'input 0: shape [2.5] has a side of 2.5'],
    [
      'a tensor of another graph to interpret',
      () => interpret({ inputs: [], outputs: [leaked!] }, []),
      'input 0 belongs to another graph',
    ],
    ['a tensor for a graph', () => printGraph(anything(leaked)), 'printGraph: f32[2] is no graph'],
    ...(
      [
        ['matmul', 'transB', (x) => c.matmul(x, x, anything({ transB: true }))],
        ['take', 'offset', (x) => c.take(x, c.iota([1]), anything({ offset: 1 }))],
        ['random', 'seed', (x) => c.random(x, [2], anything({ seed: 1 }))],
        ['valueAndGrad', 'aux', (x) => valueAndGrad(anything(c.sum), anything({ aux: true }))(x)[0] as never],
      ] as [string, string, (x: Tensor) => Tensor][]
    ).map(([op, name, f]): [string, () => unknown, string] => [
      `an option of ${op} that there is not`,
      () => trace(f, [[1, 2, 2, 1]]),
      `${op}: there is no option ${name}`,
    ]),
    ['nothing for a graph', () => interpret(anything(undefined), []), 'interpret: nothing is no graph'],
    [
      'derivatives by nothing',
      () => trace((x: Tensor) => jvp(() => x, [], []), [[2]]),
      'is differentiated by no tensor',
    ],
    [
      'a gradient by a number',
      () =>
        trace(
          (x: Tensor) => grad((p: { x: Tensor; k: number }) => c.sum(c.mul(p.x, p.k)))({ x, k: 2 }).x,
          [[2]],
        ),
      'no gradient by the number 2',
    ],
    [
      'a gradient of integers',
      () => trace((x: Tensor) => grad(anything((x: Tensor) => c.cast(c.sum(x), 'u32')))(x), [[2]]),
      'grad: the function returns u32[1], not a scalar of f32',
    ],
    [
      'a gradient of a promise',
      () => trace((x: Tensor) => grad(anything(async (x: Tensor) => c.sum(x)))(x), [[2]]),
      'returns a promise',
    ],
  ])('%s', (_, f, message) => {
    expect(f).toThrow(message);
    expect(f).toThrow(expect.objectContaining({ name: 'CollimateError', remedy: expect.any(String) }));
  });

  it('a DeviceArray closed over, before the GPU is asked', () =>
    withGpu(async (gpu) => {
      using y = DeviceArray.zeros(gpu, [2]);
      const f = (x: Tensor) => c.add(x, anything(y));
      await expectRefusal(
        gpu,
        () => compile(gpu, f, [[2]]),
        'add: operand 1 is a DeviceArray f32[2], not a tensor',
      );
    }));

  it.each<[string, object, string]>([
    ['an output that is none', { inPlace: [[1, 0]] }, 'inPlace is [1,0]'],
    ['an input that is none', { inPlace: [[0, 3]] }, 'inPlace is [0,3]'],
    ['an option', { inplace: [[0, 0]] }, 'compile: there is no option inplace'],
    ['a precision', { precision: 'f64' }, 'there is no precision f64'],
  ])('%s', (_, options, message) =>
    withGpu((gpu) => expect(compile(gpu, c.neg, [[2]], anything(options))).rejects.toThrow(message)),
  );
});

describe('data', () => {
  const cases: [string, ArrayLike<number>, Numeric | 'u8', string][] = [
    ['a negative byte', [255, -1], 'u8', 'element 1 is -1, which u8 does not hold'],
    ['too large a byte', [256, 0], 'u8', 'element 0 is 256, which u8 does not hold'],
    ['a fraction of a byte', Float32Array.of(0.5, 1), 'u8', 'element 0 is 0.5, which u8 does not hold'],
    ['a negative u32', Int32Array.of(-1, 0), 'u32', 'element 0 is -1, which u32 does not hold'],
    ['a fraction', [0, 1.7], 'u32', 'element 1 is 1.7, which u32 does not hold'],
    ['NaN', [Number.NaN, 0], 'u32', 'element 0 is NaN, which u32 does not hold'],
    ['more than u32', [0, 2 ** 32], 'u32', 'element 1 is 4294967296, which u32 does not hold'],
    ['more than i32', Uint32Array.of(7, 2 ** 31), 'i32', 'element 1 is 2147483648, which i32 does not hold'],
    ['less than i32', [-(2 ** 31) - 1, 0], 'i32', 'element 0 is -2147483649, which i32 does not hold'],
    ['more than f32', [0, -1e39], 'f32', 'element 1 is -1e+39, which f32 does not hold'],
    ['nothing', anything([null, 1]), 'f32', 'element 0 is nothing, which f32 does not hold'],
    ['rows', anything([[1], [2]]), 'f32', 'element 0 is a list of 1, which f32 does not hold'],
    ['a string', anything('12'), 'f32', 'was given 2 numbers'],
  ];

  it.each(cases)('refuses %s on every way in', (_, data, dtype, message) =>
    withGpu(async (gpu) => {
      await expectRefusal(gpu, () => DeviceArray.from(gpu, data, [2], dtype), message);
      using array = DeviceArray.zeros(gpu, [2], dtype);
      await expectRefusal(gpu, () => array.write(data), message);
      const f = (x: Tensor) => (dtype === 'u8' ? c.take(x, c.iota([2])) : c.reshape(x, [1, 2]));
      expect(() => interpret(trace(f, [{ shape: [2], dtype }]), [data])).toThrow(message);
    }),
  );

  it('keeps what its type holds, from any array', () =>
    withGpu(async (gpu) => {
      const kept = async (data: ArrayLike<number>, dtype: Numeric | 'u8') => {
        using array = DeviceArray.from(gpu, data, [data.length], dtype);
        return [...(await array.read())];
      };
      expect(await kept([255, 0, 7], 'u8')).toEqual([255, 0, 7]);
      expect(await kept(Int8Array.of(3, 127), 'u8')).toEqual([3, 127]);
      expect(await kept([2 ** 32 - 1, 0], 'u32')).toEqual([2 ** 32 - 1, 0]);
      expect(await kept(Float64Array.of(16, 3), 'u32')).toEqual([16, 3]);
      expect(await kept([-(2 ** 31), 2 ** 31 - 1], 'i32')).toEqual([-(2 ** 31), 2 ** 31 - 1]);
      expect(await kept(Uint8Array.of(16, 3), 'i32')).toEqual([16, 3]);
      const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 3.4e38];
      expect(await kept(special, 'f32')).toEqual(special.map(Math.fround));
      expect(await kept(Int16Array.of(-3, 4), 'f32')).toEqual([-3, 4]);
    }));

  it.each<[string, (gpu: Gpu, x: DeviceArray) => unknown, string]>([
    ['sides', (gpu) => DeviceArray.zeros(gpu, [2, 0]), 'array: shape [2,0] has a side of 0'],
    [
      'a missing shape',
      (gpu) => DeviceArray.from(gpu, [1], anything(undefined)),
      'array: the shape is nothing',
    ],
    ['a type', (gpu) => DeviceArray.zeros(gpu, [2], anything('f64')), 'array: there is no type f64'],
    ['a view before the start', (_, x) => x.view(-1, [2]), 'view of shape [2] at element -1'],
    ['a view between elements', (_, x) => x.view(0.5, [2]), 'view of shape [2] at element 0.5'],
    ['a view from nowhere', (_, x) => x.view(Number.NaN, [2]), 'view of shape [2] at element NaN'],
    ['a view of no side', (_, x) => x.view(0, [0]), 'view: shape [0] has a side of 0'],
  ])('refuses %s of arrays', (_, attempt, message) =>
    withGpu((gpu) => {
      using x = DeviceArray.zeros(gpu, [4]);
      expect(() => attempt(gpu, x)).toThrow(message);
    }),
  );
});
