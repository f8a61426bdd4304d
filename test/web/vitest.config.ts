import { defineConfig } from 'vitest/config';

/**
 * Tests of the page in a real browser, `npm run test:web`. They share one build of it, and one
 * process. An hour each is for what hangs: no test fails for being slow on a machine with other work.
 */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.browser.ts'],
    pool: 'forks',
    maxWorkers: 1,
    isolate: false,
    testTimeout: 3_600_000,
    hookTimeout: 3_600_000,
  },
});
