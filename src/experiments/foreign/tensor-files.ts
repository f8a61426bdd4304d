import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as v from 'valibot';
import { CollimateError } from '../../errors.ts';
import { readJson, readRecord } from '../../record.ts';
import { isRecord } from '../../schema.ts';
import { asFloat32, type Bytes, bytesOf, describeSafetensors, tensorAt } from '../safetensors.ts';

/** Named tensors, read on demand, and their network's configuration. */
export interface TensorFiles {
  /** For messages. */
  readonly path: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** A tensor's numbers as float32, each exactly. */
  read(name: string): Float32Array;
  /** What the file says its format is. */
  readonly format?: string | undefined;
  /** What `config.json` and `preprocessor_config.json` say. */
  config(): Readonly<Record<string, unknown>>;
}

const WEIGHTS = 'model.safetensors';
const INDEX = `${WEIGHTS}.index.json`;
/** Prefixes of all names but a classifier's: wrappers (DataParallel, `torch.compile`), outer modules. */
const PREFIXES = ['module.', '_orig_mod.', 'model.', 'transformer.', 'gpt_neox.', 'vit.'];
/** What may stand beside names with such a prefix. */
const HEAD = /^(lm_head|embed_out|classifier|score)\./;
const REMEDY = `Give a safetensors file, its index (${INDEX}), the folder that has one of them, or that of a run.`;

const index = v.object({ weight_map: v.record(v.string(), v.string()) });

/**
 * Opens a safetensors file, all files that an index (`model.safetensors.index.json`) lists, or a folder with
 * either, and drops wrappers' prefixes. The configuration is at `configPath`, by default beside the tensors.
 */
export function openTensors(path: string, configPath?: string): TensorFiles {
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  const file = isFolder ? join(path, existsSync(join(path, INDEX)) ? INDEX : WEIGHTS) : path;
  const files = file.endsWith('.json') ? listed(file) : within(file, bytesOf(file, REMEDY));
  const beside = (name: string) => join(dirname(file), name);
  return tensorFiles(file, files, () => {
    const found = [configPath ?? beside('config.json'), beside('preprocessor_config.json')]
      .filter((name) => name === configPath || existsSync(name))
      .map((name) => readJson(name, 'Give the configuration that belongs to the weights with `--config`.'));
    return Object.assign({}, ...found.filter(isRecord));
  });
}

/** The same for known places. */
export function tensorFiles(
  path: string,
  { places, format }: Contents,
  config: TensorFiles['config'] = () => ({}),
): TensorFiles {
  let named = [...places];
  const prefixOf = () =>
    PREFIXES.find(
      (prefix) =>
        named.some(([name]) => name.startsWith(prefix)) &&
        named.every(([name]) => name.startsWith(prefix) || HEAD.test(name)),
    );
  for (let prefix = prefixOf(); prefix !== undefined; prefix = prefixOf()) {
    const own = prefix;
    named = named.map(([name, place]) => [name.startsWith(own) ? name.slice(own.length) : name, place]);
  }
  const all = new Map(named);
  const twice = named.find(([name, place]) => all.get(name) !== place);
  if (twice)
    throw new CollimateError(
      `${path} has ${twice[0]} twice, with a prefix and without`,
      'Use a file that has each tensor once.',
    );
  return {
    ...{ path, format, config },
    shapes: new Map(named.map(([name, { place }]) => [name, place.shape])),
    read(name) {
      const { source, place } = all.get(name)!;
      const data = asFloat32(tensorAt(source, place));
      if (data) return data;
      throw new CollimateError(
        `${path} has the tensor ${name} as ${place.dtype}, which float32 does not hold exactly`,
        'Save it as float32: `tensor.float()`.',
      );
    },
  };
}

interface Place {
  readonly source: Bytes;
  readonly place: Parameters<typeof tensorAt>[1];
}

interface Contents {
  readonly places: ReadonlyMap<string, Place>;
  readonly format?: string | undefined;
}

export function within(path: string, source: Bytes): Contents {
  const { places, metadata } = describeSafetensors(source, path);
  return {
    places: new Map([...places].map(([name, place]) => [name, { source, place }])),
    format: metadata.format,
  };
}

function listed(path: string): Contents {
  const { weight_map: fileOf } = readRecord(path, { schema: index, remedy: REMEDY });
  const files = new Map(
    [...new Set(Object.values(fileOf))].map((name) => {
      const file = join(dirname(path), basename(name));
      return [name, within(file, bytesOf(file, `Put all files that ${path} lists beside it.`))];
    }),
  );
  for (const [name, { places }] of files)
    for (const tensor of places.keys())
      if (fileOf[tensor] !== name)
        throw new CollimateError(
          `${name} has ${tensor}, which ${path} ${fileOf[tensor] === undefined ? 'does not list' : `says to be in ${fileOf[tensor]}`}`,
          'Fetch the files again.',
        );
  const places = Object.entries(fileOf).map(([tensor, name]) => {
    const place = files.get(name)!.places.get(tensor);
    if (place) return [tensor, place] as const;
    throw new CollimateError(
      `${path} says that ${name} has ${tensor}, which it lacks`,
      'Fetch the files again.',
    );
  });
  return { places: new Map(places) };
}
