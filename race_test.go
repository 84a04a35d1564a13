package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// Barriered races: players that are released at once, again and again, and a judge of what came
// out.

// trials returns how often to try: the default in a quick run, BREAKER_TRIALS in a full one.
func trials(quick int) int {
	if s := os.Getenv("BREAKER_TRIALS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			panic("BREAKER_TRIALS is not a number of trials: " + s)
		}
		return n
	}
	if raceEnabled {
		return max(quick/10, 1)
	}
	return quick
}

// moreTrials returns what says, before each trial, whether to go on: so often as asked for, and
// then until all that must be seen has been, but not for ever.
func moreTrials(quick int, seen func() bool) func() bool {
	trial, atLeast := 0, trials(quick)
	atMost := max(50*atLeast, 20_000)
	return func() bool {
		trial++
		return trial <= atLeast || trial <= atMost && !seen()
	}
}

// parallel reports whether two goroutines can run at the same time.
func parallel() bool { return runtime.GOMAXPROCS(0) > 1 && runtime.NumCPU() > 1 }

// scaled is for what has a size rather than a number of trials.
func scaled(n int) int {
	if raceEnabled {
		return n / 10
	}
	return n
}

// compete has the players act at the same time, again and again. Between two trials, and alone,
// next judges the last one and prepares the following; it runs on the calling goroutine, and ends
// the competition by false. It returns in how many trials the first two players overlapped.
func compete(next func() bool, players ...func()) (overlaps int) {
	m := match{
		next: func() int {
			if next() {
				return 1
			}
			return 0
		},
		play: func(player, _ int) { players[player]() },
	}
	return m.run(len(players))
}

// match is a competition whose trials come in batches.
type match struct {
	// next prepares what all trials of the next batch share, and returns how many these are, 0 to
	// end it. It runs alone, on the calling goroutine.
	next func() int
	// prepare and judge, if not nil, are for the i-th trial of the batch, before all of them and
	// after. The players share that work.
	prepare, judge func(player, i int)
	// play is what a player does in that trial.
	play func(player, i int)
}

// run has the players act, each on a goroutine of its own that lasts for all trials: to start one
// takes longer than what a player does. It returns in how many trials the first two overlapped.
func (m *match) run(players int) (overlaps int) {
	var (
		size    int
		asking  bool
		wait    sync.WaitGroup
		arrived atomic.Int32
		marks   = make([]struct {
			began int32
			saw   [2]int32 // of this trial, and of the one before, which may still be read
			_     [52]byte // a cache line for each
		}, max(2, players))
		procs = min(runtime.GOMAXPROCS(0), runtime.NumCPU())
		alone = procs == 1
		// Who spins wakes up at once; who waits for someone that has no processor had better leave
		// his.
		patience = 20
		asleep   atomic.Int32
		mu       sync.Mutex
		opened   = sync.NewCond(&mu)
	)
	if players <= procs {
		patience = 500
	}
	if alone {
		patience = 0
	}
	// The n-th gate opens when everyone has come to it.
	gate := func(n int32) {
		n *= int32(players)
		if arrived.Add(1) == n {
			if asleep.Load() > 0 {
				mu.Lock()
				opened.Broadcast()
				mu.Unlock()
			}
			return
		}
		for tries := 0; tries < patience; tries += int(divide(4)) {
			if peek(&arrived) >= n && arrived.Load() >= n {
				return
			}
		}
		mu.Lock()
		asleep.Add(1)
		for arrived.Load() < n {
			opened.Wait()
		}
		asleep.Add(-1)
		mu.Unlock()
	}
	try := func(player, i int, trial int32, random *rand.PCG) {
		if dice := random.Uint64(); alone {
			if dice&1 == 0 {
				runtime.Gosched() // the others first
			}
		} else {
			delay := dice % 64
			if dice>>32&3 == 0 {
				delay = dice % 1024
			}
			for delay > 0 {
				delay--
			}
		}
		put(&marks[player].began, trial)
		m.play(player, i)
		if player < 2 && get(&marks[1-player].began) == trial {
			put(&marks[player].saw[trial&1], trial)
		}
	}
	work := func(player int) {
		var (
			random = rand.NewPCG(rand.Uint64(), uint64(player))
			gates  = int32(0)
			trial  = int32(0)
		)
		pass := func() {
			gates++
			gate(gates)
		}
		share := func(f func(player, i int)) {
			if f == nil {
				return
			}
			for i := player; i < size; i += players {
				f(player, i)
			}
			pass()
		}
		if player == 0 {
			defer func() {
				if asking { // it has ended the test: so it is over for the others, too
					size = 0
					pass()
					wait.Wait()
				}
			}()
		}
		for {
			if player == 0 {
				asking = true
				size = m.next()
				asking = false
			}
			pass()
			if size == 0 {
				return
			}
			share(m.prepare)
			for i := range size {
				trial++
				try(player, i, trial, random)
				pass()
				if player == 0 && get(&marks[0].saw[trial&1]) == trial && get(&marks[1].saw[trial&1]) == trial {
					overlaps++
				}
			}
			share(m.judge)
		}
	}
	for player := 1; player < players; player++ {
		wait.Go(func() { work(player) })
	}
	work(0)
	wait.Wait()
	return overlaps
}

