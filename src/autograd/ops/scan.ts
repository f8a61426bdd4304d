import { evaluate, input, loweringOf } from '../bind.ts';
import { type Body, bindLoop, type Loop, loopOf, valueIn } from '../loop.ts';
import { add, broadcast, moveaxis, reshape } from '../operations.ts';
import { dependents, pullBack, pushForward, replay } from '../propagate.ts';
import type { NdArray, Rules } from '../rule.ts';
import { ancestors, type Shape, sizeOf, type Tensor } from '../tensor.ts';

type Maybe = Tensor | null;

const present = <T extends Tensor>(x: T | null): x is T => x !== null;
const symbol = ({ shape, dtype }: Tensor, lead: Shape = []): Tensor =>
  input('step', [...lead, ...shape], dtype);

/** A list by loop input, split into carries, rows, and what steps share. */
function parts<T>({ carries, xs }: Loop, list: readonly T[]): [T[], T[], T[]] {
  const [first, second] = [carries.length, carries.length + xs.length];
  return [list.slice(0, first), list.slice(first, second), list.slice(second)];
}

/**
 * Records a loop whose body is derived from another's and uses its values: rows as rows, values of steps as
 * results of the other loop; what is pointwise in those is computed again. `own` are tensors that it brings.
 */
function bindDerived(
  loop: Loop,
  inputs: readonly Tensor[],
  body: Body,
  own: readonly Tensor[],
  reverse: boolean,
) {
  const [, rows, shared] = parts(loop, inputs);
  const outputs = [...body.next, ...body.each];
  const mine = [...body.carries, ...body.xs, ...own];
  const derived = new Set<Tensor>([...mine, ...dependents(outputs, mine)]);
  const used = [...outputs.filter(present), ...[...derived].flatMap((x) => x.inputs)].filter(
    (x) => !derived.has(x),
  );
  const given = new Set<Tensor>([...loop.carries, ...loop.next, ...loop.xs]);
  const varying = new Set<Tensor>([...loop.carries, ...loop.xs]);
  for (const x of dependents(used, [...varying])) varying.add(x);
  const cheap = new Map<Tensor, boolean>();
  for (const x of ancestors(used)) {
    const pointwise =
      ['pointwise', 'view'].includes(loweringOf(x).kind) && x.inputs.every((y) => cheap.get(y));
    cheap.set(x, !varying.has(x) || given.has(x) || pointwise);
  }
  const known = new Map<Tensor, Tensor>(loop.shared.map((x, i) => [x, shared[i]!]));
  const operands = new Map<Tensor, Tensor>();
  const visit = (x: Tensor): void => {
    if (known.has(x) || !varying.has(x)) return;
    if (cheap.get(x) && !given.has(x)) return void x.inputs.map(visit);
    const row = loop.xs.indexOf(x);
    const own = symbol(x);
    known.set(x, own);
    operands.set(own, row < 0 ? loop.result(inputs, x, true) : rows[row]!);
  };
  used.map(visit);
  const again = replay(outputs, known);
  const [next, each] = [again.slice(0, body.next.length), again.slice(body.next.length)];
  const [xs, all] = [
    [...body.xs, ...operands.keys()],
    [...body.rows, ...operands.values()],
  ];
  return bindLoop({ ...body, next, each, xs, rows: all }, { ...loop, reverse });
}

