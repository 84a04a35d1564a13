#!/usr/bin/env bash
# Lets gremlins change the conditions, the logic, the bits and the arithmetic of the root package,
# one at a time, in a copy, and run its tests, except the slowest. Try survivors again with all
# tests and the explorer; RELIABILITY.md has the results. "Not covered" means a case of a switch,
# because coverage has only its body, or code outside functions. gremlins also takes the & of an
# address for the operator: that does not compile.
#
#   scripts/gremlins.sh            all files
#   scripts/gremlins.sh FILE...    some
set -euo pipefail
cd "$(dirname "$0")/.."
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
mkdir "$temp/copy"
git ls-files -co --exclude-standard | while read -r file; do [ ! -e "$file" ] || echo "$file"; done | tar cf - -T - | tar xf - -C "$temp/copy"

exclude=(-E / -E explore)
if [ $# -gt 0 ]; then
  for file in *.go; do
    [[ " $* " == *" $file "* ]] || exclude+=(-E "^$file\$")
  done
fi
GOBIN=$temp go install github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0
cd "$temp/copy"
# Without -count=1 the time that the tests take may be that of a cached result, and then every
# mutant times out. With gremlins' own --test-cpu, every test fails, because v0.6.0 passes it as one
# word.
export GOFLAGS='-count=1 -skip=Pairs|MemoryAfterBurst|NoGoroutine|UnderChurn'
"$temp/gremlins" unleash --workers 2 --timeout-coefficient 3 --invert-assignments --invert-bitwise --invert-bwassign --invert-logical \
  --invert-loopctrl --remove-self-assignments "${exclude[@]}" .
