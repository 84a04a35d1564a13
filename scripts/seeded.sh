#!/usr/bin/env bash
# Shows that the explorer finds bugs: applies each patch of testdata/seeded, which puts one in, to a
# copy of the working tree, and explores that. Says on which schedule the bug was found, and fails
# if one isn't. A patch may name the group of programs that finds it, which saves going through
# those before.
#
#   scripts/seeded.sh            all of them, two at a time
#   scripts/seeded.sh NAME...    some
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# No tests but the explorer's: the others say nothing here, and needn't compile with the bug in.
mkdir "$temp/clean" "$temp/results"
git ls-files -co --exclude-standard -- ':(glob)*.go' go.mod go.sum internal ':!internal/verify' |
  awk '!/_test\.go$/ || /(^|\/)(explore|export)[a-z_]*_test\.go$/' |
  while read -r file; do [ ! -e "$file" ] || echo "$file"; done |
  tar cf - -T - | tar xf - -C "$temp/clean"

if [ $# -eq 0 ]; then
  patches=("$root"/testdata/seeded/*.patch)
else
  patches=("${@/#/$root/testdata/seeded/}")
  patches=("${patches[@]/%/.patch}")
fi

# try PATCH: prints a line that says where the bug was found, or that it wasn't
try() {
  local name expected group violation program packages=.
  name=$(basename "$1" .patch)
  expected=$(sed -n 's/^Found as: //p' "$1")
  group=$(sed -n 's/^Found in: //p' "$1")
  if grep -q '^+++ b/internal/registry/' "$1"; then packages='. ./internal/registry'; fi
  cp -r "$temp/clean" "$temp/$name"
  cd "$temp/$name"
  if ! git apply "$1" 2>log; then
    printf '%-28s DOES NOT APPLY\n' "$name"
    return
  fi
  # So few schedules leave each program of three threads a thousand.
  BREAKER_SCHEDULES=1 go test -trimpath -ldflags '-s -w' -vet=off -count=1 -tags breaker_explore \
    -run "^TestExplore$/^$group" -failfast -v $packages >log 2>&1 || true
  violation=$(grep -m 1 -o 'violation on schedule number .*' log || true)
  program=$(grep -m 1 -o -- '--- FAIL: TestExplore/[^/]*/.*' log | sed -E 's/^--- FAIL: TestExplore.//; s/ \([0-9.]+s\)$//' || true)
  if [ -z "$violation" ]; then
    printf '%-28s NOT FOUND\n' "$name"
    grep -m 5 -E '^(#|\./|FAIL|panic)' log || true
  elif ! grep -qE "$expected" <<<"$violation"; then
    printf '%-28s FOUND, BUT AS SOMETHING ELSE: %s\n' "$name" "$violation"
  else
    printf '%-28s schedule %s of %s\n' "$name" "${violation#violation on schedule number }" "$program"
  fi
  rm -rf "${temp:?}/$name"
}

for patch in "${patches[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
  { try "$patch" 2>&1 | tee "$temp/results/$(basename "$patch" .patch)"; } &
done
wait || true
found=$(cat "$temp"/results/* | grep -cE '^[^ ]+ +schedule ' || true)
echo "seeded: $found of ${#patches[@]} found"
[ "$found" = ${#patches[@]} ]