// divide does slow divisions, and returns 1 after an even number of them. A processor that spins
// without a rest takes the time of the one with which it shares a core, which is the other
// player's.
//
//go:noinline
func divide(times int) (x uint64) {
	for x = 1; times > 0; times-- {
		x = math.MaxUint64 / x
	}
	return x
}

// The race detector doesn't see peek, get and put. It would take what they do for something that
// orders the players, and most of the time. They aren't inlined, so that each call is one access.

//go:norace
//go:noinline
func peek(x *atomic.Int32) int32 { return *(*int32)(unsafe.Pointer(x)) }

//go:norace
//go:noinline
func get(x *int32) int32 { return *x }

//go:norace
//go:noinline
func put(x *int32, v int32) { *x = v }

var (
	errA      = errors.New("cause A")
	errB      = errors.New("cause B")
	errParent = errors.New("cause of the parent")
)

// nameOf names a cause in a table.
func nameOf(cause error) string {
	switch {
	case cause == nil:
		return "none"
	case cause == breaker.ErrClosed:
		return "closed"
	case cause == errA:
		return "A"
	case cause == errB:
		return "B"
	case cause == errParent:
		return "parent"
	case errors.Is(cause, context.DeadlineExceeded):
		return "expired"
	default:
		return "unknown: " + cause.Error()
	}
}

// subject is what two operations meet on in one trial.
type subject struct {
	*breaker.Breaker
	parent *breaker.Breaker
	mine   [2]belongings // of each player
}

// belongings is what an operation has prepared or leaves behind, to be judged after the trial.
type belongings struct {
	runs    atomic.Int32 // of its callback
	early   atomic.Bool  // the callback ran with Done open
	stop    func() bool
	stopped bool
	mux     *breaker.Breaker
	ctx     context.Context
	cancel  context.CancelFunc
}

func (x *subject) callback(m *belongings) func() {
	return func() {
		if x.Err() == nil || !isShut(x.Done()) || x.Cause() == nil {
			m.early.Store(true)
		}
		m.runs.Add(1)
	}
}

// after checks what is promised on return of whatever trips a breaker (promise 3).
func (x *subject) after(outcome string) string {
	if x.Err() == nil || !isShut(x.Done()) || x.Cause() == nil || x.State() == breaker.Open {
		return outcome + ", but Done is open"
	}
	return outcome
}

// oracle is the slow, obvious breaker: what an operation does to the subject if nobody else does
// anything.
type oracle struct{ cause string }

func (o *oracle) trip(cause string) bool {
	won := o.cause == ""
	if won {
		o.cause = cause
	}
	return won
}

func (o *oracle) choose(open, shut string) string {
	if o.cause == "" {
		return open
	}
	return shut
}

// operation is one player of a pair. What it returns is its outcome, a word.
type operation struct {
	name    string
	prepare func(x *subject, m *belongings)
	do      func(x *subject, m *belongings) string
	// steps say what do is to the oracle; more than one if others may come in between. The outcome
	// is that of the last step that returns one.
	steps []func(o *oracle, outcome string) string
	// also lists outcomes that no order of steps gives.
	also []string
}

func step(f func(o *oracle, outcome string) string) []func(*oracle, string) string {
	return []func(*oracle, string) string{f}
}

func tripping(name, cause string, do func(x *subject) string) operation {
	return operation{
		name: name,
		do:   func(x *subject, _ *belongings) string { return do(x) },
		steps: step(func(o *oracle, _ string) string {
			o.trip(cause)
			return "-"
		}),
	}
}

func tripWith(name string, cause error) operation {
	return operation{
		name: name,
		do: func(x *subject, _ *belongings) string {
			outcome := "lost"
			if x.Trip(cause) {
				outcome = "won"
			}
			return x.after(outcome)
		},
		steps: step(func(o *oracle, _ string) string {
			if o.trip(nameOf(cause)) {
				return "won"
			}
			return "lost"
		}),
	}
}

