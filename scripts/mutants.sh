#!/usr/bin/env bash
# Shows that the tests can fail: applies each patch of testdata/mutants, which breaks one thing,
# to a copy of the working tree, and runs the tests of the root package on that, and of the
# registry if that is what it breaks, then the explorer. A patch may name the test that has killed
# it, which is then tried first, without compiling the others, and the build tags of the code that
# it breaks. Says what killed each mutant, and fails if one survives.
#
#   scripts/mutants.sh            all of them, three at a time: some hang until their time is up
#   scripts/mutants.sh NAME...    some
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

mkdir "$temp/clean" "$temp/results"
git ls-files -co --exclude-standard -- ':(glob)*.go' go.mod go.sum internal testdata ':!internal/verify' |
  while read -r file; do [ ! -e "$file" ] || echo "$file"; done |
  tar cf - -T - | tar xf - -C "$temp/clean"

if [ $# -eq 0 ]; then
  patches=("$root"/testdata/mutants/*.patch)
else
  patches=("${@/#/$root/testdata/mutants/}")
  patches=("${patches[@]/%/.patch}")
fi

go build -o "$temp/only" ./scripts/internal/only

# Without their paths, what is compiled in one copy is found in the cache for another, and nobody
# debugs any.
build=(-trimpath -ldflags '-s -w')

# tests TIMEOUT FLAGS...: those of the root package, with the tags of the patch. Without vet: what it
# complains of is no test that failed.
tests() { go test "${build[@]}" -tags "$tags" -vet=off -count=1 -failfast -timeout "$1" "${@:2}" $packages >log 2>&1; }

# explorer TIMEOUT FLAGS...: the explorer.
explorer() { go test "${build[@]}" -count=1 -vet=off -tags "breaker_explore,$tags" -failfast -timeout "$1" "${@:2}" $packages >log 2>&1; }

# known TEST: the one that killed it before, alone. Compiling all of them takes five times as long.
known() {
  local directory
  case $1 in
  TestExplore/*)
    find . -maxdepth 1 -name '*_test.go' ! -name 'explore_*' ! -name export_test.go -delete
    # So few schedules leave each program of three threads a thousand.
    BREAKER_SCHEDULES=1 explorer 30s -run "^${1/\//\$/^}"
    ;;
  *)
    directory=$(dirname "$(grep -l "^func $1(" ./*_test.go ./internal/registry/*_test.go)")
    "$temp/only" "$directory" "$1" >log 2>&1 || return 0 # there is no such test any more
    packages=$directory tests 30s -run "^$1\$"
    ;;
  esac
}

# Most mutants are killed by the others of the tests, and soon.
slow='Pairs|Soak|Memory|Million|Chain|FanOut|Tree|Churn|FallsThrough|NoGoroutine|Inlining|Vet|LosersReturn|ReturnsWith|Spinning'

# try PATCH: prints a line that says what killed the mutant, or that nothing did
try() {
  local name killer tags packages=. begun=$SECONDS by=
  name=$(basename "$1" .patch)
  killer=$(sed -n 's/^Killed by: //p' "$1")
  tags=$(sed -n 's/^Tags: //p' "$1")
  if grep -q '^+++ b/internal/registry/' "$1"; then packages='. ./internal/registry'; fi
  cp -r "$temp/clean" "$temp/$name"
  cd "$temp/$name"
  if ! git apply "$1"; then
    by='DOES NOT APPLY'
  elif [ -n "$killer" ] && ! known "$killer"; then
    by=$killer
  elif ! cp -r "$temp/clean/." . || ! git apply "$1" || ! tests 100s -skip "$slow" || ! tests 200s -run "$slow"; then
    by="tests: $(grep -m 1 -oE '^--- FAIL: [^ ]+|^(panic|fatal error): .*|^	Test[^ ]+ \(.*' log | sed 's/^--- FAIL: //' || true)"
    [ "$by" != 'tests: ' ] || by='tests: the process died'
  elif ! explorer 300s -run Explore; then
    by="explorer: $(grep -m 1 -oE 'violation on schedule .*|^panic: .*|Fuzz[^ ]*' log | cut -c1-90 || true)"
  fi
  ! grep -qsE '(build|setup) failed' log || by='DOES NOT COMPILE'
  case $by in
  Test* | tests:* | explorer:*) printf '%-28s killed, %3ds, %s\n' "$name" $((SECONDS - begun)) "$by" ;;
  *)
    printf '%-28s %s\n' "$name" "${by:-SURVIVED}"
    head -5 log
    ;;
  esac
  cd "$root"
  rm -rf "${temp:?}/$name"
}

for patch in "${patches[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge 3 ]; do wait -n || true; done
  { try "$patch" 2>&1 | tee "$temp/results/$(basename "$patch" .patch)"; } &
done
wait || true
killed=$(cat "$temp"/results/* | grep -cE '^[^ ]+ +killed, ' || true)
echo "mutants: $killed of ${#patches[@]} killed"
[ "$killed" = ${#patches[@]} ]
