#!/usr/bin/env bash
# Runs the layers that RELIABILITY.md describes, and ends with a line for each: what ran, how much,
# and the result.
#
#   scripts/prove.sh quick    what every change runs, 10 minutes at most
#   scripts/prove.sh full     all of it, meant for an hour
#
# Needs Go, gcc and, for the models, Spin, which spec/check.sh installs. Fails if a layer does.
set -uo pipefail
cd "$(dirname "$0")/.."

mode=${1:-}
case $mode in
quick | full) ;;
*)
  echo "usage: $0 quick|full" >&2
  exit 2
  ;;
esac

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
lines=0

# layer NAME FIGURES COMMAND...: runs the command, then has the function FIGURES say from its log
# how much that was. The line goes to a file, by lane and then in the order of the script, so that
# layers may run beside each other.
layer() {
  local name=$1 figures=$2 begun=$SECONDS result=passed log line
  shift 2
  log=$(mktemp -p "$logs")
  lines=$((lines + 1))
  line=$logs/line.${lane:-0}.$(printf '%02d' "$lines")
  printf '%s: %s\n' "$name" "$*" >&2
  if ! "$@" >"$log" 2>&1; then
    result=FAILED
    printf '%s FAILED\n' "$name" >&2
    tail -50 "$log" >&2
  fi
  printf '%-34s %-76s %5ds  %s\n' "$name" "$($figures "$log")" $((SECONDS - begun)) "$result" >"$line"
}

# Figures.
passed() { echo "$(grep -cE '^ *--- PASS|^    --- PASS' "$1") tests and subtests, $(grep -cE '^ *--- SKIP' "$1") skipped"; }
packages() { echo "$(grep -cE '^(ok|FAIL)[[:space:]]+[^[:space:]]' "$1") packages, $(grep -cE '^FAIL[[:space:]]+[^[:space:]]' "$1") failed"; }
last() { tail -1 "$1"; }
logged() { grep -oE '[a-z_]+_test\.go:[0-9]+: .*' "$1" | sed 's/^[^ ]* //' | tail -1; }
histories() { grep -oE '[0-9]+ histories, [0-9]+ calls' "$1" | awk '{h += $1; c += $3} END {print h " histories, " c " calls"}'; }
# Each package has a line: "9 programs, 9 of them complete; 120 schedules".
explored() {
  sed -nE 's/.* ([0-9]+) programs, ([0-9]+) of them complete; ([0-9]+) schedules.*/\1 \2 \3/p' "$1" |
    awk '{p += $1; c += $2; s += $3} END {print p " programs, " c " of them complete; " s " schedules"}'
}
# The last line of each target has its total.
fuzzed() { sed -n 's/^fuzz: elapsed: .*, execs: \([0-9]*\) .*/\1/p' "$1" | awk '$1 < last {sum += last} {last = $1} END {print sum + last " executions"}'; }

headers() {
  local target
  for target in FuzzXTimeout FuzzGRPCTimeout FuzzConnectTimeout FuzzFormat FuzzHandler; do
    go test -run '^$' -fuzz "^$target\$" -fuzztime 48s -parallel 1 ./breakerhttp || return
  done
}
verify() { (cd internal/verify && "$@"); }

# What needs no second processor runs in lanes, beside each other; then, alone, the races, whose
# players have to meet, and what runs on both. What -short leaves out are random programs that the
# explorer's reduction is tried with, one thread at a time, which the race detector has little to
# say of. The packages whose concurrency is their own also run on one processor, on 32 bits, and
# with the runtime's knobs turned; all of them run with the race detector in the quick run.
core=(. ./breakersync ./semaphore ./retry ./breakerio)
concurrent=("${core[@]}" ./breakerexec ./breakerhttp ./breakerrun ./internal/...)
if [ "$mode" = quick ]; then
  (
    lane=1
    export GOFLAGS=-p=1
    layer 'explorer' explored go test -count=1 -tags breaker_explore -run Explore -v -timeout 25m . ./internal/registry ./breakersync ./internal/hub ./internal/bubble
    layer 'race detector, 1 CPU' packages go test -short -count=1 -race -cpu 1 -shuffle=on "${core[@]}"
  ) &
  (
    lane=2
    export GOFLAGS=-p=1
    layer 'models' last env SPIN_JOBS=1 spec/check.sh
    layer '32 bits' packages env GOARCH=386 go test -count=1 "${core[@]}"
    layer 'barriered races, 1 CPU' passed env BREAKER_TRIALS=10000 go test -count=1 -v -cpu 1 -run 'Pairs' .
  ) &
  wait
  lane=3
  # Those that have just passed aren't run again.
  layer 'contract, examples, fake time' packages go test ./...
  layer 'random programs, histories, std' passed verify go test -count=1 -v ./...
  layer "the standard library's tests" last scripts/std.sh quick
  layer 'barriered races, 2 and 4 CPUs' passed env BREAKER_TRIALS=10000 go test -count=1 -v -cpu 2,4 -run 'Pairs' .
  layer 'race detector, 2 CPUs' packages go test -short -count=1 -race -cpu 2 -shuffle=on ./...
