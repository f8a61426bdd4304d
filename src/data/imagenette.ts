import { statSync } from 'node:fs';
import type { Dataset } from './dataset.ts';
import { archivedImages, imagesInFolder } from './image-files.ts';
import { decodeImages } from './image-folder.ts';
import { findFile, inArchive, type RemoteFile, type Source } from './locate.ts';

const facts = { images: 9_469, test: 3_925, side: 160, channels: 3, classes: 10 };

/** Photographs with a shorter side of `side` pixels. */
const source = (side: number, bytes: number, sha256: string): Source =>
  inArchive(facts, {
    folder: 'imagenette',
    url: `https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-${side}.tgz`,
    ...{ bytes, sha256, unpacked: `imagenette2-${side}` },
    about: `13,394 photographs of ${side} pixels and more, 10 classes`,
  });

/** ImageNette (fast.ai), version 2: ten classes of ImageNet, resized to any size. */
export const imagenette: Dataset = {
  title: 'ImageNette',
  ...facts,
  settings: ['resolution'],
  trainedAt: 0.4,
  sources: {
    'imagenette-160': source(
      160,
      99_003_388,
      '64d0c4859f35a461889e0147755a999a48b49bf38a7e0f9bd27003f10db02fe5',
    ),
    'imagenette-320': source(
      320,
      341_663_724,
      '569b4497c98db6dd29f335d1f109cf315fe127053cedf69010d047f0188e158c',
    ),
  },
  sourceFor: ({ size = facts.side }) => `imagenette-${size <= 160 ? 160 : 320}`,
  async load({ size = facts.side, onDecode, say = console.error }, { source, folder }) {
    const [file] = source.files as readonly [RemoteFile];
    const path = findFile(folder, file)!;
    const files = statSync(path).isDirectory()
      ? await imagesInFolder(path)
      : await archivedImages(path, file.unpacked, file.sha256);
    return decodeImages(files, { name: file.unpacked, side: size, cache: folder, onProgress: onDecode, say });
  },
};
