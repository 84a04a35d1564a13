#!/usr/bin/env bash
# Runs the standard library's own tests with contexts made of breakers: a throwaway copy of GOROOT,
# in which the packages below, and their tests, import scripts/internal/context in place of package
# context.
#
#   scripts/std.sh quick    database/sql and os/exec
#   scripts/std.sh full     net/http too
#
# Uses the current Go release. GOTOOLCHAIN chooses another one, GOFLAGS=-tags=... the files of the
# breaker. A failed test is repeated, also with the original GOROOT. If it fails there as well, it
# doesn't fail the script.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
quick) packages=(database/sql os/exec) ;;
full) packages=(database/sql os/exec net/http) ;;
*)
  echo "usage: $0 quick|full" >&2
  exit 2
  ;;
esac

module=$(go list -m)
replacement=$module/scripts/internal/context
release=$(go env GOVERSION)
real=$(go env GOROOT)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# What go needs to build and test. A GOROOT out of the module cache is read-only.
mkdir "$temp/go"
for part in bin lib misc pkg src go.env VERSION; do
  [ ! -e "$real/$part" ] || cp -R "$real/$part" "$temp/go"
done
chmod -R u+w "$temp/go"

# Packages of the standard library import nothing from outside, so the breaker and what it needs
# become some of them.
go list -deps -f '{{if not .Standard}}{{.ImportPath}} {{.Dir}} {{join .GoFiles " "}}{{end}}' "$replacement" |
  while read -r path directory files; do
    case $path in
    "$replacement") place=context ;;
    "$module") place=. ;;
    "$module"/*) place=${path#"$module"/} ;;
    *) place=vendored/$path ;;
    esac
    mkdir -p "$temp/go/src/breaker/$place"
    for file in $files; do
      sed -E -e "s#\"$module(/[^\"]*)?\"#\"breaker\1\"#" -e 's#"(go\.uber\.org/[^"]*)"#"breaker/vendored/\1"#' \
        "$directory/$file" >"$temp/go/src/breaker/$place/$file"
    done
  done

for package in "${packages[@]}"; do
  find "$temp/go/src/$package" -name '*.go' -not -path '*/testdata/*' \
    -exec sed -i -E 's#^(import )?([[:space:]]*)"context"#\1\2"breaker/context"#' {} +
done
patterns=("${packages[@]/%//...}")

# run GOROOT ARGUMENTS...: the go of that GOROOT, in its standard library.
run() {
  (cd "$1/src" && env -u GOROOT GOTOOLCHAIN=local GOWORK=off "$1/bin/go" "${@:2}")
}

# None may have kept package context, or its tests would show nothing.
run "$temp/go" list -f '{{.ImportPath}}: {{.Imports}} {{.TestImports}} {{.XTestImports}}' "${patterns[@]}" >"$temp/imports"
if grep -E '[[ ]context[] ]' "$temp/imports" >&2; then
  echo "$0: these import package context still" >&2
  exit 1
fi

run "$temp/go" test -count=1 -json -timeout 20m "${patterns[@]}" >"$temp/events" || true

# ended ACTION: package and name of each test and subtest that ended so.
ended() {
  sed -nE 's/^\{"Time":"[^"]*","Action":"'"$1"'","Package":"([^"]*)","Test":"([^"]*)".*/\1 \2/p' "$temp/events"
}
# said PACKAGE [TEST]: what it printed.
said() {
  grep -F "\"Action\":\"output\",\"Package\":\"$1\"${2:+,\"Test\":\"$2\"}" "$temp/events" |
    sed -E 's/.*"Output":"(.*)"\}$/    \1/; s/\\n$//; s/\\t/  /g' || true
}

# whole: without the subtests.
whole() { awk '$2 !~ /\//'; }

ended fail | whole >"$temp/failed"
# A package that fails without a test of it failing: it didn't compile, or died, or its TestMain
# found a leak.
sed -nE 's/^\{"Time":"[^"]*","Action":"fail","Package":"([^"]*)","Elapsed".*/\1/p' "$temp/events" |
  while read -r package; do grep -q "^$package " "$temp/failed" || echo "$package"; done >"$temp/broken"

failed=0
while read -r package test; do
  said "$package" "$test" | tail -40
  repeat=(test -count=5 -run "^$test\$" "$package")
  with=passes without=passes
  run "$temp/go" "${repeat[@]}" >/dev/null 2>&1 || with=fails
  run "$real" "${repeat[@]}" >/dev/null 2>&1 || without=fails
  echo "FAILED: $package $test; repeated 5 times it $with, with package context it $without"
  # What passes in all repetitions had failed because the machine was busy.
  [ $with = passes ] || [ $without = fails ] || failed=$((failed + 1))
done <"$temp/failed"
while read -r package; do
  said "$package" | tail -40
  grep -F '"Action":"build-output"' "$temp/events" | sed -E 's/.*"Output":"(.*)"\}$/    \1/; s/\\n$//' | head -40
  echo "FAILED: $package"
  failed=$((failed + 1))
done <"$temp/broken"

passed=$(ended pass | wc -l)
whole=$(ended pass | whole | wc -l)
printf '%s: %s: %d tests and subtests passed (%d tests), %d skipped, %d failed (%d tests)\n' "$release" "${packages[*]}" \
  "$passed" "$whole" "$(ended skip | wc -l)" "$(ended fail | wc -l)" "$(wc -l <"$temp/failed")"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
