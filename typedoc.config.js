/**
 * What `npm run docs` makes of the doc comments: a site in dist-docs. A warning fails it, as of an export without a comment, or of a link
 * to nothing.
 */

/** Leaves out a warning: that types which valibot infers declare a property twice, in one place, each time with its comment. */
function quiet({ logger }) {
  const { warn, info } = logger;
  logger.warn = (text, ...more) => /has multiple declarations/.test(text) || warn.call(logger, text, ...more);
  logger.info = (text, ...more) => /^The comments for/.test(text) || info.call(logger, text, ...more);
}

/** Types that exports name, but nobody needs by name: parts of signatures, what types are inferred from, the engine's insides. */
const inner = `
  Args ARRAYS As Axes Float GivenArgs Logical Mapped Numeric Sides StepOf Tensor TracedArgs TransformerFields
  analysisFields measures Options sampleMeasures settings summary table
  AdapterInfo AdapterTraits BlockNoise DeviceMemory Kernel Layout Measure NdArray Params Plan Queue Recorder Runnable Shader Work
`;

export default {
  name: 'Collimate',
  entryPoints: [
    'src/index.ts',
    'src/train/index.ts',
    'src/models/index.ts',
    'src/analysis/index.ts',
    'src/host/tuner.ts',
  ],
  tsconfig: 'tsconfig.build.json',
  skipErrorChecking: true, // `npm run typecheck` has found any
  out: 'dist-docs',
  readme: 'none',
  plugin: [quiet],
  excludePrivate: true,
  treatWarningsAsErrors: true,
  validation: { notExported: true, invalidLink: true, rewrittenLink: true, notDocumented: true },
  intentionallyNotExported: inner.trim().split(/\s+/),
  requiredToBeDocumented: ['Class', 'Interface', 'TypeAlias', 'Function', 'Variable'],
  intentionallyNotDocumented: [
    ...['DeviceArray', 'BoundProgram', 'Gpu'].map((name) => `collimate.${name}.[dispose]`),
    ...['Evaluator', 'TrainingState', 'Trainer'].map((name) => `collimate/train.${name}.[dispose]`),
    'collimate/analysis.residualJacobians.__type.[dispose]',
    'collimate.BoundProgram.dispatches.__type.encode',
  ],
};
