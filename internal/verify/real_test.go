package verify

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/kamilsk/breaker"
)

// Code that was written for contexts and knows nothing of breakers. Each waits for something that
// never comes, is interrupted by a trip, and finds the cause by context.Cause (promise 4 and
// promise 13); each leaves no goroutine (promise 10 and promise 11). Where the one under test waits
// on channels only, the bubble tells when it waits; elsewhere the other side of the wait does.

var errReason = errors.New("the reason")

// isReason checks that a context ended by the trip.
func isReason(t *testing.T, ctx context.Context) {
	t.Helper()
	assert.Equal(t, context.Canceled, ctx.Err())
	assert.Equal(t, errReason, context.Cause(ctx))
}

func TestReal_HTTPClient(t *testing.T) {
	defer goleak.VerifyNone(t)
	arrived, left := make(chan struct{}), make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done() // the client hung up
		left <- r.Context().Err()
	}))
	defer server.Close()
	defer server.Client().CloseIdleConnections()

	br := breaker.New()
	defer br.Close()
	request, err := http.NewRequestWithContext(breaker.ToContext(br), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	go func() {
		<-arrived
		br.Trip(errReason)
	}()
	_, err = server.Client().Do(request) //nolint:bodyclose // there is no response
	require.ErrorIs(t, err, errReason)
	isReason(t, request.Context())
	require.Equal(t, context.Canceled, <-left)
}

// A timeout's cause has to do as the error of a timeout, for callers who look for that.
func TestReal_HTTPClientTimeout(t *testing.T) {
	defer goleak.VerifyNone(t)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	defer server.Client().CloseIdleConnections()

	br := breaker.BreakByTimeout(10 * time.Millisecond)
	defer br.Close()
	request, err := http.NewRequestWithContext(breaker.ToContext(br), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	_, err = server.Client().Do(request) //nolint:bodyclose // there is no response
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.True(t, os.IsTimeout(err), "%v", err)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
}

// A server derives the context of each request from its BaseContext, by values and WithCancel.
func TestReal_HTTPServer(t *testing.T) {
	defer goleak.VerifyNone(t)
	process := breaker.New()
	defer process.Close()
	arrived, causes := make(chan struct{}), make(chan error, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		br := breaker.Multiplex(breaker.BreakByContext(r.Context(), nil), breaker.NopCloser(process), breaker.BreakByTimeout(time.Hour))
		defer br.Close()
		arrived <- struct{}{}
		<-br.Done()
		<-r.Context().Done()
		assert.Equal(t, br.Cause(), context.Cause(r.Context()))
		causes <- context.Cause(r.Context())
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	server.Config.BaseContext = func(net.Listener) context.Context { return breaker.ToContext(process) }
	server.Start()
	defer server.Close()
	defer server.Client().CloseIdleConnections()

	go func() {
		<-arrived
		process.Trip(errReason)
	}()
	response, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, "the answer still gets out")
	require.Equal(t, errReason, <-causes)
}

// child is what this binary does when it is started by TestReal_Command: it waits for ever.
func child() {
	_, _ = io.WriteString(os.Stdout, "ready\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

const childVariable = "BREAKER_VERIFY_CHILD"

func TestReal_Command(t *testing.T) {
	defer goleak.VerifyNone(t)
	br := breaker.New()
	defer br.Close()
	ctx := breaker.ToContext(br)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	stdin, err := cmd.StdinPipe() // never written to
	require.NoError(t, err)
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)

	br.Trip(errReason)
	err = cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.False(t, exit.Success())
	require.False(t, exit.Exited(), "it was killed, it didn't exit: %v", exit)
	isReason(t, ctx)
}

func TestReal_Errgroup(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		br := breaker.New()
		group, ctx := errgroup.WithContext(breaker.ToContext(br))
		for range 3 {
			group.Go(func() error {
				<-ctx.Done()
				return context.Cause(ctx)
			})
		}
		synctest.Wait()
		require.NoError(t, ctx.Err())
		br.Trip(errReason)
		require.Equal(t, errReason, group.Wait())
		isReason(t, ctx)
	})
	// The other way round: a group that fails leaves the breaker alone.
	synctest.Test(t, func(t *testing.T) {
		br := breaker.New()
		group, ctx := errgroup.WithContext(breaker.ToContext(br))
		group.Go(func() error { return errReason })
		require.Equal(t, errReason, group.Wait())
		isReason(t, ctx)
		require.NoError(t, br.Err())
	})
}

