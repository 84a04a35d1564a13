#!/usr/bin/env bash
# Shows that the tests can fail: applies each patch of testdata/mutants, which breaks one thing, to a copy of the working tree,
# and runs the tests of the root package on that, then the explorer. Says what killed each mutant, and fails if one survives.
#
#   scripts/mutants.sh            all of them, about a quarter of an hour
#   scripts/mutants.sh NAME...    some
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

mkdir "$temp/clean"
git ls-files -co --exclude-standard -- ':(glob)*.go' go.mod go.sum internal/atomic internal/explore internal/live testdata |
  while read -r file; do [ ! -e "$file" ] || echo "$file"; done |
  tar cf - -T - | tar xf - -C "$temp/clean"

if [ $# -eq 0 ]; then
  patches=("$root"/testdata/mutants/*.patch)
else
  patches=("${@/#/$root/testdata/mutants/}")
  patches=("${patches[@]/%/.patch}")
fi

survived=0
for patch in "${patches[@]}"; do
  name=$(basename "$patch" .patch)
  rm -rf "$temp/mutant"
  cp -r "$temp/clean" "$temp/mutant"
  cd "$temp/mutant"
  begun=$SECONDS
  by=
  if ! git apply "$patch"; then
    by='DOES NOT APPLY'
  elif ! go vet . >log 2>&1 && ! go test -run '^$' . >log 2>&1; then
    by='DOES NOT COMPILE'
  elif ! go test -count=1 -failfast -timeout 120s . >log 2>&1; then
    by="tests: $(grep -m 1 -oE '^--- FAIL: [^ ]+|^(panic|fatal error): .*' log | sed 's/^--- FAIL: //' || true)"
    [ "$by" != 'tests: ' ] || by='tests: the process died'
  elif ! go test -count=1 -tags breaker_explore -run Explore -failfast -timeout 300s . >log 2>&1; then
    by="explorer: $(grep -m 1 -oE 'violation on schedule .*|^panic: .*|Fuzz[^ ]*' log | cut -c1-90 || true)"
  fi
  case $by in
  tests:* | explorer:*) printf '%-28s killed, %3ds, %s\n' "$name" $((SECONDS - begun)) "$by" ;;
  *)
    printf '%-28s %s\n' "$name" "${by:-SURVIVED}"
    head -5 log
    survived=$((survived + 1))
    ;;
  esac
  cd "$root"
done
echo "mutants: $((${#patches[@]} - survived)) of ${#patches[@]} killed"
[ "$survived" -eq 0 ]
