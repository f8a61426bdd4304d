import { basename, join } from 'node:path';
import * as v from 'valibot';
import type { Dataset } from '../../data/dataset.ts';
import { imagesInFolder } from '../../data/image-files.ts';
import { decodeImages } from '../../data/image-folder.ts';
import { imagenette } from '../../data/imagenette.ts';
import { dataFolder } from '../../data/locate.ts';
import { above0, checked, finite, whole } from '../../schema.ts';
import type { Task } from '../task.ts';

/** For photographs, as in torchvision and timm. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

const side = v.optional(
  v.union([whole(1), v.object({ height: whole(1) }), v.object({ shortest_edge: whole(1) })]),
);
const mean = v.optional(v.array(finite));
const std = v.optional(v.array(above0()));
const timm = v.object({ input_size: v.optional(v.tuple([whole(1), whole(1), whole(1)])), mean, std });
const schema = v.object({
  pretrained_cfg: v.optional(timm),
  ...{ size: side, crop_size: side, image_size: v.optional(whole(1)), image_mean: mean, image_std: std },
});

/** A network's configured images: side in pixels; mean and deviation that normalize inputs in [0, 1]. */
export function preprocessing(config: Readonly<Record<string, unknown>>, path: string) {
  const given = checked(config, schema, `the configuration of ${path}`, 'Give another one with `--config`.');
  const { pretrained_cfg: own, image_size, crop_size, size, image_mean, image_std } = given;
  const sides = [crop_size, size].map((x) =>
    typeof x === 'object' ? ('height' in x ? x.height : x.shortest_edge) : x,
  );
  return {
    side: own?.input_size?.[1] ?? image_size ?? sides.find((x) => x !== undefined),
    mean: own?.mean ?? image_mean,
    std: own?.std ?? image_std,
  };
}

/** A folder of photographs in ImageNette's layout as a dataset; classes are folders, ordered by name. */
export const imageFolder = (path: string): Dataset => ({
  ...{ ...imagenette, title: path, images: Number.POSITIVE_INFINITY, classes: 256, sources: {} },
  async load({ size = imagenette.side, dataDir = dataFolder(), onDecode, say = console.error }) {
    const options = {
      name: basename(path),
      side: size,
      cache: join(dataDir, 'folders'),
      onProgress: onDecode,
      say,
    };
    return decodeImages(await imagesInFolder(path), options);
  },
});

/** A task with inputs normalized as the network's were: as configured, or as ImageNet for photographs. */
export function normalizedAs(
  task: Task,
  { mean, std }: Partial<Pick<ReturnType<typeof preprocessing>, 'mean' | 'std'>>,
  photographs: boolean,
): Task {
  const usual = photographs ? IMAGENET : task.normalization;
  return { ...task, normalization: { mean: mean ?? usual.mean, std: std ?? usual.std } };
}