func TestReal_Semaphore(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		br := breaker.New()
		ctx := breaker.ToContext(br)
		sem := semaphore.NewWeighted(2)
		require.NoError(t, sem.Acquire(ctx, 2))
		result := make(chan error, 1)
		go func() { result <- sem.Acquire(ctx, 1) }()
		synctest.Wait()
		require.Empty(t, result, "it waits")
		br.Trip(errReason)
		require.ErrorIs(t, <-result, context.Canceled)
		isReason(t, ctx)
		sem.Release(2)
		require.True(t, sem.TryAcquire(2), "the interrupted one has taken nothing")
	})
}

func TestReal_RateLimiter(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		br := breaker.New()
		ctx := breaker.ToContext(br)
		limiter := rate.NewLimiter(rate.Every(time.Hour), 1)
		require.NoError(t, limiter.Wait(ctx))
		result := make(chan error, 1)
		go func() { result <- limiter.Wait(ctx) }()
		synctest.Wait()
		require.Empty(t, result, "it waits")
		br.Trip(errReason)
		require.ErrorIs(t, <-result, context.Canceled)
		isReason(t, ctx)
	})
	// It asks for the deadline, and doesn't even begin to wait (promise 14)
	synctest.Test(t, func(t *testing.T) {
		br := breaker.Multiplex(breaker.New(), breaker.BreakByTimeout(time.Minute))
		defer br.Close()
		limiter := rate.NewLimiter(rate.Every(time.Hour), 1)
		require.NoError(t, limiter.Wait(breaker.ToContext(br)))
		began := time.Now()
		require.ErrorContains(t, limiter.Wait(breaker.ToContext(br)), "would exceed context deadline")
		require.Equal(t, began, time.Now())
		require.NoError(t, br.Err())
	})
}

// fakeDriver answers no query before its context is done, and reports that context.
type fakeDriver struct{ queries chan context.Context }

func (d fakeDriver) Connect(context.Context) (driver.Conn, error) { return fakeConn(d), nil }
func (d fakeDriver) Driver() driver.Driver                        { return d }
func (fakeDriver) Open(string) (driver.Conn, error)               { return nil, errors.ErrUnsupported }

type fakeConn fakeDriver

func (fakeConn) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }
func (fakeConn) Close() error                        { return nil }
func (fakeConn) Begin() (driver.Tx, error)           { return nil, errors.ErrUnsupported }

func (c fakeConn) QueryContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Rows, error) {
	c.queries <- ctx
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestReal_Database(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		d := fakeDriver{make(chan context.Context, 1)}
		db := sql.OpenDB(d)
		defer db.Close()
		db.SetMaxOpenConns(1)

		// One is inside the driver, one waits for the connection.
		inside, waiting := breaker.New(), breaker.New()
		query := func(br *breaker.Breaker) chan error {
			result := make(chan error, 1)
			go func() {
				rows, err := db.QueryContext(breaker.ToContext(br), "SELECT")
				if err == nil {
					err = errors.Join(rows.Err(), rows.Close())
				}
				result <- err
			}()
			synctest.Wait()
			require.Empty(t, result, "it waits")
			return result
		}
		first := query(inside)
		ctx := <-d.queries
		second := query(waiting)

		waiting.Trip(errReason)
		require.ErrorIs(t, <-second, context.Canceled)
		isReason(t, breaker.ToContext(waiting))
		require.NoError(t, ctx.Err(), "the other one goes on")

		inside.Trip(errReason)
		require.Equal(t, errReason, <-first)
		isReason(t, ctx)
	})
}

func TestReal_Dialer(t *testing.T) {
	defer goleak.VerifyNone(t)
	br := breaker.New()
	defer br.Close()
	lookups := make(chan context.Context, 16) // a lookup may be tried again, even more often
	dialer := net.Dialer{Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case lookups <- ctx:
			case <-ctx.Done():
			}
			<-ctx.Done()
			return nil, context.Cause(ctx)
		},
	}}
	var lookup context.Context
	go func() {
		lookup = <-lookups
		br.Trip(errReason)
	}()
	// The dot at the end keeps the name from being looked up in the machine's search domains, too.
	_, err := dialer.DialContext(breaker.ToContext(br), "tcp", "breaker.test.:80")
	require.Error(t, err)
	<-br.Done()
	isReason(t, breaker.ToContext(br))
	// Lookups are shared, so package net gives them a context of its own, ended in turn; and its
	// error says nothing of the cause.
	<-lookup.Done()
	require.ErrorContains(t, err, "operation was canceled")
}
