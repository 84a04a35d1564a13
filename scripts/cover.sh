#!/usr/bin/env bash
# Lists the statements of the root package and of what is beneath it that no test reaches: neither
# their own tests and those of breakerprof, nor the explorer, which reaches what needs luck in a
# race. Fails if one of them could be reached. Panics that report a bug in the package can't, nor
# can code for another Go release or another machine.
#
#   scripts/cover.sh              runs everything it needs
#   scripts/cover.sh PROFILE      uses the coverage profile of a run of the explorer
set -euo pipefail
cd "$(dirname "$0")/.."
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

packages=.,./internal/registry,./internal/bubble,./internal/hub,./internal/stdcontext
go test -count=1 -coverpkg "$packages" -coverprofile "$temp/tests" . ./internal/registry ./internal/bubble ./internal/hub \
  ./internal/stdcontext ./breakerprof >/dev/null
explorer=${1:-}
if [ -z "$explorer" ]; then
  explorer=$temp/explorer
  BREAKER_SCHEDULES=1 go test -count=1 -tags breaker_explore -coverpkg "$packages" -coverprofile "$explorer" \
    -run 'Explore/(hub|pairs|multiplex|sources|channels|views)|FuzzExplore' . >/dev/null
fi

# Of the programs of three threads, those that reach what two can't.
go test -count=1 -tags breaker_explore -coverpkg "$packages" -coverprofile "$temp/triples" \
  -run 'Explore/(pairs|directory|triples)/(directory|[a-z_,]+:_[a-zA-Z.]+_vs_[a-zA-Z.]+$)' ./internal/registry >/dev/null

# A line of a profile: file:from,to statements times.
cat "$temp/tests" "$explorer" "$temp/triples" | awk '
  /^mode:/ || /explore\.go:/ || $2 == 0 {next}
  {size[$1] = $2; if ($3 > 0) reached[$1] = 1}
  END {
    for (block in size) {
      all += size[block]
      if (!(block in reached)) {print block, size[block] > "'"$temp"'/missed"}
    }
    print all > "'"$temp"'/all"
  }'
touch "$temp/missed"

reachable=0 missed=0
while read -r block statements; do
  missed=$((missed + statements))
  place=${block#github.com/kamilsk/breaker/}
  file=${place%%:*} from=${place#*:} from=${from%%.*} to=${place#*,} to=${to%%.*}
  text=$(sed -n "${from},${to}p" "$file")
  case $file:$text in
  *'panic("breaker: '* | *'not reached here:'*) ;;
  *)
    reachable=$((reachable + 1))
    printf '%s:%s: %s\n' "$file" "$from" "$(sed -n "$((from + 1))p" "$file")"
    ;;
  esac
done <"$temp/missed"
all=$(cat "$temp/all")
echo "$((all - missed)) of $all statements are reached, $missed are not, $reachable blocks of them without a reason"
[ "$reachable" = 0 ]
