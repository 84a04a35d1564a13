#!/usr/bin/env bash
# Counts the instructions and the cache misses of the jobs, for each operation, in the cache that Valgrind simulates. They depend on neither the
# machine nor on what else runs there. Each benchmark runs twice, once with more operations, and the difference is divided: so what
# the process does besides drops out. Needs Valgrind. It runs one thread at a time, so what travels between cores isn't in it.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "valgrind is needed: apt-get install valgrind" >&2; exit 1; }
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

go test -c -o "$temp/breaker.test" .

# measure BENCHMARK N: instructions, misses of data in the first level, misses in the last
measure() {
  GOGC=off valgrind --tool=cachegrind --cache-sim=yes --cachegrind-out-file=/dev/null \
    "$temp/breaker.test" -test.run '^$' -test.bench "$1" -test.cpu 1 -test.benchtime "${2}x" 2>&1 |
    tr -d ',' | awk '
      /I +refs:/ {instructions = $4}
      /D1 +misses:/ {first = $4}
      /LL misses:/ {last = $4}
      END {print instructions, first, last}'
}

printf '| job | | instructions | misses of the first level |\n|---|---|---|---|\n'
for job in P01NewClose P02Timeout P03Request P04Merge P05OnTrip P07Handler P10ErrOpen P11ErrTripped; do
  for impl in breaker context floor; do
    few=10000 more=60000
    read -r i1 d1 _ < <(measure "^Benchmark$job\$/^impl=$impl\$" $few)
    read -r i2 d2 _ < <(measure "^Benchmark$job\$/^impl=$impl\$" $more)
    awk -v job="$job" -v impl="$impl" -v n=$((more - few)) -v i=$((i2 - i1)) -v d=$((d2 - d1)) \
      'BEGIN {printf "| %s | %s | %.0f | %.1f |\n", job, impl, i / n, d / n}'
  done
done
