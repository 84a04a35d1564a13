#!/usr/bin/env bash
# Tries lostclose on code of others: copies modules from the Go proxy, makes breakers of their contexts, and collects what lostclose reports.
# Then it does the same without the deferred calls of cancel functions, which lostclose should find, applies all fixes, and compiles again.
#
#	scripts/field.sh [-as-is] DIR [MODULE@VERSION…]
#
# With -as-is it does the first only, in a third of the time.
# DIR gets the copies, and for each module what was rewritten and what was found. Without modules it tries those of the list below.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
root=$(cd "$here/.." && pwd)
only=
[ "${1:-}" != -as-is ] || { only=$1; shift; }
[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift

modules=(
  connectrpc.com/connect@latest
  github.com/ThreeDotsLabs/watermill@latest
  github.com/caddyserver/certmagic@latest
  github.com/centrifugal/centrifuge@latest
  github.com/chromedp/chromedp@latest
  github.com/coder/websocket@latest
  github.com/failsafe-go/failsafe-go@latest
  github.com/go-co-op/gocron/v2@latest
  github.com/go-sql-driver/mysql@latest
  github.com/hibiken/asynq@latest
  github.com/jackc/pgx/v5@latest
  github.com/minio/minio-go/v7@latest
  github.com/modelcontextprotocol/go-sdk@latest
  github.com/nats-io/nats.go@latest
  github.com/quic-go/quic-go@latest
  github.com/redis/go-redis/v9@latest
  github.com/riverqueue/river@latest
  github.com/segmentio/kafka-go@latest
  github.com/twmb/franz-go@latest
  go.etcd.io/etcd/client/v3@latest
  go.mongodb.org/mongo-driver/v2@latest
  go.uber.org/fx@latest
  google.golang.org/grpc@latest
)
[ $# -eq 0 ] || modules=("$@")

export GOWORK=off GOFLAGS=-mod=mod
(cd "$here" && go build -o "$dir/lostclose" ./cmd/lostclose && go build -o "$dir/rewrite" ./internal/rewrite)

# find SOURCE VARIANT [FLAG] copies the module, rewrites it, and collects the alarms. It prints what was rewritten.
find() {
  local result=$dir/$name/$2
  mkdir -p "$dir/$name" && cp -r "$1" "$result" && chmod -R u+w "$result"
  cd "$result"
  rm -rf vendor
  sed -i -E '/=> \.\.?\//d' go.mod # what it replaces by a directory beside it, only its repository has
  go mod edit -go=1.26.0 -require=github.com/kamilsk/breaker@v0.0.0 -replace="github.com/kamilsk/breaker=$root"
  go list ./... > "$result.list" 2>&1 || true # completes go.sum
  "$dir/rewrite" ${3:-} . 2> "$result.rewrite" || { head -1 "$result.rewrite"; return 1; }
  go vet -vettool="$dir/lostclose" ./... > "$result.vet" 2>&1 || true
  if grep -q 'vet: ' "$result.vet"; then
    echo ", but doesn't compile: $(grep -m 1 'vet: ' "$result.vet")"; return 1
  fi
  grep -E '\.go:[0-9]+:[0-9]+: [^[:space:]]' "$result.vet" | sort -u > "$result.alarms" || true
}

for module in "${modules[@]}"; do
  name=$(tr '/@' '__' <<< "${module%@*}")
  rm -rf "${dir:?}/$name"
  source=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  version=$(sed 's/.*@//' <<< "$source")
  as_is=$(find "$source" as-is) || { echo "$module $version: $as_is"; continue; }
  [ -z "$only" ] || { echo "$module ${version}: $as_is: $(wc -l < "$dir/$name/as-is.alarms") alarms"; continue; }
  cut=$(find "$source" cut -cut) || { echo "$module $version: $cut"; continue; }
  cd "$dir/$name/cut"
  fixes=0 compiles=
  if [ -s "$dir/$name/cut.alarms" ]; then
    cp -r . "$dir/$name/fixed"
    cd "$dir/$name/fixed"
    "$dir/lostclose" -fix ./... > "$dir/$name/fix" 2>&1 || true
    fixes=$(diff -r "$dir/$name/cut" . | grep -c '^> .*defer .*\.Close()' || true)
    go list -f '{{if and .GoFiles (ne .Name "main")}}{{.ImportPath}}{{end}}' ./... | xargs go build 2> "$dir/$name/build" || compiles=", which DOESN'T COMPILE"
  fi
  echo "$module ${version}: $as_is: $(wc -l < "$dir/$name/as-is.alarms") alarms;" \
    "${cut##*, }: $(wc -l < "$dir/$name/cut.alarms") alarms, $fixes fixed$compiles"
done
