#!/usr/bin/env bash
# Checks the models of this directory with Spin: every property must hold, every seeded error must
# be found.
#
#   spec/check.sh          what every change runs, about a minute
#   spec/check.sh full     larger models, on a machine with 24 GB of memory
#
# Needs gcc, and Spin, which it installs where there is apt-get. Everything happens in a directory
# that is removed at the end.
set -euo pipefail

mode=${1:-quick}
case $mode in
quick) hash= ;;
# Room for the many states at once: to make more while they come takes a third longer.
full) hash=-w27 ;;
*)
	echo "usage: $0 [quick|full]" >&2
	exit 2
	;;
esac

here=$(cd "$(dirname "$0")" && pwd)
if ! command -v gcc >/dev/null; then
	echo "spec: gcc is needed: Spin makes a C program of each model" >&2
	exit 1
fi
if ! command -v spin >/dev/null; then
	if ! command -v apt-get >/dev/null; then
		echo "spec: spin is needed (https://spinroot.com), and there is no apt-get to install it with" >&2
		exit 1
	fi
	echo "spec: installing spin" >&2
	if ! { apt-get install -y spin || { apt-get update && apt-get install -y spin; }; } >/dev/null; then
		echo "spec: spin is needed, and apt-get install -y spin failed; it has to be run by root" >&2
		exit 1
	fi
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# build DIR MODEL SWITCHES CFLAGS: the verifier of a model, as DIR/pan
build() {
	mkdir "$1"
	(
		cd "$1"
		# shellcheck disable=SC2086
		spin -a $3 "$here/$2.pml" >spin.out 2>&1 && gcc -w $4 -o pan pan.c >>spin.out 2>&1 || {
			cat spin.out >&2
			exit 1
		}
	)
}

# field REGEXP FILE: what the last pair of parentheses of a basic regular expression matches
field() { sed -n "s/^.*$1.*/\1/p" "$2" | head -1; }

# number WORDS FILE: the number before them; a long one begins the line
number() { grep -oE "[0-9.e+]+ $1" "$2" | head -1 | cut -d' ' -f1; }

# report MODEL SWITCHES PROPERTY FILE SEARCH: one line about a run, and its result as the status
report() {
	local states transitions depth errors seconds complete=yes result=holds
	states=$(number 'states, stored' "$4") || true
	transitions=$(number transitions "$4") || true
	depth=$(field 'depth reached \([0-9]*\)' "$4")
	errors=$(field 'errors: \([0-9]*\)' "$4")
	seconds=$(field 'elapsed time \([0-9]*\)' "$4")
	[ "$5" = whole ] || complete=no
	! grep -qE 'search depth too small|out of memory|memory limit|time limit|Search not completed|aborting' "$4" || complete=no
	[ "$errors" = 0 ] || result='FAILS'
	[ "$complete" = yes ] || [ "$5" != whole ] || result='NOT COMPLETE'
	printf '%-9s  %-36s  %-44s  %10s states  %10s transitions  depth %4s  %4ss  complete %-3s  %s\n' \
		"$1" "${2//-D/}" "$3" "${states:-?}" "${transitions:-?}" "${depth:-?}" "${seconds:-?}" "$complete" "$result"
	[ "$result" = holds ] && echo holds >>"$tmp/results" || echo fails >>"$tmp/results"
	[ "$result" = holds ]
}

