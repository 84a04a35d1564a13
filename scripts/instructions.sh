#!/usr/bin/env bash
# Counts the instructions of the jobs and their misses of a first-level cache that Valgrind
# simulates, for each operation. They depend little on what else runs, and on the machine only by
# its instruction set. Each benchmark runs twice, once with more operations, and the difference is
# divided: so what the process does besides drops out. Needs Valgrind. It runs one thread at a time,
# so what travels between cores isn't in it.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "valgrind is needed: apt-get install valgrind" >&2; exit 1; }
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

go test -c -o "$temp/breaker.test" .

# measure BENCHMARK N: instructions, and misses of data
measure() {
  GOGC=off valgrind --tool=cachegrind --cache-sim=yes --I1=32768,8,64 --D1=32768,8,64 --LL=8388608,16,64 --cachegrind-out-file=/dev/null \
    "$temp/breaker.test" -test.run '^$' -test.bench "$1" -test.cpu 1 -test.benchtime "${2}x" 2>&1 |
    tr -d ',' | awk '
      /I +refs:/ {instructions = $4}
      /D1 +misses:/ {first = $4}
      END {print instructions, first}'
}

printf '| job | | instructions | misses of the first level |\n|---|---|---|---|\n'
for job in P01NewClose P02Timeout P03Request P04Merge P05OnTrip P07Handler P10ErrOpen P11ErrTripped; do
  for impl in breaker context floor; do
    few=10000 more=60000
    read -r i1 d1 < <(measure "^Benchmark$job\$/^impl=$impl\$" $few)
    read -r i2 d2 < <(measure "^Benchmark$job\$/^impl=$impl\$" $more)
    awk -v job="$job" -v impl="$impl" -v n=$((more - few)) -v i=$((i2 - i1)) -v d=$((d2 - d1)) \
      'BEGIN {printf "| %s | %s | %.0f | %.1f |\n", job, impl, i / n, d / n}'
  done
done
