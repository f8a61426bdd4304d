/** A peer without a library: products take no time, steps some, analyses are unsupported, all else fails. */
import { serve, Unsupported } from '../../peers/serve.ts';

await serve(async () => ({
  name: 'none',
  version: String(typeof navigator.gpu.requestAdapter),
  async prepare(work) {
    console.log('chatter');
    if (work.kind === 'analysis') throw new Unsupported('no analysis here');
    if (work.kind === 'matmul' && work.m < 0) throw new Error(`${work.m} rows`);
    let runs = 0;
    const run = async () => {
      runs++;
      if (work.kind === 'step') await new Promise((resolve) => setTimeout(resolve, 100));
      return runs;
    };
    return { run, check: run };
  },
}));
