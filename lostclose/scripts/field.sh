#!/usr/bin/env bash
# Tries lostclose on code of others: copies modules from the Go proxy, makes breakers of their contexts, and collects what lostclose reports.
# Then it applies all fixes, and compiles again.
#
#	scripts/field.sh DIR [MODULE@VERSION…]
#
# DIR gets the copies, and for each module what was rewritten and what was found. Without modules it tries those of the list below.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
root=$(cd "$here/.." && pwd)
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift

modules=(
  github.com/ThreeDotsLabs/watermill@latest
  github.com/caddyserver/certmagic@latest
  github.com/centrifugal/centrifuge@latest
  github.com/chromedp/chromedp@latest
  github.com/coder/websocket@latest
  github.com/go-co-op/gocron/v2@latest
  github.com/go-sql-driver/mysql@latest
  github.com/hibiken/asynq@latest
  github.com/jackc/pgx/v5@latest
  github.com/minio/minio-go/v7@latest
  github.com/modelcontextprotocol/go-sdk@latest
  github.com/nats-io/nats.go@latest
  github.com/quic-go/quic-go@latest
  github.com/rabbitmq/amqp091-go@latest
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

for module in "${modules[@]}"; do
  name=$(tr '/@' '__' <<< "${module%@*}")
  result=$dir/$name
  rm -rf "$result" && mkdir -p "$result"
  source=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  version=$(sed 's/.*@//' <<< "$source")
  cp -r "$source" "$result/src" && chmod -R u+w "$result/src"
  cd "$result/src"
  rm -rf vendor
  go mod edit -go=1.26.0 -require=github.com/kamilsk/breaker@v0.0.0 -replace="github.com/kamilsk/breaker=$root"
  go list ./... > /dev/null # completes go.sum
  if ! go build ./... 2> "$result/build.before"; then
    echo "$module $version: doesn't compile as it is"; continue
  fi
  rewritten=$("$dir/rewrite" . 2> "$result/rewrite") || { echo "$module $version: $(head -1 "$result/rewrite")"; continue; }
  if ! go build ./... 2> "$result/build.rewritten"; then
    echo "$module $version: doesn't compile when it is rewritten: $(sed -n 2p "$result/build.rewritten")"; continue
  fi
  go vet -vettool="$dir/lostclose" ./... 2> "$result/vet" || true
  sed -e 's/^vet: //' -e '/^#/d' -e '/: \there /d' "$result/vet" | sort -u > "$result/alarms"
  fixed='nothing to fix'
  if [ -s "$result/alarms" ]; then
    cp -r . "$result/fixed"
    cd "$result/fixed"
    "$dir/lostclose" -fix ./... > "$result/fix" 2>&1 || true
    fixed="$(diff -r "$result/src" "$result/fixed" | grep -c '^> .*defer .*\.Close()' || true) fixed"
    go build ./... 2> "$result/build.fixed" || fixed="$fixed, which DOESN'T COMPILE"
  fi
  echo "$module $version: $rewritten, $(wc -l < "$result/alarms") alarms, $fixed"
done
