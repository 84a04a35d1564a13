//go:build unix

package breaker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// SIGUSR1 and SIGUSR2 do nothing to a Go process that doesn't ask for them, so the tests may send
// them to themselves. SIGTERM kills: it is for children.

func send(sig syscall.Signal) {
	if err := syscall.Kill(syscall.Getpid(), sig); err != nil {
		panic(err)
	}
}

// sendAll returns when signals that were sent before have been handed out, as far as that can be
// told: SIGUSR2 comes after SIGUSR1.
func sendAll(t *testing.T) {
	t.Helper()
	br := breaker.BreakBySignal(syscall.SIGUSR2)
	send(syscall.SIGUSR2)
	await(t, "the signal after the others", br.Done())
}

func requireSignal(t *testing.T, want os.Signal, br *breaker.Breaker) {
	t.Helper()
	await(t, "a trip by a signal", br.Done())
	cause := testkit.RequireTripped(t, br)
	var got breaker.SignalError
	require.ErrorAs(t, cause, &got)
	require.Equal(t, want, got.Signal)
	require.ErrorIs(t, cause, breaker.Interrupted)
	require.ErrorIs(t, cause, breaker.ToContext(br).Err())
	require.Equal(t, context.Canceled, breaker.ToContext(br).Err())
	require.Equal(t, breaker.Interrupted, br.Err())
	require.Contains(t, cause.Error(), want.String())
}

func TestSignal_Trips(t *testing.T) {
	// promise 4, promise 10, promise 12
	for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2} {
		requireGoroutines(t, 0)
		br := breaker.BreakBySignal(syscall.SIGUSR1, syscall.SIGKILL, syscall.SIGUSR2)
		outer := breaker.Multiplex(breaker.BreakByTimeout(time.Hour), br)
		testkit.RequireOpen(t, br)
		send(sig)
		requireSignal(t, sig, outer)
		requireSignal(t, sig, br)
		requireGoroutines(t, 0)
	}
}

func TestSignal_Termination(t *testing.T) {
	// They are what a terminal and a service manager send; the slice is the caller's.
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		br := breaker.BreakBySignal(breaker.TerminationSignals()...)
		send(sig)
		requireSignal(t, sig, br)
	}
	breaker.TerminationSignals()[0] = syscall.SIGUSR1
	require.NotContains(t, breaker.TerminationSignals(), os.Signal(syscall.SIGUSR1))
}

func TestSignal_OthersDoNothing(t *testing.T) {
	br := breaker.BreakBySignal(syscall.SIGUSR1)
	sendAll(t)
	testkit.RequireOpen(t, br)
	br.Close()
	requireGoroutines(t, 0)
}

// The signal comes right after the constructor: nobody has had the time to start.
func TestSignal_AfterTheConstructor(t *testing.T) {
	// promise 12, D2
	for i := range 500 {
		br := breaker.BreakBySignal(syscall.SIGUSR1)
		send(syscall.SIGUSR1)
		requireSignal(t, syscall.SIGUSR1, br)
		if i%2 == 0 {
			br.Close()
		}
	}
	requireGoroutines(t, 0)
}

func TestSignal_TripsEveryone(t *testing.T) {
	// promise 12: two on one signal both trip, and so do a thousand.
	var all []*breaker.Breaker
	for i := range 1000 {
		br := breaker.BreakBySignal(syscall.SIGUSR1)
		switch i % 3 {
		case 1:
			br = breaker.BreakBySignal(syscall.SIGUSR2, syscall.SIGUSR1)
		case 2:
			br = breaker.Multiplex(br, breaker.New())
		}
		all = append(all, br)
	}
	send(syscall.SIGUSR1)
	for _, br := range all {
		requireSignal(t, syscall.SIGUSR1, br)
	}
	requireGoroutines(t, 0)
	closeAll(all)
}

