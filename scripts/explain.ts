import { Command, Option } from 'commander';
import { main } from '../src/cli/main.ts';
import type { AdapterTraits } from '../src/gpu/kernel.ts';
import { openGpu } from '../src/host/open.ts';
import { knownTraits, type Step, steps, subjectOf, subjects } from './explanation.ts';

type Options = Partial<Record<Step, true>> & {
  readonly sizes?: string;
  readonly jvp?: string;
  readonly grad?: string;
  readonly dispatch?: string;
  readonly traits: keyof typeof knownTraits;
  readonly adapter?: string;
};

const program = new Command('npm run explain --')
  .description('Prints what the engine makes of a function of tensors, step by step, without a GPU.')
  .argument('<what>', 'an expression, a kernel or an experiment')
  .argument('[tensors...]', "the expression's tensors, name=sides, and :u32 or :u8 where they are not f32")
  .option('--sizes <list>', "a kernel's sizes, separated by commas or x")
  .option('--jvp <tensors>', 'its derivative along tangents of these tensors (d and their names)')
  .option('--grad <tensors>', 'its gradient with respect to these tensors, separated by commas')
  .option('--graph', steps.graph.summary)
  .option('--simplified', steps.simplified.summary)
  .option('--groups', steps.groups.summary)
  .option('--plan', steps.plan.summary)
  .option('--wgsl', steps.wgsl.summary)
  .option('--dispatch <number>', 'only the WGSL of this dispatch')
  .addOption(
    new Option('--traits <name>', 'for an adapter with these traits')
      .choices(Object.keys(knownTraits))
      .default('lavapipe'),
  )
  .option(
    '--adapter <name>',
    'for an adapter of this machine: gpu, system, swiftshader or part of an adapter name',
  )
  .option('--debug', 'print stack traces')
  .addHelpText(
    'after',
    `
Without a step named, all are printed; of an experiment, the plan alone.

Kernels and their sizes:
${subjects.map((line) => `  ${line}`).join('\n')}

Examples:
  npm run explain -- walk --grad w                       the function of docs/engine.md, step by step
  npm run explain -- matmul --sizes 512,512,512 --traits gpu
  npm run explain -- 'sum(exp(x), -1)' x=64,10 --grad x --plan
  npm run explain -- mnist-fc --plan                     forward and backward pass of a training step`,
  );

await main(async () => {
  program.parse();
  const [what, ...tensors] = program.args as [string, ...string[]];
  const { sizes, jvp, grad, dispatch, traits, adapter, ...named } = program.opts<Options>();
  const subject = subjectOf(what, tensors, { sizes, jvp, grad });
  const target = adapter === undefined ? knownTraits[traits] : await traitsOf(adapter);
  const chosen = (Object.keys(steps) as Step[]).filter(
    (step) => named[step] || (step === 'wgsl' && dispatch),
  );
  const shown = chosen.length > 0 ? chosen : subject.steps;
  console.log(shown.map((step) => steps[step].text(subject.graph, target, dispatch)).join('\n\n'));
  return 0;
});

async function traitsOf(adapter: string): Promise<AdapterTraits> {
  using gpu = await openGpu({ adapter });
  return gpu.traits;
}
