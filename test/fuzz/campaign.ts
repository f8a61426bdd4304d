import fc from 'fast-check';
import { printGraph } from '../../src/autograd/graph.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { type Case, prepare } from './case.ts';
import { check, type Failure, newTally, type Tally } from './check.ts';
import { type Draw, type Recipe, recipeAt, recipes } from './graphs.ts';

/** A failing graph, and its shrunk form. */
export interface Finding {
  readonly index: number;
  readonly recipe: Recipe;
  readonly text: string;
  readonly failures: readonly Failure[];
}

export interface Campaign extends Draw {
  readonly from: number;
  readonly graphs: number;
  /** Seconds after which no further graphs are begun. */
  readonly seconds?: number | undefined;
  /** Milliseconds that a failure may be shrunk for; each structure's first is. */
  readonly shrinking?: number;
  readonly onBatch?: (state: State) => void;
  readonly onFinding?: (finding: Finding) => void;
}

/** How far a campaign is. */
export interface State {
  readonly tally: Tally;
  readonly findings: Finding[];
  /** Graphs that failed, those that were shrunk among them. */
  failed: number;
  /** Number of the next graph. */
  next: number;
}

/** Graphs that are compiled and run side by side. */
const BATCH = 50;
/** Graphs per device, since pipelines stay with their device. */
const PER_DEVICE = 3000;

/** Draws graphs and checks them, batch after batch; `open` gives a device, which is disposed of. */
export async function runCampaign(open: () => Promise<Gpu>, campaign: Campaign): Promise<State> {
  const { from, graphs, seconds = Number.POSITIVE_INFINITY, perStructure } = campaign;
  const until = performance.now() + 1000 * seconds;
  const state: State = { tally: newTally(), findings: [], failed: 0, next: from };
  const structures = new Set<number>();
  const batchAt = (start: number): Case[] => {
    const end = Math.min(start + BATCH, from + graphs);
    return Array.from({ length: Math.max(0, end - start) }, (_, k) => prepare(recipeAt(start + k, campaign)));
  };
  using bench = new Bench(open);
  let batch = batchAt(from);
  while (batch.length && performance.now() < until) {
    const checking = bench.check(batch, state.tally);
    // The interpreter works while the device does.
    const following = batchAt(state.next + batch.length);
    const failures = await checking;
    for (const [k, { recipe }] of batch.entries()) {
      if (!failures[k]!.length) continue;
      state.failed++;
      const index = state.next + k;
      const structure = Math.floor(index / perStructure);
      if (structures.has(structure)) continue;
      structures.add(structure);
      const found = { index, ...(await shrink(bench, recipe, campaign.shrinking)) };
      state.findings.push(found);
      campaign.onFinding?.(found);
    }
    state.next += batch.length;
    batch = following;
    campaign.onBatch?.(state);
  }
  return state;
}

/** A device, and another one after many graphs or where one of them broke it. */
class Bench implements Disposable {
  readonly #open: () => Promise<Gpu>;
  #gpu: Gpu | undefined;
  #graphs = 0;

  constructor(open: () => Promise<Gpu>) {
    this.#open = open;
  }

  /** The failures of each graph; breaking the device is one. */
  async check(cases: readonly Case[], tally?: Tally): Promise<Failure[][]> {
    if (this.#graphs > PER_DEVICE) this.#close();
    this.#gpu ??= await this.#open();
    this.#graphs += cases.length;
    try {
      return await check(this.#gpu, cases, tally);
    } catch (error) {
      this.#close();
      if (cases.length === 1) return [[{ variant: 'the device', message: (error as Error).message }]];
      const half = Math.ceil(cases.length / 2);
      return [...(await this.check(cases.slice(0, half))), ...(await this.check(cases.slice(half)))];
    }
  }

  #close(): void {
    try {
      this.#gpu?.dispose();
    } catch {
      // It was broken, which has been told.
    }
    this.#gpu = undefined;
    this.#graphs = 0;
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

/** The smallest failing recipe found. */
async function shrink(bench: Bench, recipe: Recipe, milliseconds = 20_000): Promise<Omit<Finding, 'index'>> {
  const until = performance.now() + milliseconds;
  let smallest = recipe;
  const property = fc.asyncProperty(recipes, async (candidate) => {
    if (performance.now() > until) return true;
    const [failures] = await bench.check([prepare(candidate)]);
    if (failures!.length) smallest = candidate;
    return failures!.length === 0;
  });
  await fc.check(property, { examples: [[recipe]], numRuns: 1 });
  const work = prepare(smallest);
  const [failures] = await bench.check([work]);
  return { recipe: smallest, text: printGraph(work.problem), failures: failures! };
}

/** A finding as text: the graph, what is wrong with it, and how to come back to it. */
export function describeFinding({ index, recipe, text, failures }: Finding, { seed }: Draw): string {
  const lines = failures.slice(0, 4).map(({ variant, message }) => `  ${variant}: ${message}`);
  const more = failures.length > 4 ? [`  and ${failures.length - 4} more`] : [];
  return [
    `graph ${index} of seed ${seed}, shrunk:`,
    text,
    ...lines,
    ...more,
    `  recipe ${JSON.stringify(recipe)}`,
  ].join('\n');
}