// One arrival never trips a breaker made after it had tripped another, be it at the earliest
// moment.
func TestSignal_SecondBreakerWaitsForTheSecond(t *testing.T) {
	// promise 12
	for range 200 {
		first := breaker.BreakBySignal(syscall.SIGUSR1)
		var second *breaker.Breaker
		made := make(chan struct{})
		first.OnTrip(func() {
			second = breaker.BreakBySignal(syscall.SIGUSR1)
			close(made)
		})
		send(syscall.SIGUSR1)
		await(t, "the first trip", made)
		third := breaker.BreakBySignal(syscall.SIGUSR1)

		sendAll(t) // if the first signal was going to be handed out twice, it has been
		testkit.RequireOpen(t, second)
		testkit.RequireOpen(t, third)

		send(syscall.SIGUSR1)
		requireSignal(t, syscall.SIGUSR1, second)
		requireSignal(t, syscall.SIGUSR1, third)
	}
	requireGoroutines(t, 0)
}

// Each arrival reaches who waits for it at the time, while others come and go on the same signal.
func TestSignal_UnderChurn(t *testing.T) {
	// promise 12
	var stop atomic.Bool
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for i := 0; !stop.Load(); i++ {
				br := breaker.BreakBySignal(syscall.SIGUSR1)
				if i%2 == 0 {
					br.Done()
				}
				br.Close()
				runtime.Gosched() // with one P, those who wait have to get at it
			}
		})
	}
	for range 300 {
		br := breaker.BreakBySignal(syscall.SIGUSR1)
		send(syscall.SIGUSR1)
		await(t, "the trip of the one that stays", br.Done())
	}
	stop.Store(true)
	group.Wait()
	requireGoroutines(t, 0)
}

// A signal arrives while one of two is closed: that one trips by either, the other by the signal.
func TestSignal_AgainstClose(t *testing.T) {
	// promise 1, promise 12
	rounds := min(soaked(300), 3_000)
	var byClose, bySignal int
	for i := 0; i < rounds || byClose == 0 || bySignal == 0; i++ {
		require.Less(t, i, 100*rounds, "an outcome never came: by close %d, by signal %d", byClose, bySignal)
		br := breaker.BreakBySignal(syscall.SIGUSR1)
		other := breaker.BreakBySignal(syscall.SIGUSR1)
		send(syscall.SIGUSR1)
		for range i % 7 {
			syscall.Getppid() // spreads the close over the arrival
		}
		if i%8 == 7 {
			<-other.Done()
		}
		br.Close()
		if br.Cause() == breaker.ErrClosed {
			byClose++
		} else {
			requireSignal(t, syscall.SIGUSR1, br)
			bySignal++
		}
		requireSignal(t, syscall.SIGUSR1, other)
	}
	requireGoroutines(t, 0)
}

// A program may ask for the same signal by its own means.
func TestSignal_OfTheProgramGoesOn(t *testing.T) {
	arrivals := make(chan os.Signal, 1)
	signal.Notify(arrivals, syscall.SIGUSR1)
	defer signal.Stop(arrivals)
	breaker.BreakBySignal(syscall.SIGUSR1).Close()
	br := breaker.BreakBySignal(syscall.SIGUSR1)
	send(syscall.SIGUSR1)
	requireSignal(t, syscall.SIGUSR1, br)
	require.Equal(t, syscall.SIGUSR1, <-arrivals)
	send(syscall.SIGUSR1)
	require.Equal(t, syscall.SIGUSR1, <-arrivals)
}

