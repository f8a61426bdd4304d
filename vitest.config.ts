import { defineConfig } from 'vitest/config';

/**
 * Two processes for all test files: much of the time goes into compiling kernels and into children, one core each. A process
 * opens one device and compiles each kernel once for all of its files (see test/gpu/harness.ts). The time limit is for what hangs:
 * no test fails for being slow on a machine with other work.
 */
export default defineConfig({
  // Tests import the library by its name as users do, from the sources.
  resolve: { tsconfigPaths: true },
  test: {
    include: ['test/**/*.test.ts'],
    // How commands are named, as by src/cli/main.ts.
    env: { COLLIMATE_PROGRAM: 'npm run' },
    globalSetup: 'test/scratch.ts',
    pool: 'forks',
    maxWorkers: 2,
    isolate: false,
    testTimeout: 3_600_000,
    hookTimeout: 3_600_000,
  },
});
