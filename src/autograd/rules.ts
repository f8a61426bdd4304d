import { useRules } from './bind.ts';
import { arithmeticRules } from './ops/arithmetic.ts';
import { convRules } from './ops/conv.ts';
import { cumsumRules } from './ops/cumsum.ts';
import { elementaryRules } from './ops/elementary.ts';
import { leafRules } from './ops/leaves.ts';
import { linalgRules } from './ops/linalg.ts';
import { matmulRules } from './ops/matmul.ts';
import { poolRules } from './ops/pool.ts';
import { randomRules } from './ops/random.ts';
import { reduceRules } from './ops/reduce.ts';
import { scanRules } from './ops/scan.ts';
import { takeRules } from './ops/take.ts';
import { viewRules } from './ops/views.ts';
import type { Rules } from './rule.ts';

/** The table of all primitives; a missing rule does not compile. */
export const rules: Rules = {
  ...leafRules,
  ...arithmeticRules,
  ...elementaryRules,
  ...viewRules,
  ...reduceRules,
  ...cumsumRules,
  ...matmulRules,
  ...convRules,
  ...poolRules,
  ...takeRules,
  ...scanRules,
  ...randomRules,
  ...linalgRules,
};

useRules(rules);
