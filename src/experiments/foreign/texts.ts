import * as v from 'valibot';
import type { ImageDataset } from '../../data/dataset.ts';
import { CollimateError } from '../../errors.ts';
import { readRecord } from '../../record.ts';
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

/** Texts as token ids. The network is to predict the last token from the others, among all last tokens. */
export interface Texts {
  readonly length: number;
  /** Token ids in the inputs, and those to predict, each once. */
  readonly used: readonly number[];
  readonly next: readonly number[];
  readonly task: Task;
}

/** Reads texts from a JSON file, `[[id, …], …]`; a network needs only the tokens that occur in them. */
export function readTexts(path: string): Texts {
  const ids = readRecord(path, { schema, remedy: REMEDY });
  const length = ids[0]!.length - 1;
  const odd = ids.findIndex((text) => text.length !== length + 1);
  if (odd >= 0)
    throw new CollimateError(`${path} has texts of ${length + 1} and of ${ids[odd]!.length} tokens`, REMEDY);
  const used = [...new Set(ids.flatMap((text) => text.slice(0, -1)))];
  const next = [...new Set(ids.map((text) => text.at(-1)!))];
  if (used.length > MOST ** 2 || next.length > MOST || next.length < 2)
    throw new CollimateError(
      `${path} has ${used.length} different tokens, and ${next.length} at the ends`,
      `Give texts of at most ${MOST ** 2} different tokens, and 2 to ${MOST} at the ends.`,
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
