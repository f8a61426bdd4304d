#!/usr/bin/env bash
# Checks `npm run sweep -- submit --slurm` against a real Slurm: a controller and a node of this machine, which are started
# here in a temporary folder and ended afterwards. One task is queued again in the middle by hand, the other as when its time
# is up; the results must be those of a run without Slurm, bit for bit. For a throw-away Debian or Ubuntu machine, as root:
#
#     apt-get install -y slurm-wlm munge && scripts/slurm-check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
sweep=(stochastic-depth --preset smoke --epochs 60)
folder=$(mktemp -d)
export SLURM_CONF=$folder/slurm.conf # from here on no command of Slurm means another cluster
chmod 755 "$folder"
daemons=()

finish() {
  status=$?
  scancel --quiet --user="$(id -un)" 2> "$folder/scancel.log" || true
  for pid in "${daemons[@]}"; do
    kill "$pid" && wait "$pid" || true
  done 2> "$folder/ending.log"
  if [ "$status" -eq 0 ]; then rm -r "$folder"; else echo "FAILED; everything is left in $folder" >&2; fi
}
trap finish EXIT

# Runs a daemon in the foreground of a process of ours, so that its number is known.
daemon() {
  "$@" > "$folder/${1##*/}.log" 2>&1 &
  daemons=($! "${daemons[@]}")
}

within() { # within <seconds> <what> <command...>: waits until the command succeeds
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" > "$folder/waiting.log" 2>&1; do
    if [ $SECONDS -ge $until ]; then
      echo "not within time: $what" >&2
      return 1
    fi
    sleep 0.5
  done
  echo "$what"
}

mkdir "$folder/state" "$folder/spool"
head --bytes=1024 /dev/urandom > "$folder/munge.key"
chmod 600 "$folder/munge.key"
cat > "$SLURM_CONF" << CONF
ClusterName=check
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
# A task can be queued again once the credential of its first start is past; two minutes is usual.
AuthInfo=socket=$folder/munge.socket,cred_expire=5
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
MailProg=/bin/true
ReturnToService=2
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP
CONF
daemon munged --foreground --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" \
  --pid-file="$folder/munged.pid" --log-file="$folder/munge.log" --seed-file="$folder/munge.seed"
within 10 'munge answers' munge --socket="$folder/munge.socket" --no-input
daemon slurmctld -D
daemon slurmd -D
idle() { sinfo --noheader --format=%T | grep --quiet idle; }
within 60 'the node is idle' idle

echo 'without Slurm:'
npm run --silent reproduce -- "${sweep[@]}" --tune off --out "$folder/here"
echo 'with Slurm:'
npm run --silent sweep -- submit --slurm "${sweep[@]}" --tune off --shards 2 --out "$folder/there"
job=$(squeue --noheader --format=%F | head -1)
training() { [ "$(find "$folder/there/runs" -name metrics.jsonl -not -empty | wc -l)" -ge 2 ]; }
within 120 'both tasks train' training
scontrol requeue "${job}_1"
scancel --batch --signal=USR1 "${job}_2" # as when the time limit is near
again() { [ "$(cat "$folder"/there/slurm/*-"${job}"_*.log | grep --count 'queued again 1 times')" -eq 2 ]; }
within 180 'both tasks run again' again
through() { [ -z "$(squeue --noheader --job="$job")" ]; }
within 300 'both tasks are done' through

cat "$folder"/there/slurm/*.log
npm run --silent sweep -- status "${sweep[@]}" --out "$folder/there" | tee "$folder/status.txt"
grep --quiet '2 done, 0 begun, 0 missing, 0 failed' "$folder/status.txt"
compared=0
cd "$folder/here"
while read -r file; do
  cmp "$file" "$folder/there/$file"
  compared=$((compared + 1))
done < <(find runs -name '*.safetensors' -o -name analysis.json)
[ "$compared" -ge 4 ]
[ -s "$folder/there/index.html" ] && [ -s "$folder/there/sweeps/stochastic-depth.smoke/report.html" ]
echo "$compared checkpoints and analyses are the same, bit for bit"
