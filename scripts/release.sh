#!/usr/bin/env bash
# Makes a release of all modules in a clone, and tries it from outside of the clone: it gets every
# module, compiles them in one program, and installs the commands, as users will. It changes nothing
# here and pushes nothing; it prints what to push.
#
#	scripts/release.sh ROOT NESTED DIR
#
# ROOT is the version of the root module, as v1.3.0, and NESTED that of the others, as v0.1.0. DIR
# must not exist; it gets the clone and everything else.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 3 ] && [[ $1 == v1.*.* && $2 == v[01].*.* ]] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
version=$1 nested=$2
mkdir "$3"
dir=$(cd "$3" && pwd)
module=github.com/kamilsk/breaker

# The modules that a program imports. Each requires the root module. Go ignores their replace lines
# outside of a clone.
libraries=(breakeretcd breakergrpc breakernats breakerpostgres breakerredis)
# go install refuses a module with replace lines, so the release of the command has none.
command=breakercluster/cmd/breakit

git clone -q . "$dir/breaker"
cd "$dir/breaker"

# From here on Go finds the clone at the module's address, and keeps nothing of it in the user's
# cache.
GOPROXY=file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)
export GOPROXY GOPRIVATE=$module GONOSUMDB='*' GOWORK=off GOFLAGS=-modcacherw GOMODCACHE=$dir/mod
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.file://$dir/breaker.insteadOf GIT_CONFIG_VALUE_0=https://$module

for library in "${libraries[@]}"; do
  (cd "$library" && go mod edit -require="$module@$version")
done
git commit -qam "Release $version"
git tag "$version"
for tagged in lostclose "${libraries[@]}"; do git tag "$tagged/$nested"; done

(
  cd "$command"
  go mod edit -require="$module@$version" -dropreplace="$module"
  for library in "${libraries[@]}"; do
    grep -q "$module/$library " go.mod || continue
    go mod edit -require="$module/$library@$nested" -dropreplace="$module/$library"
  done
  go mod tidy
)
git commit -qam "Release $command $version"
git tag "$command/$nested"
git revert --no-edit HEAD > /dev/null

echo "tried from outside:"
wanted=()
mkdir "$dir/outside"
cd "$dir/outside"
go mod init example.com/outside 2> /dev/null
{
  echo "package main"
  for package in "" "${libraries[@]/#//}" /breakercluster /breakerexec /breakerhttp /breakerio /breakerprof /breakerrun /breakersync /retry /semaphore; do
    echo "import _ \"$module$package\""
  done
  echo "func main() {}"
} > main.go
for library in "${libraries[@]}"; do wanted+=("$module/$library@$nested"); done
go get "$module@$version" "${wanted[@]}"
go mod tidy
go build ./...
grep -F "$module" go.mod
for package in cmd/breakit lostclose/cmd/lostclose; do
  installed=$version
  [[ $package != lostclose/* ]] || installed=$nested
  GOBIN=$dir/bin go install "$module/$package@$installed"
  echo "installed $package"
done
GOBIN=$dir/bin/cluster go install "$module/$command@$nested"
"$dir/bin/cluster/breakit" -h | grep -q -- --key
echo "installed $command"
echo
echo "To publish it, from $dir/breaker, in this order:"
echo "  git push origin HEAD $version"
for tagged in lostclose "${libraries[@]}"; do echo "  git push origin $tagged/$nested"; done
echo "  git push origin $command/$nested"
