package defects_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// every makes a breaker of every kind that a close, and nothing else, trips soon.
func every() map[string]*breaker.Breaker {
	ctx, cancel := context.WithCancel(context.Background())
	return map[string]*breaker.Breaker{
		"New":             breaker.New(),
		"BreakByChannel":  breaker.BreakByChannel(make(chan struct{})),
		"BreakByContext":  breaker.BreakByContext(ctx, cancel),
		"a view":          breaker.BreakByContext(breaker.ToContext(breaker.New()), nil),
		"BreakByDeadline": breaker.BreakByDeadline(time.Now().Add(time.Hour)),
		"BreakBySignal":   breaker.BreakBySignal(os.Interrupt),
		"BreakByTimeout":  breaker.BreakByTimeout(time.Hour),
		"Multiplex": breaker.Multiplex(breaker.New(), breaker.BreakByTimeout(time.Hour),
			breaker.BreakBySignal(os.Interrupt), breaker.BreakByChannel(make(chan struct{}))),
	}
}

func TestD3_ErrAndDoneAgree(t *testing.T) {
	// promise 2, D3: Done was closed while Err was nil.
	for range 200 {
		for name, br := range every() {
			var group sync.WaitGroup
			done := br.Done()
			group.Go(func() {
				<-done
				assert.Error(t, br.Err(), "%s: Done is closed, Err is nil", name)
				assert.Error(t, br.Cause(), name)
			})
			group.Go(func() {
				for br.Err() == nil {
					if testkit.IsShut(done) {
						assert.Error(t, br.Err(), "%s: Done is closed, Err is nil", name)
						return
					}
					runtime.Gosched()
				}
				assert.True(t, testkit.IsShut(done), "%s: Err isn't nil, Done is open", name)
			})
			group.Go(br.Close)
			group.Wait()
		}
	}
	testkit.AwaitGoroutines(t, testkit.Library, 0)
}

func TestD4_CloseIsSynchronous(t *testing.T) {
	// promise 3, promise 10, D4: Err was nil after Close.
	for i := range 1000 {
		for name, br := range every() {
			if i%2 == 0 {
				br.Done()
			}
			br.Close()
			require.Error(t, br.Err(), name)
			require.True(t, testkit.IsShut(br.Done()), name)
			require.Equal(t, breaker.ErrClosed, br.Cause(), name)
			require.Equal(t, breaker.Closed, br.State(), name)
		}
	}
	testkit.AwaitGoroutines(t, testkit.Library, 0)
}

// registering is a context of the user's that never ends. It counts what is registered with it.
type registering struct {
	done       chan struct{}
	registered atomic.Int32
}

func (*registering) Err() error                  { return nil }
func (c *registering) Done() <-chan struct{}     { return c.done }
func (*registering) Value(any) any               { return nil }
func (*registering) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *registering) AfterFunc(func()) func() bool {
	c.registered.Add(1)
	return func() bool {
		c.registered.Add(-1)
		return true
	}
}

type key struct{}

func TestD5_ForeignCancelLeaksNothing(t *testing.T) {
	// promise 10, D5: a Multiplex over a context that its cancel doesn't end.
	foreign := &registering{done: make(chan struct{})}
	bare := struct{ context.Context }{&registering{done: make(chan struct{})}} // it hides AfterFunc
	calls := 0
	br := breaker.Multiplex(
		breaker.BreakByContext(foreign, func() { calls++ }),
		breaker.BreakByContext(bare, func() { calls++ }),
		breaker.New(),
	)
	br.Done()
	require.Equal(t, int32(1), foreign.registered.Load())
	br.Close()
	require.Equal(t, 2, calls)
	require.Zero(t, foreign.registered.Load())
	testkit.AwaitGoroutines(t, "context", 0)
	testkit.AwaitGoroutines(t, testkit.Library, 0)
	require.NoError(t, foreign.Err())
}

func TestD6_SliceOfTheCaller(t *testing.T) {
	// promise 9, D6: Multiplex(all[:2]...) overwrote all[2].
	all := make([]breaker.Interface, 3, 8)
	for i := range all {
		all[i] = breaker.New()
	}
	third := all[2]
	br := breaker.Multiplex(all[:2]...)
	require.True(t, all[2] == third)
	require.Nil(t, all[:4][3])

	// Nor is it kept: what the caller writes there concerns nobody.
	first, other := all[0], breaker.New()
	all[0] = other
	br.Close()
	require.Error(t, first.Err())
	testkit.RequireOpen(t, other)
	require.NoError(t, third.Err())
}