else
  # The first two lanes keep a processor busy each. The third has what goes by the clock, and last
  # the mutants, which take what the others leave.
  (
    lane=1
    export GOFLAGS=-p=1
    layer 'explorer' explored env BREAKER_SCHEDULES=55000000 go test -count=1 -tags breaker_explore -coverpkg .,./internal/registry,./internal/bubble,./internal/hub,./internal/stdcontext \
      -coverprofile "$logs/explorer" -run Explore -v -timeout 60m .
    layer 'explorer of other packages' explored go test -count=1 -tags breaker_explore -run Explore -v ./internal/registry ./breakersync \
      ./internal/hub ./internal/bubble
    layer 'statements reached' last scripts/cover.sh "$logs/explorer"
    layer 'linearizable histories' histories verify env BREAKER_HISTORIES=20000 go test -count=1 -v -run 'Lineariz' -timeout 20m ./...
    layer '32 bits' packages env GOARCH=386 go test -count=1 "${concurrent[@]}"
    layer 'one CPU' packages go test -count=1 -cpu 1 "${concurrent[@]}"
    layer 'race detector, 1 CPU' packages go test -count=1 -race -cpu 1 -shuffle=on "${concurrent[@]}"
    layer 'GOGC=1' packages env GOGC=1 go test -count=1 -timeout 20m . ./breakerhttp
    layer 'asyncpreemptoff=1' packages env GODEBUG=asyncpreemptoff=1 go test -count=1 "${concurrent[@]}"
  ) &
  (
    lane=2
    export GOFLAGS=-p=1
    layer 'models' last env SPIN_JOBS=1 spec/check.sh full
    layer 'random programs' logged verify env BREAKER_PROGRAMS=25000 go test -count=1 -v -run 'Random' -timeout 20m ./...
    layer 'bugs seeded for the explorer' last scripts/seeded.sh
  ) &
  (
    lane=3
    layer 'fuzzing: programs' fuzzed verify go test -run '^$' -fuzz FuzzProgram -fuzztime 8m -parallel 1 .
    layer 'fuzzing: schedules' fuzzed go test -tags breaker_explore -run '^$' -fuzz FuzzExplore -fuzztime 8m -parallel 1 .
    layer 'fuzzing: headers, requests' fuzzed headers
    layer 'mutants' last scripts/mutants.sh
  ) &
  wait
  # Some of the standard library's tests mind a busy machine: they have one neighbour, on one
  # processor.
  (
    lane=4
    layer "the standard library's tests" last scripts/std.sh full
  ) &
  (
    lane=5
    export GOFLAGS=-p=1
    layer 'contract, examples, fake time' passed go test -count=1 -v ./...
    layer 'std demands, real programs' passed verify go test -count=1 -v ./...
  ) &
  wait
  lane=6
  layer 'soak' logged env BREAKER_SOAK=100 go test -count=1 -v -run 'Soak|Ledger|FallsThrough' -timeout 30m . ./internal/soak
  layer 'barriered races' passed env BREAKER_TRIALS=1000000 go test -count=1 -v -run 'Pairs' -timeout 30m .
  layer 'barriered races, race detector' passed env BREAKER_TRIALS=100000 go test -count=1 -race -v -run 'Pairs' -timeout 30m .
  layer 'race detector, 2 and 4 CPUs' packages go test -count=1 -race -cpu 2,4 -shuffle=on "${concurrent[@]}"
fi

printf '\n'
cat "$logs"/line.*
failed=$(cat "$logs"/line.* | grep -c 'FAILED$' || true)
printf 'prove: %s, %s, %d layers, %d failed, %ds\n' "$mode" "$(date -u +%F)" "$(cat "$logs"/line.* | wc -l)" "$failed" "$SECONDS"
[ "$failed" = 0 ]
