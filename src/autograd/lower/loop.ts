import { CollimateError } from '../../errors.ts';
import type { AdapterTraits } from '../../gpu/kernel.ts';
import { copyRows } from '../../kernels/rows.ts';
import type { Graph } from '../graph.ts';
import { loopOf, valueIn } from '../loop.ts';
import { ancestors, bytesOf, type Tensor } from '../tensor.ts';
import type { Emitted, Part, Scratch } from './emit.ts';
import type { Group } from './groups.ts';
import type { BufferRef, Step } from './memory.ts';

type Value = Emitted['values'][number];
/** Rows of one array, each where a binding may start: dense where rows allow it. */
interface Rows {
  readonly of: Tensor | Scratch;
  readonly width: number;
  readonly pitch: number;
}

const part = ({ of, width, pitch }: Rows, row: number): Part => ({ of, offset: row * pitch, bytes: width });

/**
 * The kernels of all steps of a loop: its body is lowered once, by `stepsOf`, and bound for each step. A
 * carry not stored at each step alternates between two buffers, one read, one written. Otherwise even and
 * odd steps have an array each, as no kernel may read a buffer that it writes; both are merged at last.
 */
export function emitLoop(
  { nodes }: Group,
  traits: AdapterTraits,
  stepsOf: (graph: Pick<Graph, 'inputs' | 'outputs'>) => { steps: Step[]; slots: readonly number[] },
): Emitted[] {
  const results = nodes as readonly Tensor<'scan'>[];
  const { inputs } = results[0]!;
  const loop = loopOf(results[0]!);
  const { length, reverse } = loop;
  const live = new Set<number>();
  const returned = results.map(valueIn);
  results.forEach((node, i) => {
    if (!node.params.each) live.add(loop.next.indexOf(returned[i]!));
  });
  let used = new Set<Tensor>();
  for (let before = -1; before < live.size; ) {
    before = live.size;
    used = new Set(ancestors([...returned, ...[...live].map((i) => loop.next[i]!)]));
    for (const [i, x] of loop.carries.entries()) if (used.has(x)) live.add(i);
  }
  const carried = [...live].sort((a, b) => a - b);
  /** The carry that a result lists at each step, if any. */
  const carryOf = (node: Tensor<'scan'>) =>
    carried.find((i) => [loop.carries[i], loop.next[i]].includes(valueIn(node)));
  const lists = results.filter(({ params }) => params.each);
  const others = lists.filter((node) => carryOf(node) === undefined);

  const before: Emitted[] = [];
  const after: Emitted[] = [];
  /** Rows of an array: its own where bindable, else of a copy, made `first` or copied back at the end. */
  const rowsOf = (array: Tensor, row: Tensor, first: boolean): Rows => {
    const [width, pitch] = [bytesOf(row), pitchOf(row, length, traits)];
    if (width === pitch) return { of: array, width, pitch };
    const copy: Scratch = { bytes: length * pitch };
    const [from, to] = first ? [width, pitch] : [pitch, width];
    const kernel = copyRows({ count: length, width: width / 4, pitch: from / 4, to: to / 4 }, 1, traits);
    (first ? before : after).push({ kernel, values: first ? [array, copy] : [copy, array] });
    return { of: copy, width, pitch };
  };
  const xs = loop.xs.map((x, j) => used.has(x) && rowsOf(inputs[loop.carries.length + j]!, x, true));
  const ys = others.map((node) => rowsOf(node, valueIn(node), false));
  const handOn = carried.map((i) => carry(i));

  function carry(i: number): (step: number) => Value {
    const [x, y, start] = [loop.carries[i]!, loop.next[i]!, inputs[i]!];
    const width = bytesOf(x);
    const own = lists.filter((node) => carryOf(node) === i);
    const last = results.find(
      (node, r) => !node.params.each && returned[r] === y && loop.next.indexOf(y) === i,
    );
    if (!own.length) {
      const pair: Scratch[] = [{ bytes: width }, { bytes: width }];
      const between = (step: number): Value => ({ of: pair[step % 2]!, offset: 0, bytes: width });
      return (step) => (step === 0 ? start : step === length && last ? last : between(step));
    }
    const pitch = pitchOf(x, length, traits);
    const rows = [0, 1].map(
      (): Rows => ({ of: { bytes: Math.ceil((length + 1) / 2) * pitch }, width, pitch }),
    );
    const at = (step: number) => part(rows[step % 2]!, step >> 1);
    const words = { width: width / 4, pitch: pitch / 4, to: width / 4 };
    const one = copyRows({ ...words, count: 1 }, 1, traits);
    before.push({ kernel: one, values: [start, at(0)] });
    if (last) after.push({ kernel: one, values: [at(length), last] });
    for (const node of own) {
      const first = Number(valueIn(node) === y);
      const order = reverse ? ({ start: length - 1 + first, step: -1 } as const) : { start: first };
      const kernel = copyRows({ ...words, count: length, ...order }, 2, traits);
      after.push({ kernel, values: [rows[0]!.of, rows[1]!.of, node] });
    }
    return at;
  }

  const body = stepsOf({
    inputs: [...carried.map((i) => loop.carries[i]!), ...loop.xs, ...loop.shared] as Tensor<'input'>[],
    outputs: [...carried.map((i) => loop.next[i]!), ...others.map(valueIn)],
  });
  const slots = body.slots.map((bytes): Scratch => ({ bytes }));
  const shared = inputs.slice(loop.carries.length + loop.xs.length);
  const steps = Array.from({ length }, (_, step) => {
    const row = reverse ? length - 1 - step : step;
    const bound = [...handOn.map((at) => at(step)), ...xs.map((x) => x && part(x, row)), ...shared];
    const written = [...handOn.map((at) => at(step + 1)), ...ys.map((y) => part(y, row))];
    const known = new Map<BufferRef, Value>();
    const valueAt = (ref: BufferRef): Value => {
      const found = known.get(ref);
      if (found) return found;
      const { kind, index, offset = 0, bytes } = ref;
      const base = (kind === 'slot' ? slots : kind === 'input' ? bound : written)[index] as Value;
      // What all steps share keeps its identity, so that copies of it in other forms are made once.
      const own = kind === 'input' && !offset ? base : within(base, offset, bytes);
      known.set(ref, own);
      return own;
    };
    return body.steps.map(({ kernel, buffers }): Emitted => ({ kernel, values: buffers.map(valueAt) }));
  });
  return [...before, ...steps.flat(), ...after];
}

const within = (base: Value, offset: number, bytes: number): Part =>
  'of' in base ? { of: base.of, offset: base.offset + offset, bytes } : { of: base, offset, bytes };

/** Bytes from one row to the next, so that a binding can start at each. */
function pitchOf(row: Tensor, length: number, { offsetAlignment, maxBindingBytes }: AdapterTraits): number {
  const width = bytesOf(row);
  const pitch = Math.ceil(width / offsetAlignment) * offsetAlignment;
  if (length * pitch <= maxBindingBytes) return pitch;
  throw new CollimateError(
    `scan: ${length} rows of ${width} bytes take ${length * pitch}, as each starts at a multiple of ${offsetAlignment}: more than the ${maxBindingBytes} that this adapter lets one binding span`,
    'Scan over fewer steps at a time.',
  );
}