func TestD7_SharedBreaker(t *testing.T) {
	// promise 9, D7: the first Multiplex that ended closed what others used as well.
	process := breaker.New()
	first := breaker.Multiplex(breaker.BreakByTimeout(time.Hour), breaker.NopCloser(process))
	second := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(time.Hour))
	first.Close()
	testkit.RequireOpen(t, process)
	testkit.RequireOpen(t, second)
	process.Trip(assert.AnError)
	require.Equal(t, assert.AnError, testkit.RequireTripped(t, second))
	require.Equal(t, breaker.ErrClosed, testkit.RequireTripped(t, first))
}

func TestD8_SourceThatFired(t *testing.T) {
	// promise 4, promise 9, D8: a Multiplex hid it.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		signal, owner := make(chan struct{}), breaker.New()
		multiplex := func() *breaker.Breaker {
			return breaker.Multiplex(
				breaker.BreakByTimeout(time.Minute),
				breaker.BreakByContext(ctx, nil),
				breaker.BreakByChannel(signal),
				breaker.NopCloser(owner),
				breaker.BreakBySignal(os.Interrupt),
			)
		}
		byTimeout := multiplex()
		<-byTimeout.Done()
		require.ErrorIs(t, byTimeout.Cause(), context.DeadlineExceeded)

		byChannel := multiplex()
		signal <- struct{}{}
		<-byChannel.Done()
		require.Equal(t, "breaker: channel closed", testkit.RequireTripped(t, byChannel).Error())

		byOwner := multiplex()
		owner.Trip(assert.AnError)
		require.Equal(t, assert.AnError, testkit.RequireTripped(t, byOwner))
		owner = breaker.New()

		byClose := multiplex()
		byClose.Close()
		require.Equal(t, breaker.ErrClosed, testkit.RequireTripped(t, byClose))

		byContext := multiplex()
		cancel(io.ErrUnexpectedEOF)
		<-byContext.Done()
		require.Equal(t, io.ErrUnexpectedEOF, testkit.RequireTripped(t, byContext))
	})
}

func TestD9_ContextTellsEverything(t *testing.T) {
	// promise 13, D9: it had a goroutine, no deadline, always Canceled, no cause, no values, and
	// was late.
	testkit.AwaitGoroutines(t, testkit.Library, 0)
	testkit.AwaitGoroutines(t, "context", 0)
	synctest.Test(t, func(t *testing.T) {
		br := breaker.Multiplex(
			breaker.BreakByContext(context.WithValue(context.Background(), key{}, "a"), nil),
			breaker.BreakByTimeout(time.Minute),
		)
		ctx := breaker.ToContext(br)
		require.Equal(t, "a", ctx.Value(key{}))
		at, ok := ctx.Deadline()
		require.True(t, ok)
		require.Equal(t, time.Now().Add(time.Minute), at)
		require.Zero(t, testkit.Goroutines(testkit.Library))
		require.Zero(t, testkit.Goroutines("context"))
		<-ctx.Done()
		require.Equal(t, context.DeadlineExceeded, ctx.Err())
		require.Equal(t, context.DeadlineExceeded, context.Cause(ctx))
	})
	br := breaker.New()
	ctx := breaker.ToContext(br)
	br.Trip(assert.AnError)
	require.Equal(t, context.Canceled, ctx.Err()) // right after the trip
	require.True(t, testkit.IsShut(ctx.Done()))
	require.Equal(t, assert.AnError, context.Cause(ctx))
}

func TestD10_Goroutines(t *testing.T) {
	// promise 11, D10: there were five for this.
	testkit.AwaitGoroutines(t, testkit.Library, 0)
	testkit.AwaitGoroutines(t, "context", 0)
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	br := breaker.Multiplex(
		breaker.BreakByTimeout(time.Hour),
		breaker.BreakByDeadline(time.Now().Add(time.Hour)),
		breaker.BreakByContext(parent, nil),
	)
	ctx, cancelDerived := context.WithCancel(breaker.ToContext(br))
	defer cancelDerived()
	ctx.Done()
	br.OnTrip(func() {})
	require.Zero(t, testkit.Goroutines(testkit.Library))
	require.Zero(t, testkit.Goroutines("context"))

	bySignal := breaker.Multiplex(br, breaker.BreakBySignal(os.Interrupt))
	testkit.AwaitGoroutines(t, testkit.Library, 1)
	byChannel := breaker.Multiplex(bySignal, breaker.BreakByChannel(make(chan struct{})))
	testkit.AwaitGoroutines(t, testkit.Library, 2)
	byChannel.Close()
	testkit.AwaitGoroutines(t, testkit.Library, 0)
	testkit.AwaitGoroutines(t, "context", 0)
}

