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

/** In a browser the engine takes its adapter from `navigator.gpu`. */
function noNode(): Plugin {
  const EMPTY = '\0no-node';
  return {
    name: 'collimate-no-node',
    enforce: 'pre',
    resolveId: (id) => (/node-adapter\.ts$/.test(id) ? EMPTY : undefined),
    load: (id) => (id === EMPTY ? 'export {}' : undefined),
  };
}

export default defineConfig({
  root: import.meta.dirname,
  // Relative, so that the page works from any path.
  base: './',
  plugins: [images(), noNode()],
  worker: { format: 'es', plugins: () => [noNode()] },
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true },
});
