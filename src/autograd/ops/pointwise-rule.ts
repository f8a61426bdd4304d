import { CollimateError } from '../../errors.ts';
import { mul } from '../operations.ts';
import type { Params, Primitive } from '../primitives.ts';
import type { Rule, Step } from '../rule.ts';
import { broadcastShapes, type DType, formatShape, isInteger, sizeOf, type Tensor, wrap } from '../tensor.ts';
import { broadcastIndex } from './indexing.ts';
import { expectNumbers } from './views.ts';

type Jvp<P extends Primitive> = Rule<P>['jvp'];
type Transpose<P extends Primitive> = Rule<P>['transpose'];

/** The dtypes that operands may share; the first is expected where an operand has none of them. */
const COMMON = {
  same: ['f32', 'u32', 'i32'],
  alike: ['f32', 'u32', 'i32', 'bool'],
  signed: ['f32', 'i32'],
  integer: ['u32', 'i32'],
} as const satisfies Record<string, readonly DType[]>;

/** What sets a pointwise operation apart. */
interface Pointwise<P extends Primitive> extends Pick<Rule<P>, 'late'> {
  /** dtypes of the operands; names of lists stand for one of these in common, which is also the result's. */
  operands: readonly (DType | keyof typeof COMMON)[];
  result?: DType | ((params: Params[P]) => DType);
  f64: (...args: number[]) => number;
  wgsl: (args: string[], params: Params[P], dtype: DType, step: Step) => string;
  cost?: number;
  helpers?: (params: Params[P]) => string[];
  scalarOnly?: boolean;
  /** The function of integers, before wrapping; `f64` if absent. */
  integer?: (...args: number[]) => number;
  /** What is wrong beyond types and shapes, and the remedy. */
  check?: (inputs: readonly Tensor[], params: Params[P]) => readonly [string, string] | undefined;
  jvp: Jvp<P>;
  transpose?: Transpose<P>;
}

/** The rule of a pointwise operation. */
export function pointwise<P extends Primitive>(op: P, spec: Pointwise<P>): Rule<P> {
  const { wgsl, cost = 1, helpers, scalarOnly = false, late } = spec;
  const lowering = { kind: 'pointwise', wgsl, cost, scalarOnly } as const;
  return {
    shape: (inputs, params) => {
      let common: DType | undefined;
      inputs.forEach((t, i) => {
        expectNumbers(op, t);
        const want = spec.operands[i]!;
        const choice: readonly DType[] | undefined = COMMON[want as keyof typeof COMMON];
        if (choice) common ??= choice.includes(t.dtype) ? t.dtype : choice[0]!;
        const expected = choice ? common! : want;
        if (t.dtype !== expected) {
          throw new CollimateError(
            `${op}: operand ${i} of shape ${formatShape(t.shape)} is ${t.dtype}, expected ${expected}`,
            'Convert it with cast.',
          );
        }
      });
      const wrong = spec.check?.(inputs, params);
      if (wrong) throw new CollimateError(`${op}: ${wrong[0]}`, wrong[1]);
      const dtype =
        typeof spec.result === 'function' ? spec.result(params) : (spec.result ?? common ?? 'f32');
      const shapes = inputs.map((t) => t.shape);
      return { shape: broadcastShapes(op, shapes), dtype };
    },
    reference: (inputs, params, { shape, dtype }) => {
      const f = isInteger(dtype) ? (spec.integer ?? spec.f64) : spec.f64;
      const extra = 'n' in params ? [params.n as number] : [];
      const maps = inputs.map((t) => broadcastIndex(shape, t.shape));
      return Float64Array.from({ length: sizeOf(shape) }, (_, i) =>
        wrap(dtype, Number(f(...inputs.map((t, j) => t.data[maps[j]!(i)]!), ...extra))),
      );
    },
    jvp: spec.jvp,
    transpose: spec.transpose ?? 'nonlinear',
    ...(late && { late }),
    lowering: helpers ? { ...lowering, helpers } : lowering,
  };
}

/** A function of one number (default: f32), with its derivative. */
export const elementary = <P extends Primitive>(
  op: P,
  {
    derivative,
    ...spec
  }: Omit<Pointwise<P>, 'operands' | 'jvp'> &
    Partial<Pick<Pointwise<P>, 'operands'>> & { derivative: (x: Tensor, out: Tensor) => Tensor },
): Rule<P> =>
  pointwise<P>(op, {
    operands: ['f32'],
    ...spec,
    jvp: ([t], [x], out) => (t ? mul(t, derivative(x!, out)) : null),
  });
