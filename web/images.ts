import type { DatasetSplit, ImageDataset } from '../src/data/dataset.ts';
import { CollimateError } from '../src/errors.ts';
import type { Task } from '../src/experiments/task.ts';

/** The page's MNIST images, the first of both files, and their path beside it. */
export const TRAIN = 6_400;
export const TEST = 1_000;
export const IMAGES_FILE = 'mnist.bin';

/** Number of training images at which Jacobians are taken. */
export const SAMPLES = 20;

/** Pixels of an image. */
export const PIXELS = 28 * 28;
/** Mean and standard deviation of the whole training set, as float64. */
const HEADER_BYTES = 16;

/** The page's part of MNIST. */
export interface PageImages {
  readonly split: DatasetSplit;
  /** That of all 60,000 training images, so that the page trains on the same numbers as `reproduce`. */
  readonly normalization: Task['normalization'];
}

/** The file before it is compressed: the normalization, then images and labels of both sets. */
export function pack({ split, normalization }: PageImages): Uint8Array {
  const packed = new Uint8Array(HEADER_BYTES + (TRAIN + TEST) * (PIXELS + 1));
  new Float64Array(packed.buffer, 0, 2).set([normalization.mean[0]!, normalization.std[0]!]);
  let at = HEADER_BYTES;
  for (const [{ images, labels }, count] of [[split.train, TRAIN] as const, [split.test, TEST] as const]) {
    for (const part of [images.subarray(0, count * PIXELS), labels.subarray(0, count)]) {
      packed.set(part, at);
      at += part.length;
    }
  }
  return packed;
}

/** What {@link pack} packed. @throws CollimateError if bytes are missing */
export function unpack(packed: Uint8Array): PageImages {
  const expected = HEADER_BYTES + (TRAIN + TEST) * (PIXELS + 1);
  if (packed.length !== expected) {
    throw new CollimateError(
      `${IMAGES_FILE} holds ${packed.length} bytes, expected ${expected}`,
      'Load the page again; if it stays so, build it again with `npm run web:build`.',
    );
  }
  const [mean, std] = new Float64Array(packed.slice(0, HEADER_BYTES).buffer);
  let at = HEADER_BYTES;
  const take = (bytes: number) => {
    at += bytes;
    return packed.subarray(at - bytes, at);
  };
  const set = (count: number): ImageDataset => ({
    ...{ name: 'mnist', count, height: 28, width: 28, channels: 1, classes: 10 },
    ...{ images: take(count * PIXELS), labels: take(count) },
  });
  return { split: { train: set(TRAIN), test: set(TEST) }, normalization: { mean: [mean!], std: [std!] } };
}

/** Fetches the images that lie beside the page. @throws CollimateError if they cannot be fetched */
export async function fetchImages(page: string): Promise<Uint8Array> {
  const url = new URL(IMAGES_FILE, page);
  const failed = (what: string) =>
    new CollimateError(
      `${url} could not be fetched: ${what}`,
      'Check the connection, and load the page again.',
    );
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw failed((cause as Error).message);
  }
  if (!response.ok || !response.body) throw failed(`status ${response.status}`);
  const plain = response.body.pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}
