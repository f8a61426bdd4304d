import { spawnSync } from 'node:child_process';
import { quote } from '../command.ts';
import { CollimateError } from '../errors.ts';

/** Seconds before its time limit that a task has to stop at a checkpoint. */
const NOTICE_S = 120;

/** The shortest time limit: the notice, which Slurm may give a minute early, and as long again to work. */
const MIN_S = 2 * (NOTICE_S + 60);

export const timesIn = (options: readonly string[]): string[] =>
  options.flatMap((option, i) => {
    if (option === '--time' || option === '-t') return options.slice(i + 1, i + 2);
    return /^(?:--time=|-t)(.+)$/.exec(option)?.slice(1) ?? [];
  });

/** Refuses a time limit that would stop and requeue a task without end. @throws CollimateError */
export function checkTime(limit: string): void {
  const seconds = secondsOf(limit);
  if (seconds === undefined || seconds === 0 || seconds >= MIN_S) return; // 0: no limit; sbatch checks form
  throw new CollimateError(
    `--time ${limit} is ${seconds} s, but a task is asked to stop ${NOTICE_S} s before its limit, or up to 60 s earlier`,
    `Give at least ${MIN_S / 60} minutes, such as --time 01:00:00: a shorter task would be requeued forever.`,
  );
}

/** Seconds of Slurm's min, min:s, h:min:s, d-h, d-h:min and d-h:min:s. */
function secondsOf(limit: string): number | undefined {
  const match = /^(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(limit);
  if (!match) return undefined;
  const [days, a = 0, b, c] = match.slice(1).map((part) => (part === undefined ? undefined : Number(part)));
  if (days !== undefined) return 86_400 * days + 3600 * a + 60 * (b ?? 0) + (c ?? 0);
  if (c !== undefined) return 3600 * a + 60 * b! + c;
  return 60 * a + (b ?? 0);
}

/** An array job: `tasks` processes, each of which makes a part of a sweep's runs. */
export interface ArrayJob {
  readonly name: string;
  readonly tasks: number;
  /** The folder of its logs, which exists. */
  readonly logs: string;
  readonly folder: string;
  /** The program with its arguments; `--shard i/n` is added. */
  readonly command: readonly string[];
  /** Options of sbatch by name, such as `time` and `partition`. */
  readonly options: Readonly<Record<string, string>>;
}

/**
 * The sbatch script of an array job. Near the time limit Slurm sends USR1 to the script alone: the task
 * stops at a checkpoint and requeues itself. TERM comes when the task is preempted, requeued by hand or
 * cancelled: it stops at a checkpoint too, and Slurm knows what follows.
 */
export function slurmScript({ name, tasks, logs, folder, command, options }: ArrayJob): string {
  const own = {
    'job-name': name,
    array: `1-${tasks}`,
    output: `${logs.replaceAll('%', '%%')}/${name}-%A_%a.log`,
    'open-mode': 'append',
    signal: `B:USR1@${NOTICE_S}`,
  };
  const directives = Object.entries({ ...own, ...options }).map(
    ([option, value]) => `#SBATCH --${option}=${directive(value)}`,
  );
  return `#!/bin/bash
${directives.join('\n')}
#SBATCH --requeue

# Each task makes a part of the runs, going on with what is there, and the last to finish writes the pages.
cd ${quote(folder)} || exit
echo "task $SLURM_ARRAY_TASK_ID of ${tasks} on $(hostname), queued again \${SLURM_RESTART_COUNT:-0} times"
again= stopped= task=
stop() { stopped=yes; [ -z "$task" ] || kill -TERM "$task"; }
# Shortly before the time limit: stop at a checkpoint, and go on in another job.
trap 'again=yes; stop' USR1
# Preempted, queued again by hand or cancelled: Slurm knows what is to follow.
trap stop TERM INT
${command.map(quote).join(' ')} --shard "$SLURM_ARRAY_TASK_ID/${tasks}" &
task=$! && [ -z "$stopped" ] || stop
while kill -0 "$task" 2> /dev/null; do wait "$task"; done
wait "$task"
status=$?
if [ -n "$again" ] && [ "$status" -ne 0 ]; then
  echo "the time is up: task $SLURM_ARRAY_TASK_ID is queued again"
  scontrol requeue "\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit "$status"
`;
}

/** A value as sbatch reads it in a script. */
const directive = (value: string): string =>
  /[\s"'\\#]/.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : value;

/** Hands a script to sbatch, and returns the job's number. @throws CollimateError if that fails */
export function sbatch(script: string, options: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync('sbatch', ['--parsable', ...options, script], {
    encoding: 'utf8',
  });
  if (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CollimateError(
      missing ? 'cannot find sbatch, the command that submits jobs to Slurm' : error.message,
      `Run this where jobs are submitted, such as the login node of a cluster, or take ${script} there: \`sbatch ${quote(script)}\`.`,
      { cause: error },
    );
  }
  if (status !== 0) {
    throw new CollimateError(
      `sbatch refuses ${script}: ${stderr.trim() || `status ${status}`}`,
      'Give what it asks for, such as --time, --partition or --gres; other sbatch options go after `--`.',
    );
  }
  return stdout.trim().split(';')[0]!; // The name of the cluster may follow.
}
