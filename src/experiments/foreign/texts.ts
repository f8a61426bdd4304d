import { dirname, join } from 'node:path';
import * as v from 'valibot';
import type { ImageDataset } from '../../data/dataset.ts';
import { CollimateError } from '../../errors.ts';
import { needPackages } from '../../host/packages.ts';
import { range } from '../../lists.ts';
import { readJson, readRecord, readText } from '../../record.ts';
import { whole } from '../../schema.ts';
import type { Task } from '../task.ts';

const schema = v.pipe(
  v.array(
    v.pipe(
      v.array(whole()),
      v.check(({ length }) => length > 1, 'two ids or more'),
    ),
  ),
  v.check(({ length }) => length > 1, 'two texts or more'),
);
const REMEDY = 'Give lists of token ids, all of one length, such as [[464, 3290, 318], [464, 3797, 318]].';
/** Labels are bytes, and tokens two, if one is not enough. */
const MOST = 256;
const LIMITS = `at most ${MOST ** 2} different tokens, and 2 to ${MOST} at the ends`;

/** Texts as token ids. The network is to predict the last token from the others, among all last tokens. */
export interface Texts {
  readonly length: number;
  /** Token ids in the inputs, and those to predict, each once. */
  readonly used: readonly number[];
  readonly next: readonly number[];
  readonly task: Task;
}

/** Reads texts from a JSON file, `[[id, …], …]`. */
export function readTexts(path: string): Texts {
  const ids = readRecord(path, { schema, remedy: REMEDY });
  const [{ length }] = ids as [number[]];
  const odd = ids.find((text) => text.length !== length);
  if (odd) throw new CollimateError(`${path} has texts of ${length} and of ${odd.length} tokens`, REMEDY);
  return textsOf(path, ids, `Give texts of ${LIMITS}.`);
}

/**
 * Cuts a file of text by the tokenizer beside `weights` into pieces: what the tokenizer puts before a text,
 * then what follows of it up to `length` tokens in all, and one more to predict. Takes the first pieces: at
 * most `count`, and no more than end in different tokens that labels can tell apart.
 */
export async function cutText(path: string, weights: string, length: number, count: number): Promise<Texts> {
  needPackages('a text', ['@huggingface/tokenizers']);
  const { Tokenizer } = await import('@huggingface/tokenizers');
  const text = readText(path, 'Give a file of plain text with `--text`.');
  const file = join(dirname(weights), 'tokenizer.json');
  const remedy = 'Put the network’s `tokenizer.json` beside its weights, or give token ids with `--tokens`.';
  const json = readJson(file, remedy) as object;
  const encode = (text: string, special: boolean): number[] => {
    try {
      return new Tokenizer(json, {}).encode(text, { add_special_tokens: special }).ids;
    } catch (cause) {
      throw new CollimateError(`${file}: ${(cause as Error).message}`, remedy, { cause });
    }
  };
  const [bare, marked] = [encode('a', false), encode('a', true)];
  const before = marked.slice(0, Math.max(0, marked.indexOf(bare[0]!)));
  const each = Math.max(1, length + 1 - before.length);
  const ids = encode(text, false);
  const all = range(Math.floor(ids.length / each)).map((i) => [
    ...before,
    ...ids.slice(each * i, each * (i + 1)),
  ]);
  const ends = new Set<number>();
  const tooMany = all.findIndex((piece) => ends.add(piece.at(-1)!).size > MOST);
  const pieces = all.slice(0, Math.min(count, tooMany < 0 ? count : tooMany));
  return textsOf(path, pieces, `Give a text of more than ${ids.length} tokens, or a smaller \`--length\`.`);
}

/** Tokens get numbers of their own, as a network needs only those that occur. */
function textsOf(path: string, ids: readonly (readonly number[])[], remedy: string): Texts {
  const length = (ids[0]?.length ?? 1) - 1;
  const used = [...new Set(ids.flatMap((text) => text.slice(0, -1)))];
  const next = [...new Set(ids.map((text) => text.at(-1)!))];
  if (used.length > MOST ** 2 || next.length > MOST || next.length < 2)
    throw new CollimateError(
      `${path} has ${ids.length} texts of ${used.length} different tokens, and ${next.length} at the ends`,
      remedy,
    );
  const numbers = new Map(used.map((id, i) => [id, i]));
  const place = used.length > MOST ? [1, MOST] : [1];
  const bytesOf = (n: number) => place.map((unit) => Math.floor(n / unit) % MOST);
  const images = Uint8Array.from(
    ids.flatMap((text) => text.slice(0, -1).flatMap((id) => bytesOf(numbers.get(id)!))),
  );
  const labels = Uint8Array.from(ids, (text) => next.indexOf(text.at(-1)!));
  const data: ImageDataset = {
    ...{ name: path, images, labels, count: ids.length, height: 1, width: length, channels: place.length },
    ...{ classes: next.length, text: true },
  };
  const normalization = { mean: place.map(() => 0), std: place.map((unit) => 1 / (255 * unit)) };
  return { length, used, next, task: { dataset: path, notes: [], train: data, test: data, normalization } };
}