func observing(name string, do func(x *subject, m *belongings) bool) operation {
	return operation{
		name: name,
		do: func(x *subject, m *belongings) string {
			if do(x, m) {
				return "tripped"
			}
			return "open"
		},
		steps: step(func(o *oracle, _ string) string { return o.choose("open", "tripped") }),
	}
}

func closingMultiplex(name string, view func(breaker.Interface) breaker.Interface, owned bool) operation {
	op := operation{
		name:    name,
		prepare: func(x *subject, m *belongings) { m.mux = breaker.Multiplex(view(x.Breaker)) },
		do: func(_ *subject, m *belongings) string {
			m.mux.Close()
			if m.mux.Err() == nil || !isShut(m.mux.Done()) {
				return "Done is open after Close"
			}
			return nameOf(m.mux.Cause())
		},
		steps: step(func(o *oracle, _ string) string { return o.choose("closed", o.cause) }),
	}
	if owned {
		op.steps = append(op.steps, func(o *oracle, outcome string) string {
			o.trip("closed")
			return outcome
		})
	}
	return op
}

func multiplexing(name string, view func(breaker.Interface) breaker.Interface) operation {
	return operation{
		name: name,
		do: func(x *subject, m *belongings) string {
			m.mux = breaker.Multiplex(view(x.Breaker))
			return nameOf(m.mux.Cause())
		},
		steps: step(func(o *oracle, _ string) string { return o.choose("none", o.cause) }),
	}
}

func deriving(name string, from func(x *subject) context.Context) operation {
	return operation{
		name: name,
		do: func(x *subject, m *belongings) string {
			m.ctx, m.cancel = context.WithCancel(from(x))
			return nameOfContextError(m.ctx.Err())
		},
		steps: step(func(o *oracle, _ string) string {
			switch o.cause {
			case "":
				return "none"
			case "expired":
				return "expired"
			default:
				return "canceled"
			}
		}),
	}
}

func nameOfContextError(err error) string {
	switch err {
	case nil:
		return "none"
	case context.Canceled:
		return "canceled"
	case context.DeadlineExceeded:
		return "expired"
	default:
		return "unknown: " + err.Error()
	}
}

func itself(br breaker.Interface) breaker.Interface { return br }

const (
	nameTimer  = "a timer"
	nameParent = "a parent's Trip"
)

// judge looks at what is left of a player when the subject is closed.
func (m *belongings) judge(x *subject) (wrong string) {
	runs := m.runs.Load()
	switch {
	case m.early.Load():
		return "its callback ran with Done open (promise 6)"
	case m.stopped && runs > 0:
		return "its callback was stopped and ran (promise 7)"
	case m.stop == nil:
	case !m.stopped && runs != 1:
		return fmt.Sprintf("its callback ran %d times (promise 6)", runs)
	case m.stop():
		return "its callback was stopped after it had run, or twice (promise 7)"
	}
	if m.mux != nil {
		for m.mux.State() != breaker.Closed {
			runtime.Gosched()
		}
		if cause := m.mux.Cause(); cause != breaker.ErrClosed && cause != x.Cause() {
			return fmt.Sprintf("its Multiplex has the cause %v (promise 9)", cause)
		}
	}
	if m.ctx != nil {
		<-m.ctx.Done()
		if cause := context.Cause(m.ctx); cause != seenByContext(x.Cause()) {
			return fmt.Sprintf("its context has the cause %v (promise 13)", cause)
		}
		m.cancel()
	}
	return ""
}

type contextKey struct{}