# trail DIR MODEL SWITCHES: how a property came to fail
trail() {
	(
		cd "$1"
		# shellcheck disable=SC2086
		spin -t -p -k ./*.trail $3 "$here/$2.pml" 2>&1 | grep -E 'proc|assert' | tail -60 >&2
	) || true
}

# safety MODEL SWITCHES WHAT [CFLAGS [PANFLAGS]]: all assertions, and that nobody is left waiting.
# States aren't compressed: that takes longer, and there is memory enough.
safety() {
	local dir="$tmp/$BASHPID" search=whole
	case "${4:-}" in *BITSTATE*) search=part ;; esac
	build "$dir" "$1" "$2" "-O2 -DSAFETY -DNOCLAIM ${4:-}"
	# shellcheck disable=SC2086
	(cd "$dir" && ./pan -n -m100000 $hash ${5:-} >out 2>&1) || true
	report "$1" "$2" "$3" "$dir/out" $search || trail "$dir" "$1" "$2"
	rm -rf "$dir"
}

# liveness MODEL SWITCHES PANFLAGS FORMULA...: with -f, under weak fairness; without, under no
# assumption
liveness() {
	local dir="$tmp/$BASHPID" model=$1 switches=$2 flags=$3 formula
	shift 3
	build "$dir" "$model" "$switches" "-O2 -DNFAIR=4"
	for formula; do
		# shellcheck disable=SC2086
		(cd "$dir" && rm -f ./*.trail && ./pan -a $flags -n -m100000 $hash -N "$formula" >out 2>&1) || true
		report "$model" "$switches" "$formula: liveness${flags:+, weakly fair}" "$dir/out" whole || trail "$dir" "$model" "$switches"
	done
	rm -rf "$dir"
}

# seeded ERROR MODEL SWITCHES [FORMULA [PANFLAGS]]: a wrong model; with a formula, that must be what
# finds it
seeded() {
	local dir="$tmp/$BASHPID" how kind='-DSAFETY -DNOCLAIM'
	[ -z "${4:-}" ] || kind=-DNFAIR=4
	build "$dir" "$2" "$3 -DBUG_$1" "-O0 $kind"
	# shellcheck disable=SC2086
	(cd "$dir" && ./pan ${4:+-a -A -E -N $4} ${5:-} -n -m100000 >out 2>&1) || true
	if grep -q 'errors: [1-9]' "$dir/out"; then
		how=$(sed -n 's/^pan:1: \(assertion violated\|acceptance cycle\|invalid end state\).*/\1/p' "$dir/out" | head -1)
		printf '%-9s  %-36s  seeded %-37s  found: %s\n' "$2" "${3//-D/}" "$1" "$how${4:+ of $4}"
		echo found >>"$tmp/results"
	else
		printf '%-9s  %-36s  seeded %-37s  NOT FOUND\n' "$2" "${3//-D/}" "$1"
		echo missed >>"$tmp/results"
	fi
	rm -rf "$dir"
}

# job COMMAND...: so many at a time as SPIN_JOBS says, or two
job() {
	while [ "$(jobs -rp | wc -l)" -ge "${SPIN_JOBS:-2}" ]; do wait -n || true; done
	{ "$@" || echo fails >>"$tmp/results"; } &
}

if [ "$mode" = quick ]; then
	job safety breaker '-DT=2 -DS=3' 'promises 1 2 3 4 6 7'
	job liveness breaker '-DT=2 -DS=3' '' runs returns closes
	job safety breaker '-DT=2 -DS=2 -DW=1' '... against Done'
	job safety breaker '-DT=2 -DS=2 -DX=1' '... against a stop elsewhere'
	job safety breaker '-DT=2 -DS=1 -DR=1' '... and a relay that is handed out ends'
	job safety directory '-DS=3 -DSLOTS=1 -DTRIP=0' 'nobody astray, nothing empty kept'
	job safety directory '-DS=2 -DNUMBERS=4 -DSLOTS=1 -DROUNDS=2 -DTRIP=0' '... with four places'
	job safety directory '-DS=2 -DSLOTS=1 -DROUNDS=2' '... against the sweep: promises 6 7'
	job safety directory '-DS=2' '... with room for all'
	job liveness directory '-DS=2 -DROUNDS=2 -DTRIP=0 -DEAGER=1' -f ends
	job liveness directory '-DS=2 -DEAGER=1' -f ends
	job safety attach '-DN=2 -DC=2' 'promises 10 12; released once'
	job safety attach '-DN=2 -DC=2 -DCHANNEL' '... by the first who waits'
	job liveness attach '-DN=2 -DC=2' '' trips closes
	job safety order '-DT=2 -DGRAPH=0' 'promises 9 10 18 in a chain'
	job safety order '-DT=2 -DGRAPH=1' '... of what is owned'
	job safety order '-DT=2 -DGRAPH=2' '... in a diamond'
	job safety order '-DT=2 -DGRAPH=4 -DLATE=1' '... against a constructor'
	job liveness order '-DT=2 -DGRAPH=4' '' returns
else
	job safety breaker '-DT=3 -DS=3' 'promises 1 2 3 4 6 7'
	job safety breaker '-DT=3 -DS=4' 'promises 1 2 3 4 6 7' -DBITSTATE '-w33 -Q3'
	job liveness breaker '-DT=3 -DS=3' '' runs returns closes
	job safety breaker '-DT=2 -DS=3 -DW=1' '... against Done'
	job safety breaker '-DT=2 -DS=2 -DO=2 -DW=1' '... and Err'
	job safety breaker '-DT=2 -DS=3 -DX=1' '... against a stop elsewhere'
	job safety breaker '-DT=2 -DS=2 -DR=2' '... and a relay that is handed out ends'
	job safety directory '-DS=3 -DTRIP=0' 'nobody astray, nothing empty kept'
	job safety directory '-DS=3 -DNUMBERS=4 -DSLOTS=1 -DTRIP=0' '... with four places'
	job safety directory '-DS=3 -DSLOTS=1' '... against the sweep: promises 6 7'
	job safety directory '-DS=2 -DROUNDS=2' '... with room for all'
	job liveness directory '-DS=3 -DTRIP=0 -DEAGER=1' -f ends
	job safety attach '-DN=3 -DC=1' 'promises 10 12; released once'
	job safety attach '-DN=2 -DC=2 -DV=2' '... with two arrivals'
	job safety attach '-DN=2 -DL=2 -DC=1' '... with two links'
	job safety attach '-DN=2 -DC=3 -DCHANNEL' '... by the first who waits'
	job liveness attach '-DN=3 -DC=1' '' trips closes
	job safety order '-DT=2 -DGRAPH=0 -DLATE=1' 'promises 9 10 18 in a chain, the last being made'
	job safety order '-DT=2 -DGRAPH=1 -DLATE=1' '... of what is owned, the last being made'
	job safety order '-DT=2 -DGRAPH=2 -DLATE=1' '... in a diamond, the last being made'
	job safety order '-DT=3 -DGRAPH=4' '... against two other trips'
	job liveness order '-DT=2 -DGRAPH=4 -DLATE=1' '' returns
fi

breaker='-DT=2 -DS=2'
for error in CAUSE_LATE BLIND_PUBLISH CLAIM_BY_STORE ERR_EARLY FLAG_AFTER_CLOSE HANDOUT_BY_STORE KEEP_UNSEEN LOSER_LEAVES \
	NO_AWAIT NO_RECHECK NOT_HELD SHORTCUT_WITH_CAUSE STOP_BY_STORE SWEEP_BY_STORE; do
	job seeded $error breaker "$breaker"
done
job seeded RELAY_NO_RECHECK breaker '-DT=2 -DS=1 -DR=1'
job seeded NO_RECHECK breaker "$breaker" runs
job seeded NOT_CLOSED breaker "$breaker" returns
job seeded NEVER_CLOSED breaker "$breaker" closes

directory='-DS=2 -DSLOTS=1 -DROUNDS=2 -DTRIP=0'
for error in GIVE_UP_UNSEALED NO_LAST_LOOK NOT_LOOKED SEAL_UNSEEN SEAL_WITHOUT_LOOK SEALED_STAYS SHRINK_ORDER SPAN_EARLY \
	TAKEN_BACK_STAYS; do
	job seeded $error directory "$directory"
done
job seeded SEAL_BY_STORE directory '-DS=3 -DSLOTS=1 -DTRIP=0'
for error in NO_RECHECK TAKE_BACK_BY_STORE; do
	job seeded $error directory '-DS=2 -DSLOTS=1'
done
job seeded SEALED_STAYS directory "$directory -DEAGER=1" ends -f

attach='-DN=2 -DC=2'
for error in NO_HANDSHAKE LEFT_UNSEEN REMOVE_UNLOCKED FIRE_BEFORE_REMOVE SHARED_BEFORE_ON REFS_UP NOT_REMOVED; do
	job seeded $error attach "$attach"
done
job seeded NO_RECHECK attach '-DN=2 -DC=1 -DV=2' trips
job seeded LEFT_UNSEEN attach "$attach" closes

for error in LOST_NOT_AWAITED LOST_NOT_FOLLOWED LINKS_TAKEN LINK_DROPPED_EARLY AT_ONCE_WITHOUT_LOOK CALLBACKS_EARLY; do
	job seeded $error order '-DT=2 -DGRAPH=0'
done
job seeded OWNED_LOST_NOT_FOLLOWED order '-DT=2 -DGRAPH=1'
for error in NO_RECHECK NO_HANDSHAKE CONSTRUCTOR_LEAVES; do
	job seeded $error order '-DT=2 -DGRAPH=4 -DLATE=1'
done
wait || true

count() { grep -c "^$1" "$tmp/results" || true; }
holds=$(count holds) fails=$(count fails) found=$(count found) missed=$(count missed)
if [ "$fails" = 0 ] && [ "$missed" = 0 ]; then
	echo "spec: $holds properties hold, $found seeded errors found"
else
	echo "spec: $holds properties hold, $fails do NOT; $found seeded errors found, $missed NOT"
	exit 1
fi
