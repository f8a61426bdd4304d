import { defineConfig } from 'vitest/config';

/**
 * One process for all test files: a software adapter draws on the same cores that more workers would take, and one
 * process opens one device and compiles each kernel once (see test/gpu/harness.ts).
 */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/scratch.ts',
    pool: 'forks',
    fileParallelism: false,
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
