import { type Accumulator, BLOCK, blocks, MOMENTS_BLOCK, type ReduceKind, totalOf } from './accumulate.ts';
import { neededFor, offset, SCALARS, type Shader, stored } from './fused.ts';
import type { MatmulSpec } from './matmul-problem.ts';
import { joinLanes } from './team.ts';

/**
 * What one kernel computes from its reductions' results, which are leaves of the body (`totalLeaf`): further
 * reductions, and the body's results after the reduced ones. Each round is one pass over a workgroup's part.
 */
export interface Rounds {
  /** The round of each reduction, from 0 on: later ones may need the results of earlier ones. */
  readonly order: readonly number[];
  /** Whether each reduction is also stored. */
  readonly stored: readonly boolean[];
  /** Whether a result is stored per element of the space, or once for all that are reduced together. */
  readonly each: readonly boolean[];
  /** The product behind a leaf (`STRIPE_VALUE`), reduced over its rows; its operands are bound first. */
  readonly product?: MatmulSpec;
}

/** An axis of a coalesced space, with the number that names its coordinate. */
export interface NumberedAxis {
  readonly number: number;
  /** In elements, or in vectors of four. */
  readonly size: number;
}

/** How threads share the work of a reduction. */
export interface Sharing {
  /** Remaining axes, and reduced ones. */
  readonly stay: readonly NumberedAxis[];
  readonly fold: readonly NumberedAxis[];
  /** Whether a thread reduces four neighbors together: then its totals are joined. */
  readonly across: boolean;
  /** Results per workgroup, and threads for each. */
  readonly lanes: number;
  readonly rows: number;
  /** Whether the threads of one result are neighbors, as its elements are; else neighboring results' are. */
  readonly along: boolean;
  /** Elements a thread loads before it uses them. */
  readonly ahead: number;
  /** Lanes that can shuffle. */
  readonly subgroup: number;
  /** Elements along the last reduced axis, and along those around it, for a thread or a result's rows. */
  readonly lengthPart: number;
  readonly aroundPart: number;
}

/** Lanes with parts of one result: their numbers differ in the bits from the first up to the second. */
export const partners = ({ along, lanes, rows }: Sharing): readonly [from: number, to: number] =>
  along ? [1, rows] : [lanes, lanes * rows];

/** Statements with which a workgroup traverses its part of a space, once or in rounds. */
export class Passes {
  /** Before all passes: the coordinates of a thread's result, and each leaf's offset there. */
  readonly opening: readonly string[];
  readonly #steps: readonly string[];
  readonly #around: readonly NumberedAxis[];
  readonly #aroundLines: readonly string[];

  /** `sizes` are uniforms: of the loops, and of all elements of one result. */
  constructor(
    private readonly shader: Shader,
    private readonly running: readonly Accumulator[],
    private readonly kinds: readonly ReduceKind[],
    private readonly sharing: Sharing,
    private readonly sizes: Readonly<Record<'around' | 'length' | 'total', string>>,
  ) {
    const { stay, fold } = sharing;
    const inner = fold.at(-1);
    this.#around = fold.slice(0, -1);
    const at = (j: number, list: readonly NumberedAxis[]) =>
      list.map(({ number }) => shader.term(j, number, `c${number}`));
    const { leaves } = shader.body;
    const bases = leaves.map((_, j) => `let base${j} = ${offset([...shader.origin(j), ...at(j, stay)])};`);
    this.#steps = leaves.map((_, j) =>
      offset([
        { coordinate: `base${j}`, stride: '1u' },
        ...at(j, this.#around),
        ...(inner ? [shader.term(j, inner.number, 'r')] : []),
      ]),
    );
    this.opening = [...shader.split('output', stay), ...bases];
    this.#aroundLines = shader.split('q', this.#around);
  }

  /** The statements, before and inside a thread's loops, that some results need; default: all. */
  #statements(needed?: readonly number[]) {
    const { shader } = this;
    const varies = (j: number) =>
      this.sharing.fold.some(({ number }) => shader.axes[number]!.strides[j] !== 0);
    const load = (j: number) => shader.load(j, this.#steps[j]!);
    return shader.hoist(varies, load, needed && neededFor(shader.body, needed));
  }