var operations = []operation{
	tripWith("Trip(A)", errA),
	tripWith("Trip(B)", errB),
	tripping("Close", "closed", func(x *subject) string {
		x.Close()
		return x.after("-")
	}),
	tripping(nameParent, "parent", func(x *subject) string {
		x.parent.Trip(errParent)
		return "-"
	}),
	tripping(nameTimer, "expired", func(x *subject) string {
		for x.Err() == nil {
			runtime.Gosched()
		}
		return x.after("-")
	}),
	observing("Done", func(x *subject, _ *belongings) bool { return isShut(x.Done()) }),
	observing("Err", func(x *subject, _ *belongings) bool { return x.Err() != nil }),
	{
		name: "Cause",
		do:   func(x *subject, _ *belongings) string { return nameOf(x.Cause()) },
		steps: step(func(o *oracle, _ string) string {
			return o.choose("none", o.cause)
		}),
	},
	{
		name: "State",
		do:   func(x *subject, _ *belongings) string { return x.State().String() },
		steps: step(func(o *oracle, _ string) string {
			return o.choose("open", "closed")
		}),
		also: []string{"tripped"},
	},
	{
		name: "Deadline",
		do: func(x *subject, _ *belongings) string {
			first, has := x.Deadline()
			again, still := x.Deadline()
			if has != still || !first.Equal(again) {
				return "two deadlines"
			}
			return "-"
		},
		steps: step(func(*oracle, string) string { return "-" }),
	},
	{
		name: "OnTrip",
		do: func(x *subject, m *belongings) string {
			m.stop = x.OnTrip(x.callback(m))
			if m.runs.Load() > 0 {
				return "ran"
			}
			return "registered"
		},
		steps: step(func(o *oracle, _ string) string { return o.choose("registered", "ran") }),
	},
	{
		name: "OnTrip, stop",
		do: func(x *subject, m *belongings) string {
			m.stop = x.OnTrip(x.callback(m))
			if m.stopped = m.stop(); m.stopped {
				return "stopped"
			}
			return "ran"
		},
		steps: step(func(o *oracle, _ string) string { return o.choose("stopped", "ran") }),
	},
	{
		name:    "stop",
		prepare: func(x *subject, m *belongings) { m.stop = x.OnTrip(x.callback(m)) },
		do: func(_ *subject, m *belongings) string {
			if m.stopped = m.stop(); m.stopped {
				return "stopped"
			}
			return "ran"
		},
		steps: step(func(o *oracle, _ string) string { return o.choose("stopped", "ran") }),
	},
	{
		name: "late OnTrip",
		do: func(x *subject, m *belongings) string {
			x.Close()
			m.stop = x.OnTrip(x.callback(m))
			if m.runs.Load() != 1 {
				return "not run on return"
			}
			return x.after("ran")
		},
		steps: step(func(o *oracle, _ string) string {
			o.trip("closed")
			return "ran"
		}),
	},
	multiplexing("Multiplex(x)", itself),
	multiplexing("Multiplex(NopCloser(x))", breaker.NopCloser),
	closingMultiplex("Multiplex(x).Close", itself, true),
	closingMultiplex("Multiplex(NopCloser(x)).Close", breaker.NopCloser, false),
	deriving("WithCancel", func(x *subject) context.Context { return breaker.ToContext(x) }),
	deriving("WithCancel of WithValue", func(x *subject) context.Context {
		return context.WithValue(breaker.ToContext(x), contextKey{}, 1)
	}),
}

// outcome is what came out of a trial: of each player, and the cause with which the subject ended.
type outcome struct{ one, two, end string }

func (o outcome) String() string { return fmt.Sprintf("%s | %s → %s", o.one, o.two, o.end) }

// predict returns the outcomes that are allowed for a pair, true for those that must be seen: they
// come when one operation is over before the other begins.
func predict(one, two operation) map[outcome]bool {
	allowed := make(map[outcome]bool)
	// Every order of the steps, as a string of moves: in bit i, who makes the i-th.
	total := len(one.steps) + len(two.steps)
	for order := range 1 << total {
		o, at := new(oracle), [2]int{}
		got := [2]string{}
		turns, last, legal := 0, -1, true
		for i := range total {
			who := order >> i & 1
			steps := [2]operation{one, two}[who].steps
			if at[who] == len(steps) {
				legal = false
				break
			}
			got[who] = steps[at[who]](o, got[who])
			at[who]++
			if who != last {
				turns, last = turns+1, who
			}
		}
		if !legal {
			continue
		}
		came := outcome{got[0], got[1], o.choose("none", o.cause)}
		allowed[came] = allowed[came] || turns == 2
		for _, also := range one.also {
			allowed[outcome{also, got[1], came.end}] = allowed[outcome{also, got[1], came.end}] || false
		}
		for _, also := range two.also {
			allowed[outcome{got[0], also, came.end}] = allowed[outcome{got[0], also, came.end}] || false
		}
	}
	return allowed
}

// prepare makes the subject of a trial. The number varies what has been asked of it before.
func prepareSubject(one, two operation, trial int) *subject {
	x := new(subject)
	timed := one.name == nameTimer || two.name == nameTimer
	child := one.name == nameParent || two.name == nameParent
	timeout := time.Duration(1)
	if !parallel() && trial&4 != 0 {
		// With one processor, a timer goes off as soon as a player gives way to the other, who
		// would never be the first.
		timeout = time.Duration(10+trial%64) * time.Microsecond
	}
	if child {
		x.parent = breaker.New()
	}
	switch {
	case child && timed:
		x.Breaker = breaker.Multiplex(breaker.NopCloser(x.parent), breaker.BreakByTimeout(timeout))
	case child:
		x.Breaker = breaker.Multiplex(breaker.NopCloser(x.parent))
	case timed:
		x.Breaker = breaker.BreakByTimeout(timeout)
	default:
		x.Breaker = breaker.New()
	}
	if trial&1 != 0 {
		x.Done()
	}
	return x
}