// Inside a bubble nothing from outside can wake who waits, but whoever asks learns of the signal.
func TestSignal_InABubble(t *testing.T) {
	// promise 2, promise 12, promise 16
	requireGoroutines(t, 0)
	outside := breaker.BreakBySignal(syscall.SIGUSR1)
	synctest.Test(t, func(t *testing.T) {
		asks := map[string]struct {
			br  *breaker.Breaker
			ask func(*breaker.Breaker) bool
		}{}
		add := func(name string, br *breaker.Breaker, ask func(*breaker.Breaker) bool) {
			asks[name] = struct {
				br  *breaker.Breaker
				ask func(*breaker.Breaker) bool
			}{br, ask}
		}
		bySignal := func() *breaker.Breaker { return breaker.BreakBySignal(syscall.SIGUSR2, syscall.SIGUSR1) }
		byErr := func(br *breaker.Breaker) bool { return br.Err() != nil }
		add("Err", bySignal(), byErr)
		add("Cause", bySignal(), func(br *breaker.Breaker) bool { return br.Cause() != nil })
		add("State", bySignal(), func(br *breaker.Breaker) bool { return br.State() != breaker.Open })
		add("ToContext", bySignal(), func(br *breaker.Breaker) bool { return breaker.ToContext(br).Err() != nil })
		add("Multiplex", breaker.Multiplex(breaker.New(), bySignal()), byErr)
		add("Multiplex of it", breaker.Multiplex(breaker.BreakByTimeout(time.Hour), breaker.Multiplex(bySignal())), byErr)
		add("NopCloser", breaker.Multiplex(breaker.NopCloser(bySignal()), breaker.New()), byErr)
		watched := bySignal()
		defer watched.Close()
		add("Within", breaker.Within(context.Background(), time.Hour, watched), byErr)
		add("Any", breaker.Any(breaker.New(), watched), byErr)
		waited, called := bySignal(), false
		waited.OnTrip(func() { called = true })
		var group sync.WaitGroup
		group.Go(func() { <-waited.Done() })
		add("while others wait", waited, byErr)
		for _, a := range asks {
			require.False(t, a.ask(a.br))
			testkit.RequireOpen(t, a.br)
		}

		send(syscall.SIGUSR1)
		for name, a := range asks {
			testkit.Await(t, name+" learns of the signal", func() bool { return a.ask(a.br) })
			require.Equal(t, breaker.SignalError{Signal: syscall.SIGUSR1}, testkit.RequireTripped(t, a.br))
			a.br.Close()
		}
		group.Wait()
		require.True(t, called)

		late := bySignal()
		testkit.RequireOpen(t, late)
		late.Close()
		require.Equal(t, breaker.ErrClosed, testkit.RequireTripped(t, late))
	})
	requireSignal(t, syscall.SIGUSR1, outside)
}

// A breaker over another one's context asks as well, also once somebody waits for it.
func TestSignal_InABubbleThroughAContext(t *testing.T) {
	// promise 16
	synctest.Test(t, func(t *testing.T) {
		br := breaker.BreakBySignal(syscall.SIGUSR1)
		defer br.Close()
		over := breaker.BreakByContext(breaker.ToContext(br), nil)
		defer over.Close()
		over.Done()
		another := breaker.BreakBySignal(syscall.SIGUSR1)
		defer another.Close()
		send(syscall.SIGUSR1)
		testkit.Await(t, "the signal has arrived", func() bool { return another.Err() != nil })
		require.ErrorIs(t, over.Err(), breaker.Interrupted)
	})
}

// Who makes the first breaker for a signal in a bubble waits for the runtime's cleanups, and one of
// those may close the last one for another signal.
func TestSignal_CleanupClosesWhileABubbleBegins(t *testing.T) {
	// promise 16
	if !alone(t) {
		return
	}
	for range 100 {
		br := breaker.BreakBySignal(syscall.SIGUSR1)
		owner := new([64]byte)
		runtime.AddCleanup(owner, (*breaker.Breaker).Close, br)
		synctest.Test(t, func(*testing.T) { breaker.BreakBySignal(os.Interrupt).Close() })
	}
}

