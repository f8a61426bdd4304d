import { Command, Option } from 'commander';
import { main } from '../src/cli/main.ts';
import { catalog } from '../src/experiments/catalog.ts';
import type { AdapterTraits } from '../src/gpu/kernel.ts';
import { openGpu } from '../src/host/open.ts';
import { knownTraits, type Step, steps, subjectOf, subjects } from './explanation.ts';
import { machineText, summary } from './machine-report.ts';
import * as machine from './null-gpu.ts';

type Options = Partial<Record<Step, true>> & {
  readonly sizes?: string;
  readonly jvp?: string;
  readonly grad?: string;
  readonly dispatch?: string;
  readonly traits: keyof typeof knownTraits;
  readonly adapter?: string;
  readonly for?: machine.NullGpuName | 'all';
  readonly f16?: true;
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
  .addOption(
    new Option(
      '--for <gpu>',
      "what this GPU's compiler makes of it: registers, instructions, limits; needs drivers of Mesa, but no GPU",
    ).choices([...Object.keys(machine.nullGpus), 'all']),
  )
  .option('--f16', 'with products that may round their operands to f16')
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
  npm run explain -- mnist-fc --plan                     forward and backward pass of a training step
  npm run explain -- matmul --sizes 4096 --for navi31    machine code of a product, in numbers
  npm run explain -- matmul --sizes 4096 --f16 --for navi31   the same of f16, by units that multiply matrices
  npm run explain -- mnist-fc --for navi31               of all kernels of its training and analysis
  npm run explain -- everything --for all                compiles all kernels for all GPUs; fails where one spills`,
  );

await main(async () => {
  program.parse();
  const [what, ...tensors] = program.args as [string, ...string[]];
  const { sizes, jvp, grad, dispatch, traits, adapter, for: gpu, f16, ...named } = program.opts<Options>();
  if (gpu) return explainMachineCode(what, tensors, { sizes, jvp, grad }, gpu, f16 ?? false);
  const subject = subjectOf(what, tensors, { sizes, jvp, grad });
  const found = adapter === undefined ? knownTraits[traits] : await traitsOf(adapter);
  const target = { ...found, halfProducts: f16 ?? false };
  const chosen = (Object.keys(steps) as Step[]).filter(
    (step) => named[step] || (step === 'wgsl' && dispatch),
  );
  const shown = chosen.length > 0 ? chosen : subject.steps;
  console.log(shown.map((step) => steps[step].text(subject.graph, target, dispatch)).join('\n\n'));
  return 0;
});

/** In a null GPU's process, compiles; elsewhere starts one and prints its results. */
async function explainMachineCode(
  what: string,
  tensors: readonly string[],
  variation: Parameters<typeof subjectOf>[2],
  name: machine.NullGpuName | 'all',
  halfProducts: boolean,
): Promise<number> {
  const everything = what === 'everything';
  const experiments = everything ? ['mnist-fc', 'mnist-conv'] : what in catalog ? [what] : [];
  const kernels = everything ? subjects.map((line) => line.split(' ')[0]!) : experiments.length ? [] : [what];
  const graphs = kernels.map((kernel) => subjectOf(kernel, tensors, variation).graph);
  if (machine.onNullGpu()) {
    await machine.recordCompilation(async (open) => {
      for (const experiment of experiments) await machine.compileExperiment(experiment);
      if (graphs.length === 0) return;
      using gpu = await open();
      for (const graph of graphs) await machine.compileGraph(gpu, graph, halfProducts);
      if (everything) await machine.compileGraph(gpu, subjectOf('matmul', [], variation).graph, true);
    });
    return 0;
  }
  let spilling = 0;
  const names = Object.keys(machine.nullGpus) as machine.NullGpuName[];
  for (const gpu of name === 'all' ? names.filter(machine.isInstalled) : [name]) {
    const all = await machine.compileFor(gpu);
    console.log(everything ? summary(all, gpu) : machineText(all, gpu, experiments.length === 0));
    spilling += all.filter(({ code }) => code!.spilled > 0).length;
  }
  return everything && spilling > 0 ? 1 : 0;
}

async function traitsOf(adapter: string): Promise<AdapterTraits> {
  using gpu = await openGpu({ adapter });
  return gpu.traits;
}
