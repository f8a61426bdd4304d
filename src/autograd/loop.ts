import { bind, input, loweringOf } from './bind.ts';
import { full } from './operations.ts';
import { dependents, replay } from './propagate.ts';
import { ancestors, type Tensor } from './tensor.ts';

let nextId = 0;

/**
 * A repeated computation: a graph of symbols. Nodes of the primitive `scan` are its results: values of the
 * body after the last step or at each. Those on the same inputs are computed together, and derivatives may
 * ask for more. Inputs are first carries, then arrays of a row per step, then what all steps share.
 */
export class Loop {
  readonly id = nextId++;
  /** Values of the body that have results. */
  readonly values: Tensor[] = [];

  constructor(
    /** Symbols for what a step is given. */
    readonly carries: readonly Tensor[],
    readonly xs: readonly Tensor[],
    readonly shared: readonly Tensor[],
    /** What it hands on to the next. */
    readonly next: readonly Tensor[],
    readonly length: number,
    /** Whether steps take the last row first. */
    readonly reverse: boolean,
  ) {}

  get symbols(): readonly Tensor<'input'>[] {
    return [...this.carries, ...this.xs, ...this.shared] as Tensor<'input'>[];
  }

  /** Stands for the loop in the parameters of a node. */
  toJSON(): number {
    return this.id;
  }

  /** The result for a value of the body. */
  result(inputs: readonly Tensor[], value: Tensor, each: boolean): Tensor<'scan'> {
    const known = this.values.indexOf(value);
    return bind('scan', inputs, { loop: this, value: known < 0 ? this.values.push(value) - 1 : known, each });
  }
}

/** The loop of a node, and the value of its body that the node is a result of. */
export const loopOf = (node: Tensor<'scan'>): Loop => node.params.loop as Loop;
export const valueIn = (node: Tensor<'scan'>): Tensor => loopOf(node).values[node.params.value]!;

/** A loop body to record; what it uses from outside becomes an input. Null is zero, or no result. */
export interface Body {
  readonly carries: readonly Tensor[];
  readonly init: readonly (Tensor | null)[];
  readonly next: readonly (Tensor | null)[];
  readonly xs: readonly Tensor[];
  readonly rows: readonly Tensor[];
  /** Values to return at each step. */
  readonly each: readonly (Tensor | null)[];
}

/** Records a loop: the carries after the last step, and the values at each step. */
export function bindLoop(
  { carries, init, next, xs, rows, each }: Body,
  { length, reverse }: Pick<Loop, 'length' | 'reverse'>,
): { last: Tensor[]; each: (Tensor | null)[] } {
  const zeros = (i: number) => full(0, carries[i]!.shape);
  const outputs = [...next.map((y, i) => y ?? zeros(i)), ...each];
  const varying = new Set<Tensor>([...carries, ...xs, ...dependents(outputs, [...carries, ...xs])]);
  // What no step changes is computed before the loop; literals are part of kernels anyway.
  const shared = new Map<Tensor, Tensor>();
  for (const x of [...outputs, ...[...varying].flatMap(({ inputs }) => inputs)]) {
    if (x && !varying.has(x) && !shared.has(x) && !isLiteral(x))
      shared.set(x, input('shared', x.shape, x.dtype));
  }
  const body = replay(outputs, new Map(shared));
  const handed = body.slice(0, next.length) as Tensor[];
  const loop = new Loop(carries, xs, [...shared.values()], handed, length, reverse);
  const inputs = [...init.map((x, i) => x ?? zeros(i)), ...rows, ...shared.keys()];
  return {
    last: handed.map((y) => loop.result(inputs, y, false)),
    each: body.slice(next.length).map((y) => y && loop.result(inputs, y, true)),
  };
}

const isLiteral = (x: Tensor): boolean =>
  ancestors([x]).every((y) => ['pointwise', 'view', 'leaf'].includes(loweringOf(y).kind) && !y.is('input'));
