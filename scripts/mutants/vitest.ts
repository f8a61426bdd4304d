/**
 * Runs test files of the given folder, one list per message, in order and up to the first failure. One
 * process serves many mutants: it keeps sources transformed and rereads only the changed file.
 */
import { join } from 'node:path';
import { createVitest, type TestModule, type TestSpecification } from 'vitest/node';

export interface Request {
  readonly files: readonly string[];
  /** Sources changed since the last request. */
  readonly changed: readonly string[];
}

export type Event =
  | { readonly kind: 'file' | 'test'; readonly file: string }
  | { readonly kind: 'ended'; readonly file: string; readonly seconds: number; readonly failed: boolean }
  | { readonly kind: 'done'; readonly passed: boolean };

/** Keeps a request's order, likeliest failures first; Vitest would begin with the longest. */
class InOrder {
  readonly shard = (files: TestSpecification[]) => files;
  readonly sort = (files: TestSpecification[]) => files;
}

const folder = process.argv[2]!;
const tell = (event: Event) => void process.send!(event);
const nameOf = ({ moduleId }: TestModule) => moduleId.slice(folder.length + 1);

const vitest = await createVitest('test', {
  root: folder,
  watch: false,
  bail: 1,
  maxWorkers: 1,
  sequence: { sequencer: InOrder },
  // A snapshot that only a mutant asks for must not be written for the next.
  update: 'none',
  reporters: [
    {
      onTestModuleStart: (module) => tell({ kind: 'file', file: nameOf(module) }),
      onTestCaseResult: ({ module }) => tell({ kind: 'test', file: nameOf(module) }),
      onTestModuleEnd(module) {
        const { duration } = module.diagnostic();
        tell({
          ...{ kind: 'ended', file: nameOf(module) },
          ...{ seconds: duration / 1000, failed: module.state() === 'failed' },
        });
      },
      onTestRunEnd: (_, errors, reason) =>
        tell({ kind: 'done', passed: reason === 'passed' && errors.length === 0 }),
    },
  ],
});
const project = vitest.getRootProject();

process.on('message', ({ files, changed }: Request) => {
  for (const file of changed) vitest.invalidateFile(join(folder, file));
  void vitest.runTestSpecifications(files.map((file) => project.createSpecification(join(folder, file))));
});
process.on('disconnect', () => process.exit());