// In a bubble, too, the constructor catches the signal, and in a process in which nothing was
// caught before.
func TestSignal_AfterTheConstructorInABubble(t *testing.T) {
	// promise 12, promise 16, D2
	if !alone(t) {
		return
	}
	synctest.Test(t, func(t *testing.T) {
		for range 10 {
			br := breaker.BreakBySignal(syscall.SIGTERM)
			send(syscall.SIGTERM)
			testkit.Await(t, "the signal has arrived", func() bool { return br.Err() != nil })
			require.Equal(t, breaker.SignalError{Signal: syscall.SIGTERM}, br.Cause())
		}
	})
	br := breaker.BreakBySignal(syscall.SIGTERM)
	send(syscall.SIGTERM)
	requireSignal(t, syscall.SIGTERM, br)
}

// The rest needs processes that may die.

type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// startChild starts the test binary as one of the children. It ends when its standard input does,
// with the test.
func startChild(t *testing.T, mode string) *process {
	t.Helper()
	cmd := again(t, "BREAKER_TEST_CHILD="+mode)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &process{t, cmd, bufio.NewScanner(stdout)}
}

// expect waits for the next line of the child.
func (p *process) expect(line string) {
	p.t.Helper()
	require.True(p.t, p.lines.Scan(), "the child has ended before it said %q", line)
	require.Equal(p.t, line, p.lines.Text())
}

func (p *process) send(sig syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(sig))
}

// end waits for the end of the child and returns how it came.
func (p *process) end() syscall.WaitStatus {
	p.t.Helper()
	require.False(p.t, p.lines.Scan(), "the child says %q", p.lines.Text())
	err := p.cmd.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(p.t, err)
	}
	return p.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

func (p *process) requireDeath(sig syscall.Signal) {
	p.t.Helper()
	status := p.end()
	require.True(p.t, status.Signaled(), "the child has exited with %d", status.ExitStatus())
	require.Equal(p.t, sig, status.Signal())
}

func (p *process) requireExit() {
	p.t.Helper()
	status := p.end()
	require.True(p.t, status.Exited(), "the child has died: %v", status.Signal())
	require.Zero(p.t, status.ExitStatus())
}

// mortal is the end of a child that is to be killed.
func mortal() int {
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 3 // nobody has killed it
}

// leavers are ways to be done with SIGTERM. After each of them it has its default effect again.
var leavers = map[string]func(){
	"nothing": func() {},
	"closed": func() {
		for range 1000 {
			breaker.BreakBySignal(syscall.SIGTERM).Close()
		}
	},
	"closed, waited for": func() {
		for range 1000 {
			br := breaker.BreakBySignal(syscall.SIGTERM, syscall.SIGUSR1)
			br.Done()
			br.Close()
			br.Close()
		}
	},
	"closed in a Multiplex": func() {
		for range 200 {
			breaker.Multiplex(breaker.BreakBySignal(syscall.SIGTERM), breaker.BreakByTimeout(time.Hour)).Close()
		}
	},
	"dropped by a sibling": func() {
		for range 200 {
			sibling := breaker.New()
			breaker.Multiplex(breaker.BreakBySignal(syscall.SIGTERM), sibling)
			sibling.Trip(nil)
		}
	},
	"dropped while made": func() {
		for range 200 {
			breaker.Multiplex(breaker.BreakByTimeout(0), breaker.BreakBySignal(syscall.SIGTERM))
		}
	},
	"tripped by another signal": func() {
		for range 200 {
			br := breaker.BreakBySignal(syscall.SIGTERM, syscall.SIGUSR1)
			send(syscall.SIGUSR1)
			<-br.Done()
			br.Close() // the other one won: it may not have released all yet
			for br.State() != breaker.Closed {
				runtime.Gosched()
			}
		}
	},
	"closed at the same time": func() {
		for range 200 {
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() { breaker.BreakBySignal(syscall.SIGTERM).Close() })
			}
			group.Wait()
		}
	},
}

func init() {
	harmless, raise = syscall.SIGUSR1, func(*origin) { send(syscall.SIGUSR1) }
	for name, leave := range leavers {
		children["leave: "+name] = func() int {
			leave()
			return mortal()
		}
	}
	children["constructor"] = childConstructor
	children["two signals"] = childTwoSignals
	children["overlap"] = childOverlap
}

