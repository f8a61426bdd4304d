import { defineConfig } from 'vitest/config';

/**
 * Two processes for all test files: much of the time goes into compiling kernels and into children, one core each. A process
 * opens one device and compiles each kernel once for all of its files (see test/gpu/harness.ts).
 */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/scratch.ts',
    pool: 'forks',
    maxWorkers: 2,
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
