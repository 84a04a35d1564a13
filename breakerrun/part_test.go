package breakerrun_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
	"github.com/kamilsk/breaker/breakerrun"
)

// A Graceful has three functions, each called when it should be.
func TestPart_Graceful(t *testing.T) {
	errDrain, errCut := errors.New("drain"), errors.New("cut")
	tests := map[string]struct {
		serveFails, drainFails, cutFails, slow bool

		want  []string
		calls []string
	}{
		"drains":                 {calls: []string{"drain"}},
		"drain fails":            {drainFails: true, want: []string{"s failed"}, calls: []string{"drain"}},
		"is cut":                 {slow: true, want: []string{"s cut"}, calls: []string{"drain", "cut"}},
		"is cut badly":           {slow: true, cutFails: true, want: []string{"s cut"}, calls: []string{"drain", "cut"}},
		"fails":                  {serveFails: true, want: []string{"s failed"}, calls: []string{"drain"}},
		"fails and drain, too":   {serveFails: true, drainFails: true, want: []string{"s failed"}, calls: []string{"drain"}},
		"fails, and is then cut": {serveFails: true, slow: true, want: []string{"s failed"}, calls: []string{"drain", "cut"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop, served := breaker.New(), make(chan struct{})
				var j journal
				part := breakerrun.Graceful("s",
					func() error {
						if tt.serveFails {
							return errBoom
						}
						<-served
						return http.ErrServerClosed // has nothing to say
					},
					func(ctx context.Context) error {
						j.add("drain")
						close(served)
						if tt.slow {
							<-ctx.Done()
							return ctx.Err()
						}
						if tt.drainFails {
							return errDrain
						}
						return nil
					},
					func() error {
						j.add("cut")
						if tt.cutFails {
							return errCut
						}
						return nil
					})
				ended := run(breakerrun.New(breakerrun.WithGrace(time.Second)), stop, part,
					breakerrun.Worker("w", j.steady("worker")))
				synctest.Wait()
				if !tt.serveFails {
					stop.Close()
				}
				err := <-ended
				assert.Equal(t, tt.want, outcomes(err))
				// Drained in its turn, also after its own failure.
				assert.Equal(t, append(tt.calls, "worker"), j.all())
				assert.Equal(t, tt.serveFails, errors.Is(err, errBoom))
				assert.Equal(t, tt.drainFails, errors.Is(err, errDrain))
				assert.Equal(t, tt.cutFails, errors.Is(err, errCut))
				stop.Close()
			})
		})
	}
	t.Run("ends by itself", func(t *testing.T) {
		stop := breaker.New()
		defer stop.Close()
		assert.NoError(t, breakerrun.Run(stop, breakerrun.Graceful("s", func() error { return nil },
			func(context.Context) error { panic("called") }, func() error { panic("called") })))
	})
}

// site is an http.Server with a handler that can be held.
type site struct {
	*http.Server
	listener net.Listener
	arrived  chan *http.Request
	proceed  chan struct{}
}

func newSite(t *testing.T) *site {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &site{listener: listener, arrived: make(chan *http.Request, 10), proceed: make(chan struct{})}
	s.Server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ping" {
			return
		}
		s.arrived <- r
		select {
		case <-s.proceed:
		case <-r.Context().Done():
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})}
	return s
}

func (s *site) url(path string) string { return "http://" + s.listener.Addr().String() + path }

// get returns where the status of the answer comes from, or 0.
func get(url string) <-chan int {
	status := make(chan int, 1)
	go func() {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Get(url)
		if err != nil {
			status <- 0
			return
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		status <- response.StatusCode
	}()
	return status
}

// Two real servers, one as each kind of part: a request in flight is answered, the worker goes on
// until it is, and the admin server answers until the worker is done.
func TestPart_HTTP(t *testing.T) {
	public, admin := newSite(t), newSite(t)
	stop := breaker.New()
	var ready atomic.Bool
	workerStopped, workerProceed := make(chan struct{}), make(chan struct{})
	ended := run(breakerrun.New(), stop,
		breakerrun.Readiness("ready", ready.Store, 0),
		breakerrun.Server("public", func(stop, cut breaker.Interface) error {
			return breakerhttp.Serve(public.Server, public.listener, stop, breakerhttp.WithCut(cut))
		}),
		breakerrun.Worker("worker", func(stop, _ breaker.Interface) error {
			<-stop.Done()
			close(workerStopped)
			<-workerProceed
			return nil
		}),
		breakerrun.Graceful("admin", func() error { return admin.Serve(admin.listener) }, admin.Shutdown, admin.Close,
			breakerrun.WithStage(breakerrun.Admin)),
	)
	answer := get(public.url("/"))
	receive(t, public.arrived)
	assert.Eventually(t, ready.Load, patience, time.Millisecond)

	stop.Close()
	assert.Eventually(t, func() bool { return !ready.Load() }, patience, time.Millisecond)
	assert.Equal(t, http.StatusOK, receive(t, get(admin.url("/ping"))))
	select {
	case <-workerStopped:
		assert.Fail(t, "a public request is in flight")
	default:
	}
	close(public.proceed)
	assert.Equal(t, http.StatusOK, receive(t, answer))
	receive(t, workerStopped)
	assert.Equal(t, 0, receive(t, get(public.url("/ping"))))
	assert.Equal(t, http.StatusOK, receive(t, get(admin.url("/ping"))))
	close(workerProceed)
	assert.NoError(t, receive(t, ended))
	assert.Equal(t, 0, receive(t, get(admin.url("/ping"))))
}

// What a server says that it cut is in the error, with its name.
func TestPart_HTTPCut(t *testing.T) {
	public, other := newSite(t), newSite(t)
	stop, cut := breaker.New(), breaker.New()
	ended := run(breakerrun.New(breakerrun.WithCut(cut)), stop,
		breakerrun.Server("public", func(stop, cut breaker.Interface) error {
			return breakerhttp.Serve(public.Server, public.listener, stop, breakerhttp.WithCut(cut))
		}),
		breakerrun.Graceful("other", func() error { return other.Serve(other.listener) }, other.Shutdown, other.Close))
	one, two := get(public.url("/")), get(other.url("/"))
	receive(t, public.arrived)
	receive(t, other.arrived)
	stop.Close()
	cut.Trip(errBoom)
	assert.Equal(t, http.StatusServiceUnavailable, receive(t, one)) // told, and answered
	assert.Equal(t, 0, receive(t, two))                             // closed
	err := receive(t, ended)
	assert.ElementsMatch(t, []string{"public cut", "other cut"}, outcomes(err))
	var requests *breakerhttp.CutError
	require.ErrorAs(t, err, &requests)
	assert.Equal(t, 1, requests.Requests)
	assert.ErrorIs(t, err, errBoom)
}

// A server whose listener breaks stops the others, and drains what it has.
func TestPart_HTTPFails(t *testing.T) {
	public := newSite(t)
	stop := breaker.New()
	defer stop.Close()
	var j journal
	ended := run(breakerrun.New(), stop,
		breakerrun.Graceful("public", func() error { return public.Serve(public.listener) }, public.Shutdown, public.Close),
		breakerrun.Worker("worker", j.steady("worker")))
	answer := get(public.url("/"))
	receive(t, public.arrived)
	require.NoError(t, public.listener.Close())
	close(public.proceed)
	assert.Equal(t, http.StatusOK, receive(t, answer))
	err := receive(t, ended)
	assert.Equal(t, []string{"public failed"}, outcomes(err))
	assert.ErrorIs(t, err, net.ErrClosed)
	assert.Equal(t, []string{"worker"}, j.all())
}