export const scanRules: Pick<Rules, 'scan'> = {
  scan: {
    shape: (_, { loop, value, each }) => {
      const { shape, dtype } = (loop as Loop).values[value]!;
      return { shape: each ? [loop.length, ...shape] : shape, dtype };
    },
    reference: (inputs, { loop: key, value, each }, { shape }) => {
      const loop = key as Loop;
      const result = loop.values[value]!;
      let [carries, rows, shared] = parts(loop, inputs);
      const nodes = ancestors([...loop.next, result]);
      const data = new Float64Array(sizeOf(shape));
      const size = result.size;
      for (let step = 0; step < loop.length; step++) {
        const t = loop.reverse ? loop.length - 1 - step : step;
        const row = ({ data }: NdArray, x: Tensor) => data.subarray(t * x.size, (t + 1) * x.size);
        const given = [
          ...carries,
          ...rows.map((r, j) => ({ ...r, shape: loop.xs[j]!.shape, data: row(r, loop.xs[j]!) })),
          ...shared,
        ];
        const known = new Map<Tensor, NdArray>(loop.symbols.map((x, i) => [x, given[i]!]));
        evaluate(nodes, known);
        data.set(known.get(result)!.data, each ? t * size : 0);
        carries = loop.next.map((x) => known.get(x)!);
      }
      return data;
    },
    jvp: 'nondifferentiable',
    transpose: 'nonlinear',
    together: {
      // The loop of the tangents, beside the loop of the values.
      jvp: (tangents, inputs, outs) => {
        const loop = loopOf(outs[0]!);
        const [starts, rows, shared] = parts(loop, tangents);
        const some = tangents.findIndex(present);
        const lead = tangents[some]!.shape.slice(0, tangents[some]!.rank - inputs[some]!.rank);
        const [cs, xs] = parts<Tensor>(
          loop,
          loop.symbols.map((x) => symbol(x, lead)),
        );
        const values = [...loop.next, ...outs.map(valueIn)];
        const own = [...xs.map((x, j) => rows[j]! && x), ...shared];
        let carried = starts;
        let pushed: Maybe[];
        // Carries have tangents if their first values have, or if those of other carries reach them.
        for (;;) {
          pushed = pushForward(values, loop.symbols, [...cs.map((x, i) => carried[i]! && x), ...own]);
          const more = carried.map((t, i) => t ?? pushed[i]!);
          if (more.every((t, i) => !t === !carried[i])) break;
          carried = more;
        }
        const moving = <T>(list: readonly T[]) => list.filter((_, i) => carried[i]);
        const { last, each } = bindDerived(
          loop,
          inputs,
          {
            carries: moving(cs),
            init: moving(starts),
            next: moving(pushed),
            xs: xs.filter((_, j) => rows[j]),
            rows: rows.filter(present).map((t) => moveaxis(t, lead.length, 0)),
            each: outs.map(({ params }, i) => (params.each ? pushed[loop.next.length + i]! : null)),
          },
          shared.filter(present),
          loop.reverse,
        );
        const lasts = carried.map((t) => t && last.shift()!);
        return outs.map((out, i) => {
          if (!out.params.each) return lasts[loop.next.indexOf(valueIn(out))]!;
          return each[i]! && moveaxis(each[i]!, 0, lead.length);
        });
      },
      // Loops over the transposed body from last step to first, summing cotangents of what steps share.
      transpose: (cts, inputs, linear, outs) => {
        const loop = loopOf(outs[0]!);
        const isSum = parts(loop, linear)[2];
        const shared = loop.shared.filter((_, k) => isSum[k]);
        const [bars, sums] = [loop.carries, shared].map((list) => list.map((x) => symbol(x)));
        const steps = outs.map((out, i) => (out.params.each && cts[i] ? symbol(valueIn(out)) : null));
        const values = [...loop.next, ...outs.map((out, i) => steps[i]! && valueIn(out))];
        // A symbol used nowhere stands for what is not linear.
        const given = loop.symbols.map((x, i) => (linear[i] || i < bars!.length ? x : symbol(x)));
        // Of carries that are handed the same value, the first stands for it.
        const ends = (y: Tensor, i: number) =>
          cts
            .filter((_, o) => !outs[o]!.params.each && valueIn(outs[o]!) === y && loop.next.indexOf(y) === i)
            .reduce((a, b) => (a && b ? add(a, b) : (a ?? b)), null);
        const [pulled, xs, added] = parts(loop, pullBack(values, given, [...bars!, ...(steps as Tensor[])]));
        const own = added.filter((_, k) => isSum[k]);
        const { last, each } = bindDerived(
          loop,
          inputs,
          {
            carries: [...bars!, ...sums!],
            init: [...loop.next.map(ends), ...sums!.map(() => null)],
            next: [...pulled, ...sums!.map((sum, k) => (own[k] ? add(sum, own[k]!) : sum))],
            xs: steps.filter(present),
            rows: cts.filter((ct, i): ct is Tensor => ct !== null && steps[i] !== null),
            each: xs,
          },
          [],
          !loop.reverse,
        );
        const totals = last.slice(loop.next.length);
        return [
          ...last.slice(0, loop.next.length),
          ...each,
          ...isSum.map((is) => (is ? totals.shift()! : null)),
        ];
      },
      // The loop of the body for all indices at once.
      batch: (inputs, mapped, outs) => {
        const loop = loopOf(outs[0]!);
        const [starts, rows, shared] = parts(loop, inputs);
        const [isWide, isRow] = parts(loop, mapped);
        const size = inputs[mapped.indexOf(true)]!.shape[0]!;
        const whole = (x: Tensor, is: boolean) =>
          is ? x : broadcast(reshape(x, [1, ...x.shape]), [size, ...x.shape]);
        const [carries, xs] = parts<Tensor>(
          loop,
          loop.symbols.map((x, i) => (i < isWide.length || mapped[i] ? symbol(x, [size]) : x)),
        );
        const values = [...loop.next, ...outs.map(valueIn)];
        const wide = replay(
          values,
          new Map(loop.symbols.map((x, i) => [x, [...carries, ...xs, ...shared][i]!])),
        );
        const isWider = wide.map((y, i) => y.rank > values[i]!.rank);
        const { last, each } = bindLoop(
          {
            carries,
            init: starts.map((x, i) => whole(x, isWide[i]!)),
            next: loop.next.map((_, i) => whole(wide[i]!, isWider[i]!)),
            xs,
            rows: rows.map((x, j) => (isRow[j] ? moveaxis(x, 1, 0) : x)),
            each: outs.map(({ params }, i) => (params.each ? wide[loop.next.length + i]! : null)),
          },
          loop,
        );
        return outs.map((out, i) => {
          if (!out.params.each) return last[loop.next.indexOf(valueIn(out))]!;
          return isWider[loop.next.length + i] ? moveaxis(each[i]!, 0, 1) : each[i]!;
        });
      },
    },
    lowering: { kind: 'loop' },
  },
};