func TestD11_ManyChildren(t *testing.T) {
	// promise 9, promise 15, D11: above 65,536 children, or with a nil one, a goroutine panicked.
	const many = 70_000
	for _, which := range []int{0, many / 2, many - 1} {
		children := make([]breaker.Interface, many)
		for i := range children {
			children[i] = breaker.New()
		}
		br := breaker.Multiplex(children...)
		require.NoError(t, br.Err())
		children[which].(*breaker.Breaker).Trip(assert.AnError)
		require.Equal(t, assert.AnError, testkit.RequireTripped(t, br))
		for _, child := range children {
			if child.Err() == nil {
				require.Fail(t, "a child is open")
			}
		}

		for i := range children {
			children[i] = breaker.New()
		}
		children[which] = nil
		require.Panics(t, func() { breaker.Multiplex(children...) }) // here, and not somewhere else
		for i, child := range children {
			if i != which && child.Err() != nil {
				require.Fail(t, "a child was closed for nothing")
			}
		}
	}
}

// pipes is a network inside a bubble.
type pipes struct {
	connections chan net.Conn
	closed      *breaker.Breaker
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.connections:
		return conn, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.closed.Close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.connections <- server:
		return client, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

// drain is what a main function does at the end: when stop trips, by the first signal or whatever
// else, the server takes no new requests, and those in flight go on. Only when the grace is over
// are they cancelled.
func drain(server *http.Server, stop breaker.Interface, grace time.Duration) error {
	<-stop.Done()
	limit := breaker.BreakByTimeout(grace)
	defer limit.Close()
	if err := server.Shutdown(breaker.ToContext(limit)); err != nil {
		_ = server.Close()
		return context.Cause(breaker.ToContext(limit))
	}
	return nil
}

func TestD12_GracefulShutdown(t *testing.T) {
	// D12: the signal cancelled the requests in flight, and then there was no limit to the wait.
	const grace = 30 * time.Second
	for name, test := range map[string]struct {
		work     time.Duration // what the request in flight takes
		finished bool
		took     time.Duration // what the shutdown takes, from the signal on
	}{
		"in time":  {work: 10 * time.Second, finished: true, took: 9 * time.Second},
		"too slow": {work: time.Hour, finished: false, took: grace},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				stop := breaker.Multiplex(breaker.BreakBySignal(os.Interrupt), breaker.BreakByTimeout(time.Second))
				defer stop.Close()

				var cancelled time.Duration
				handler := func(w http.ResponseWriter, r *http.Request) {
					work := breaker.Multiplex(
						breaker.BreakByTimeout(test.work),
						breaker.BreakByContext(r.Context(), nil), // the client's, and not stop
					)
					defer work.Close()
					<-work.Done()
					if r.Context().Err() != nil {
						cancelled = time.Since(start)
						return
					}
					_, _ = io.WriteString(w, "finished")
				}
				network := &pipes{make(chan net.Conn), breaker.New()}
				server := &httptest.Server{
					Listener: network,
					Config:   &http.Server{Handler: http.HandlerFunc(handler)},
				}
				server.Start()
				client := &http.Client{Transport: &http.Transport{DialContext: network.dial, DisableKeepAlives: true}}

				var group sync.WaitGroup
				group.Go(func() {
					response, err := client.Get(server.URL)
					if !test.finished {
						assert.Error(t, err)
						return
					}
					if assert.NoError(t, err) {
						body, err := io.ReadAll(response.Body)
						assert.NoError(t, err)
						assert.Equal(t, "finished", string(body))
						assert.NoError(t, response.Body.Close())
					}
				})
				group.Go(func() {
					<-stop.Done()
					synctest.Wait()
					_, err := client.Get(server.URL)
					assert.ErrorIs(t, err, net.ErrClosed) // nobody gets in any more
				})

				err := drain(server.Config, stop, grace)
				took := time.Since(start) - time.Second
				group.Wait()
				synctest.Wait() // for the handler
				if test.finished {
					require.NoError(t, err)
					require.Zero(t, cancelled)
					require.GreaterOrEqual(t, took, test.took)
					require.Less(t, took, test.took+time.Second) // Shutdown looks twice a second
				} else {
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.Equal(t, test.took, took)
					require.Equal(t, time.Second+grace, cancelled)
				}
			})
		})
	}
}
