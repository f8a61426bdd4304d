/**
 * Errors of an adapter's pointwise primitives, as the table in docs/numerics.md; exits with 1 if one is too
 * large: `npm run ulp -- [--adapter swiftshader] [--points 1000000] [names…]`.
 */
import { Command } from 'commander';
import { main } from '../src/cli/main.ts';
import { openGpu } from '../src/host/open.ts';
import { parseNumber, whole } from '../src/settings/row.ts';
import { accuracyCases, measureAccuracy } from './accuracy.ts';

async function ulp(): Promise<number> {
  const program = new Command('ulp')
    .description('Measures the errors of the pointwise primitives on an adapter against what is allowed.')
    .option('--adapter <name>', 'as for reproduce')
    .option('--points <number>', 'numbers, or pairs of them, to try each primitive on', '1000000')
    .option('--debug', 'print stack traces')
    .argument('[primitives...]', 'default: all')
    .parse();
  const { adapter, points } = program.opts<{ adapter?: string; points: string }>();
  const count = parseNumber('--points', points, whole(1000, 2 ** 24));
  const gpu = await openGpu({ adapter });
  console.log(`${gpu.info.name}, ${count} points each:\n`);
  console.log('| primitive | largest error, ULP | at | allowed | outside | subnormals |');
  console.log('|---|---:|---|---|---:|---|');
  const failures: string[] = [];
  for (const test of accuracyCases) {
    if (program.args.length && !program.args.includes(test.name)) continue;
    const { name, worst, at, allowed, outside, example, flushes } = await measureAccuracy(gpu, test, count);
    const where = worst > 0.5 ? at.map(short).join(', ') : '';
    const subnormals = test.dtype !== 'f32' ? '' : flushes ? 'taken for zero' : 'kept';
    console.log(`| ${name} | ${worst.toFixed(2)} | ${where} | ${allowed} | ${outside} | ${subnormals} |`);
    if (outside) failures.push(example);
  }
  if (failures.length) console.log(`\nOutside, the first of each:\n${failures.join('\n')}`);
  gpu.dispose();
  return Number(failures.length > 0);
}

/** Nine digits, by which a float32 is known. */
function short(x: number): string {
  const usual = x === 0 || (Math.abs(x) >= 1e-4 && Math.abs(x) < 1e9);
  return usual ? `${Number(x.toPrecision(9))}` : x.toExponential(8).replace(/\.?0*e/, 'e');
}

await main(ulp);
