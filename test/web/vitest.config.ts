import { defineConfig } from 'vitest/config';

/** Tests of the page in a real browser, `npm run test:web`. They share one build of it, and one process. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.browser.ts'],
    pool: 'forks',
    maxWorkers: 1,
    isolate: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
