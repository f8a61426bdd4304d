/** Asks an adapter for every known answer, whatever the others gave: a child of `npm run gpu-day`. */
import { main } from '../../src/cli/main.ts';
import { CollimateError } from '../../src/errors.ts';
import { questions } from '../../src/host/known-problems.ts';
import { openGpu } from '../../src/host/open.ts';

await main(async () => {
  process.env.COLLIMATE_UNCHECKED = '1'; // Opening asks nothing, so that all questions are asked here.
  using gpu = await openGpu({ adapter: process.argv[2] });
  console.log(`${gpu.info.name}, ${gpu.info.driver}`);
  let right = 0;
  for (const [name, ask] of Object.entries(questions)) {
    try {
      await ask(gpu);
      right++;
      console.log(`✓ ${name}`);
    } catch (error) {
      if (!(error instanceof CollimateError)) throw error;
      console.log(`✗ ${name}: ${error.message}`);
    }
  }
  const all = Object.keys(questions).length;
  console.log(`${right} of ${all} right`);
  return right === all ? 0 : 1;
});
