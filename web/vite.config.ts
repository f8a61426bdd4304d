import { resolve } from 'node:path';
import { deflateSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';
import { normalization } from '../src/data/dataset.ts';
import { loadDataset } from '../src/data/load.ts';
import { IMAGES_FILE, pack } from './images.ts';

/** Puts the compressed images beside the page. */
function images(): Plugin {
  const compressed = async () => {
    const split = await loadDataset('mnist');
    return deflateSync(pack({ split, normalization: normalization(split.train) }), { level: 9 });
  };
  return {
    name: 'collimate-images',
    configureServer({ middlewares }) {
      const made = compressed();
      middlewares.use(`/${IMAGES_FILE}`, (_, response) => {
        made.then(
          (bytes) => response.end(bytes),
          (error) => response.destroy(error),
        );
      });
    },
    async generateBundle() {
      this.emitFile({ type: 'asset', fileName: IMAGES_FILE, source: await compressed() });
    },
  };
}

/** Benchmarks train on the page's images, so code that reads files stays out. */
function ownTasks(): Plugin {
  return {
    name: 'collimate-own-tasks',
    enforce: 'pre',
    resolveId: (id) =>
      id.endsWith('/experiments/load-task.ts')
        ? resolve(import.meta.dirname, 'bench/load-task.ts')
        : undefined,
  };
}

export default defineConfig({
  root: import.meta.dirname,
  // Relative, so that the page works from any path.
  base: './',
  plugins: [images(), ownTasks()],
  worker: { format: 'es', plugins: () => [ownTasks()] },
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true },
});