func TestD1_SignalHasItsDefaultEffectAgain(t *testing.T) {
	// promise 12, D1: a handler that stays makes the process ignore SIGTERM.
	for name := range leavers {
		t.Run(name, func(t *testing.T) {
			child := startChild(t, "leave: "+name)
			child.expect("ready")
			child.send(syscall.SIGTERM)
			child.requireDeath(syscall.SIGTERM)
		})
	}
}

// childConstructor sends itself what kills it, unless the constructor that has just returned
// catches it.
func childConstructor() int {
	for range 300 {
		br := breaker.BreakBySignal(syscall.SIGTERM)
		send(syscall.SIGTERM)
		<-br.Done()
		var cause breaker.SignalError
		if !errors.As(br.Cause(), &cause) || cause.Signal != syscall.SIGTERM {
			return 1
		}
	}
	fmt.Println("alive")
	return 0
}

func TestD2_SignalAfterTheConstructor(t *testing.T) {
	// promise 12, D2: it killed the process.
	child := startChild(t, "constructor")
	child.expect("alive")
	child.requireExit()
}

// childTwoSignals is an ordinary main function: the first signal stops it, the second one kills it.
func childTwoSignals() int {
	br := breaker.BreakBySignal(syscall.SIGTERM)
	fmt.Println("first")
	<-br.Done()
	for br.State() != breaker.Closed {
		runtime.Gosched()
	}
	fmt.Println("second")
	return mortal()
}

func TestSignal_SecondKills(t *testing.T) {
	// promise 10, promise 12: a trip is enough, without a Close.
	child := startChild(t, "two signals")
	child.expect("first")
	child.send(syscall.SIGTERM)
	child.expect("second")
	child.expect("ready")
	child.send(syscall.SIGTERM)
	child.requireDeath(syscall.SIGTERM)
}

// childOverlap always has a breaker on SIGTERM: the next one is made in the callback of the one
// that trips, before that lets go of the signal. Others come and go meanwhile, and any moment
// without a handler is deadly.
func childOverlap() int {
	var arrivals atomic.Int64
	arrived := make(chan struct{}, 1)
	var renew func()
	renew = func() {
		breaker.BreakBySignal(syscall.SIGTERM).OnTrip(renew)
		arrivals.Add(1)
		select {
		case arrived <- struct{}{}:
		default:
		}
	}
	renew()
	<-arrived
	for range 4 {
		go func() {
			for i := 0; ; i++ {
				br := breaker.BreakBySignal(syscall.SIGTERM)
				if i%2 == 0 {
					br.Done()
				}
				br.Close()
				runtime.Gosched()
			}
		}()
	}
	const rounds = 300
	for i := range rounds {
		for range 1 + i%3 {
			send(syscall.SIGTERM)
		}
		<-arrived // at least one of them
	}
	if arrivals.Load() < int64(rounds) {
		return 1
	}
	fmt.Println("alive")
	return 0
}

func TestSignal_NeverFallsThrough(t *testing.T) {
	// promise 12: no moment at which a signal that a live breaker waits for could kill the process.
	child := startChild(t, "overlap")
	child.expect("alive")
	child.requireExit()
}

// A channel of the program is received from by nobody but it, so this says that each breaker's
// arrival is one of the process's, and not that of a breaker before.
func TestSignal_OneArrivalEach(t *testing.T) {
	// promise 12
	arrivals := make(chan os.Signal, 1000)
	signal.Notify(arrivals, syscall.SIGUSR1)
	defer signal.Stop(arrivals)
	trips := 0
	for range 200 {
		br := breaker.BreakBySignal(syscall.SIGUSR1)
		send(syscall.SIGUSR1)
		requireSignal(t, syscall.SIGUSR1, br)
		trips++
		assert.LessOrEqual(t, trips, len(arrivals)+1)
	}
	sendAll(t)
	require.Len(t, arrivals, trips)
}
