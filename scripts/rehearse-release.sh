#!/usr/bin/env bash
# Rehearses a release: gives a copy of the repository the tags that CONTRIBUTING.md lists, and uses
# every module as a stranger would, from outside, by its version. It fails if one can't be fetched
# or built. Nothing leaves the machine.
#
#   scripts/rehearse-release.sh v1.3.0 v0.1.0    the root module's version, and that of the nested modules
#
# It rehearses what is committed. The dependencies come from the module proxy.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -eq 2 ] || { echo "usage: $0 ROOT-VERSION NESTED-VERSION" >&2; exit 2; }
root=$1 nested=$2
path=github.com/kamilsk/breaker

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The copy stands where GitHub would be.
git clone -q --bare . "$tmp/breaker.git"
tag() { git -C "$tmp/breaker.git" tag "$1" "$(git rev-parse HEAD)"; }

cache=$(go env GOMODCACHE)
export GIT_CONFIG_GLOBAL=$tmp/gitconfig
git config --file "$GIT_CONFIG_GLOBAL" "url.file://$tmp/breaker.git.insteadOf" "https://$path"
# A cache of its own: a version that is rehearsed must never be taken for the released one.
# Dependencies come from the usual cache.
export GOMODCACHE=$tmp/mod GOFLAGS=-modcacherw GOPRIVATE=$path GOWORK=off GONOSUMDB=$path
export GOPROXY=file://$cache/cache/download,$(go env GOPROXY)

tag "$root"
nestedModules=(breakergrpc breakeretcd breakernats breakerpostgres breakerredis lostclose integrations)
for module in "${nestedModules[@]}"; do tag "$module/$nested"; done

use() { # MODULE@VERSION PACKAGE...: builds the packages in a module that is new
  local dir module=$1
  shift
  dir=$(mktemp -d -p "$tmp")
  (
    cd "$dir"
    go mod init example.com/stranger 2>/dev/null
    go get "$module" 2>/dev/null || go get "$module"
    { echo 'package main' && printf 'import _ "%s"\n' "$@" && echo 'func main() {}'; } >main.go
    go mod tidy 2>/dev/null || go mod tidy
    go build -o /dev/null .
  )
  echo "$module: builds"
}

mapfile -t packages < <(go list ./... | grep -vE "/(internal|examples|scripts|cmd)(/|$)")
use "$path@$root" "${packages[@]}"
for module in "${nestedModules[@]}"; do
  use "$path/$module@$nested" "$path/$module"
done

# The commands, which go install refuses if their module has a replace directive.
GOBIN=$tmp/bin go install "$path/cmd/breakit@$root"
GOBIN=$tmp/bin go install "$path/lostclose/cmd/lostclose@$nested"
echo "$path/cmd/breakit, $path/lostclose/cmd/lostclose: go install works"
