import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { invocation } from '../command.ts';
import { formatBytes } from '../gpu/failures.ts';
import { packageVersion, versions } from '../host/packages.ts';
import { remedies } from '../host/remedies.ts';
import { SWIFTSHADER } from '../host/swiftshader.ts';
import { systemFacts } from '../host/system.ts';
import { adapterOption } from './options.ts';
import type { Probe } from './probe.ts';

/** A tried adapter, with what Dawn and the drivers wrote meanwhile. */
interface Trial {
  readonly adapter: string;
  readonly result: Probe;
  readonly warnings: readonly string[];
}

type Report = Awaited<ReturnType<typeof examine>>;

const PROBE = fileURLToPath(new URL('./probe.ts', import.meta.url));
const sources = ['gpu', 'system', 'swiftshader'] as const;

async function examine(requested: string | undefined) {
  const names: string[] = [...sources];
  if (requested && !names.includes(requested)) names.push(requested);
  const trials = await Promise.all(names.map(tryApart));
  const works = (name: string) => trials.find((trial) => trial.adapter === name)?.result.ok === true;
  const system = systemFacts();
  return {
    versions: { ...versions(), [SWIFTSHADER]: packageVersion(SWIFTSHADER) ?? 'not installed' },
    system,
    trials,
    chosen: (requested ? [requested] : sources).find(works),
    advice: remedies(system, {
      gpu: works('gpu'),
      system: works('system'),
      swiftshader: works('swiftshader'),
      warnings: trials.flatMap((trial) => trial.warnings).join('\n'),
    }),
  };
}

/** Tries an adapter in its own process: a driver may crash, hang, or say only on stderr why it refuses. */
function tryApart(adapter: string): Promise<Trial> {
  return new Promise((resolve) => {
    const child = fork(PROBE, [adapter], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, COLLIMATE_DEBUG: '1' }, // It shows Dawn's warnings.
      timeout: 60_000,
    });
    let stderr = '';
    let result: Probe | undefined;
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    child.on('message', (message) => {
      result = message as Probe;
    });
    child.on('close', (code, signal) => {
      const ended =
        signal === 'SIGTERM' ? 'did not answer within 60 s' : `crashed (${signal ?? `status ${code}`})`;
      result ??= {
        ok: false,
        reason: `the driver ${ended}`,
        remedy: 'Update the driver, or choose another adapter.',
      };
      const lines = stderr.split('\n').filter((line) => line.startsWith('Warning: '));
      const warnings = new Set(lines);
      resolve({ adapter, result, warnings: [...warnings].map((line) => line.slice('Warning: '.length)) });
    });
  });
}

function print({ versions, system, trials, chosen, advice }: Report): void {
  const row = (name: string, value: string) => console.log(`  ${name.padEnd(22)} ${value}`);
  console.log('Versions');
  for (const [name, version] of Object.entries(versions)) row(name, version);
  row('system', `${system.platform} ${system.arch} ${system.distribution} ${system.release}`.trim());
  if (system.platform === 'linux') {
    console.log('\nVulkan');
    row('loader', system.loader ? 'libvulkan.so.1 found' : 'libvulkan.so.1 is missing');
    row('drivers', system.manifests.join('\n'.padEnd(26)) || 'none (no manifest in …/vulkan/icd.d)');
    const nodes = system.renderNodes.map(({ path, usable }) => path + (usable ? '' : ' (no permission)'));
    row('GPU devices', [...nodes, ...(system.nvidia ? ['NVIDIA'] : [])].join(', ') || 'none');
    if (system.container) row('container', 'yes');
    for (const [name, value] of Object.entries(system.environment)) row(name, value);
  }
  console.log('\nAdapters, in order of preference');
  for (const { adapter, result, warnings } of trials) {
    if (result.ok) row(`✓ ${adapter}`, `${result.info.name}: ${result.info.driver}`);
    else {
      row(`✗ ${adapter}`, result.reason.replace(/^no WebGPU adapter for '.*?': /, ''));
      if (result.remedy && !result.remedy.includes('doctor')) row('', `→ ${result.remedy}`);
    }
    for (const warning of warnings) row('', `Dawn: ${warning}`);
  }
  const best = trials.find((trial) => trial.adapter === chosen)?.result;
  if (best?.ok) {
    console.log(`\nChosen: ${chosen}`);
    printAdapter(best, row);
  } else console.log('\nNo adapter works.');
  if (advice.length > 0) console.log(`\nAdvice\n${advice.map((line) => `  • ${line}`).join('\n')}`);
}

function printAdapter(best: Probe & { ok: true }, row: (name: string, value: string) => void): void {
  const { traits, features } = best;
  row('name', best.info.name);
  row('driver', best.info.driver);
  row('kind', `${traits.kind}${best.info.backend ? `, through ${best.info.backend}` : ''}`);
  row('known answers', `right, ${best.milliseconds.toFixed(0)} ms after the request`);
  row('subgroups', traits.subgroupSize ? `${traits.subgroupSize} lanes` : 'no');
  const { m, n, k } = traits.halfMatrices ?? {};
  row('half precision', traits.f16 ? `yes${m ? `, and matrices of ${m}x${k} by ${k}x${n}` : ''}` : 'no');
  row('timestamps', features.includes('timestamp-query') ? 'yes' : 'no, so no profiling');
  row(
    'buffer',
    `at most ${formatBytes(best.maxBufferBytes)}, ${formatBytes(traits.maxBindingBytes)} bound at once`,
  );
  row(
    'storage buffers',
    `${traits.maxStorageBuffersPerStage} a kernel, offsets in steps of ${traits.offsetAlignment} B`,
  );
  row(
    'workgroup',
    `${traits.maxWorkgroupInvocations} threads, ${formatBytes(traits.maxWorkgroupStorageBytes)} of shared memory`,
  );
}

const program = new Command(invocation('doctor'))
  .description('Lists the WebGPU adapters, says which one is chosen, and how to get a better one.')
  .addOption(adapterOption())
  .option('--json', 'print the findings as JSON')
  .addHelpText(
    'after',
    '\nThe exit status is 0 if an adapter works (with --adapter, the requested one), else 1.',
  );

export async function run(words: readonly string[]): Promise<number> {
  const options = program.parse(words, { from: 'user' }).opts<{ adapter?: string; json?: boolean }>();
  const report = await examine((options.adapter || process.env.COLLIMATE_ADAPTER)?.trim().toLowerCase());
  if (options.json) console.log(JSON.stringify(report, null, 2));
  else print(report);
  return report.chosen ? 0 : 1;
}