// TestRace_Pairs races every unordered pair of operations on one breaker. It judges promises 1, 2,
// 3, 4, 6, 7, 9 and 10.
func TestRace_Pairs(t *testing.T) {
	overlaps := 0
	for i, one := range operations {
		for _, two := range operations[i:] {
			t.Run(one.name+" against "+two.name, func(t *testing.T) { overlaps += testPair(t, one, two) })
		}
	}
	if parallel() {
		// For a single pair it may be none, if the machine is so busy that the process has one
		// processor at a time.
		assert.NotZero(t, overlaps, "no two operations were ever under way at the same time")
	}
}

func testPair(t *testing.T, one, two operation) (overlaps int) {
	// batch is how many trials are prepared and judged together: enough for the gates around that
	// to take little of the time.
	const batch = 64
	var (
		operations = [2]operation{one, two}
		allowed    = predict(one, two)
		seen       = [2]map[outcome]int{{}, {}} // by each player
		wrong      [2]string
		missing    = func() bool {
			for came, must := range allowed {
				if must && seen[0][came]+seen[1][came] == 0 {
					return true
				}
			}
			return false
		}
		more      = moreTrials(2_000, func() bool { return !missing() })
		before    = 0 // trials of earlier batches
		size      = 0
		longest   = batch
		subjects  [batch]*subject
		witnesses [batch]*belongings
		results   [2][batch]string
	)
	if one.name == nameTimer || two.name == nameTimer {
		longest = 1 // the timer is started when it is prepared
	}
	// One that fails by testify for each of these conditions would take most of the time.
	judge := func(player, i int) (wrong string) {
		x := subjects[i]
		came := outcome{results[0][i], results[1][i], nameOf(x.Cause())}
		if _, ok := allowed[came]; !ok {
			return fmt.Sprintf("forbidden: %s; allowed: %v", came, allowed)
		}
		seen[player][came]++
		x.Close()
		if x.parent != nil {
			x.parent.Close()
			x.AwaitClosed() // its timer may be tripping it
			if registrations(x.parent) > 0 {
				return "it remains registered with its parent (promise 10)"
			}
		}
		// The winner may be the timer's goroutine, which nobody waits for.
		for x.State() != breaker.Closed {
			runtime.Gosched()
		}
		if registrations(x) > 0 {
			return "registrations remain (promise 10)"
		}
		for k, m := range []*belongings{&x.mine[0], &x.mine[1], witnesses[i]} {
			if wrong := m.judge(x); wrong != "" {
				return []string{one.name, two.name, "witness"}[k] + ": " + wrong
			}
		}
		return ""
	}
	m := match{
		next: func() int {
			before += size
			for _, wrong := range wrong {
				require.Empty(t, wrong)
			}
			for size = 0; size < longest && more(); {
				size++
			}
			return size
		},
		prepare: func(_, i int) {
			trial := before + i
			x := prepareSubject(one, two, trial)
			witness := new(belongings)
			if trial&2 != 0 {
				witness.stop = x.OnTrip(x.callback(witness))
			}
			for k, op := range operations {
				if op.prepare != nil {
					op.prepare(x, &x.mine[k])
				}
			}
			subjects[i], witnesses[i] = x, witness
		},
		play: func(player, i int) {
			x := subjects[i]
			results[player][i] = operations[player].do(x, &x.mine[player])
		},
		judge: func(player, i int) {
			if w := judge(player, i); w != "" {
				wrong[player] = fmt.Sprintf("trial %d: %s", before+i+1, w)
			}
		},
	}
	overlaps = m.run(2)

	var table []string
	for came, must := range allowed {
		times := seen[0][came] + seen[1][came]
		line := fmt.Sprintf("%8d  %s", times, came)
		if must {
			assert.NotZero(t, times, "never came in %d trials, so they proved nothing: %s", before, came)
		} else {
			line += "  (may)"
		}
		table = append(table, line)
	}
	sort.Strings(table)
	t.Logf("%d trials, %d of them overlapped\n%s", before, overlaps, strings.Join(table, "\n"))
	return overlaps
}