  /** The loops of all reductions, with results `{name}_0`. */
  all(): string[] {
    const { results } = this.shader.body;
    return this.#loops(
      this.running.map((_, i) => i),
      results.map((_, i) => i),
    );
  }

  /** The loops of reductions `which` over the body's results `values`, with the statements for `needed`. */
  #loops(which: readonly number[], values: readonly number[], needed?: readonly number[]): string[] {
    const { rows, lengthPart, aroundPart, ahead, across, subgroup } = this.sharing;
    const own = which.map((i) => this.running[i]!);
    const { before, inside } = this.#statements(needed);
    const { results } = this.shader.body;
    const idle = new Map(ahead > 1 ? own.map((a) => a.idle) : []);
    const element = values.map((i) => {
      const [{ expression }, other] = [results[i]!, idle.get(`y${i}`)];
      return `let y${i} = ${other ? `select(${other}, ${expression}, there)` : expression};`;
    });
    const elements = [...inside, ...element];
    const moments = own.some(({ type }) => type === 'Moments');
    const loops = [
      ...(this.#around.length ? blocks('q', 'beginAround', 'endAround', 1, aroundPart, BLOCK, 1) : []),
      ...blocks(
        'r',
        'begin',
        'end',
        rows,
        lengthPart / rows,
        moments ? MOMENTS_BLOCK : BLOCK,
        ahead > 1 ? 1 : 2,
      ),
    ];
    const shifted = which.filter((i) => this.running[i]!.variables.length > 1);
    const value = ({ name }: Accumulator, level: number) => `${name}_${level}`;

    /** The loops from `i` on; their values are named by its number. */
    const nest = (i: number): string[] => {
      const { variable, from, to, step } = loops[i]!;
      const first = `${from}${rows > 1 && variable === 'r' ? ' + local.y' : ''}`;
      const loop = `for (var ${variable} = ${first}; ${variable} < ${to}; ${variable} += ${step}u) {`;
      if (i < loops.length - 1) {
        return [
          ...own.map((a) => `var ${value(a, i)} = ${a.start};`),
          loop,
          ...(variable === 'q' ? this.#aroundLines : []),
          ...nest(i + 1),
          ...own.map((a) => `${value(a, i)} = ${a.join(value(a, i), value(a, i + 1))};`),
          '}',
        ];
      }
      const variables = own.flatMap((a) => a.variables);
      const counted = [
        `let first = ${first};`,
        `let count = f32((max(${to}, first) - first + ${rows - 1}u) / ${rows}u);`,
        'let share = 1.0 / max(count, 1.0);',
        ...shifted.map((j) => `var shift${j} = F(0.0);`),
        `{ let r = min(first, end - 1u); let there = true; ${[...elements, ...shifted.map((j) => `shift${j} = y${j};`)].join(' ')} }`,
      ];
      // Nothing comes between the loads of one turn, so they are in flight together.
      const several = [
        `for (var next = ${first}; next < ${to}; next += ${step * ahead}u) {`,
        `for (var u = 0u; u < ${ahead}u; u++) { let place = next + u * ${step}u;`,
        `let there = place < ${to}; let r = min(place, end - 1u);`,
      ];
      return [
        ...(shifted.length ? counted : []),
        ...variables.map(([name, start]) => `var ${name} = ${start};`),
        ...(ahead > 1 ? several : [loop]),
        ...[...elements, ...variables.map(([name, , next]) => `${name} = ${next};`)],
        ahead > 1 ? '} }' : '}',
        ...own.map((a) => `let ${value(a, i)} = ${a.block};`),
      ];
    };
    const totals = own.map((a) => totalOf(a, across));
    return [
      ...before,
      ...nest(0),
      ...totals.map(({ name, value }) => `var ${name} = ${value};`),
      ...joinLanes(totals, ...partners(this.sharing), subgroup),
    ];
  }

  /** The result of reduction `i`: one value, or the four of `moments`. */
  totals(i: number): string[] {
    const { across } = this.sharing;
    const { name, type } = this.running[i]!;
    if (type === 'Moments') {
      const own = across ? '' : 'F';
      const parts = ['shift', 'mean', 'squares', 'count'].map((part) => `${own}(${name}.${part})`);
      return this.kinds[i] === 'moments' ? parts : [`${parts[2]} / ${parts[3]}`];
    }
    return [this.kinds[i] === 'mean' ? `${name} / f32(${this.sizes.total})` : name];
  }

  /** A value of a thread's result, one of four equal ones if `across`. */
  one(value: string): string {
    return this.sharing.across ? `(${value}).x` : value;
  }

  /**
   * Round by round the totals, `total{i}`; then per element, and once per result, the body's results after
   * the reduced ones, stored from the kernel's result `first` on.
   */
  inRounds({ order, each }: Rounds, first: number): string[] {
    const { rows } = this.sharing;
    const { results } = this.shader.body;
    const count = this.kinds.length;
    const round = (number: number): string[] => {
      const own = order.flatMap((of, i) => (of === number ? [i] : []));
      const typeOf = (i: number) => SCALARS[this.running[i]!.dtype].value;
      return [
        ...own.map((i) => `var total${i}: ${typeOf(i)};`),
        '{',
        ...this.#loops(own, own, own),
        ...own.map((i) => `total${i} = ${typeOf(i)}(${this.totals(i)});`),
        '}',
      ];
    };
    const made = (every: boolean) => {
      const which = each.flatMap((is, r) => (is === every ? [r] : []));
      const store = which.map((r) => {
        const value = stored(results[count + r]!.expression, results[count + r]!.dtype);
        return every
          ? `result${first + r}[${this.#steps.at(-1)}] = ${value};`
          : `result${first + r}[result] = ${this.one(value)};`;
      });
      return { ...this.#statements(which.map((r) => count + r)), store };
    };
    const [elements, once] = [made(true), made(false)];
    const around = this.#around.length > 0;
    const loop = [
      ...elements.before,
      ...(around ? [`for (var q = 0u; q < ${this.sizes.around}; q++) {`, ...this.#aroundLines] : []),
      `for (var r = ${rows > 1 ? 'local.y' : '0u'}; r < ${this.sizes.length}; r += ${rows}u) {`,
      ...elements.inside,
      ...elements.store,
      '}',
      ...(around ? ['}'] : []),
    ];
    return [
      ...[...new Set(order)].sort((a, b) => a - b).flatMap(round),
      'if (valid) {',
      ...(each.includes(true) ? loop : []),
      '}',
      'if (valid && local.y == 0u) {',
      ...(each.includes(false) ? [...once.before, ...once.inside, ...once.store] : []),
    ];
  }
}
