#!/usr/bin/env bash
# Runs the tests of the root module on each supported Go release, which is taken from the module
# proxy by its newest patch.
#
#   scripts/go-releases.sh               go vet and go test ./...
#   scripts/go-releases.sh ARGUMENTS...  go ARGUMENTS..., as in: scripts/go-releases.sh test -tags breaker_pure .
#
# Ends with a line for each release, and fails if one does.
set -euo pipefail
cd "$(dirname "$0")/.."

releases=(1.26 1.27)

known=$(go list -m -versions golang.org/toolchain | tr ' ' '\n')
platform=$(go env GOHOSTOS)-$(go env GOHOSTARCH)

# newest RELEASE: its newest patch for this machine, as in go1.26.3; nothing if there is none.
# Release candidates don't count.
newest() {
  sed -n "s/^v0\.0\.1-\(go${1//./\\.}\.[0-9]*\)\.$platform\$/\1/p" <<<"$known" | sort -V | tail -1
}

both() { go vet ./... && go test ./...; }

failed=0
summary=
for release in "${releases[@]}"; do
  toolchain=$(newest "$release")
  [ -n "$toolchain" ] || { echo "$0: the proxy has no Go $release for $platform" >&2; exit 1; }
  export GOTOOLCHAIN=$toolchain
  # Without this, a release that isn't used after all would pass for it.
  [ "$(go env GOVERSION)" = "$toolchain" ] || { echo "$0: $toolchain runs as $(go env GOVERSION)" >&2; exit 1; }
  printf '== %s\n' "$toolchain"
  result=passed
  if [ $# -eq 0 ]; then both || result=FAILED; else go "$@" || result=FAILED; fi
  [ $result = passed ] || failed=1
  summary+="$toolchain: $result"$'\n'
done
printf '%s' "$summary"
exit $failed
