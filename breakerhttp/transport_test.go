package breakerhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTransport_Tells(t *testing.T) {
	tests := map[string]struct {
		timeout time.Duration // none if zero
		options []breakerhttp.TransportOption
		given   http.Header
		want    http.Header
	}{
		"the time left":           {timeout: 3 * time.Second, want: http.Header{"X-Timeout": {"3s"}}},
		"minus the margin":        {timeout: 3 * time.Second, options: []breakerhttp.TransportOption{breakerhttp.WithMargin(time.Second)}, want: http.Header{"X-Timeout": {"2s"}}},
		"the least":               {timeout: time.Second + 1, options: []breakerhttp.TransportOption{breakerhttp.WithMargin(time.Second)}, want: http.Header{"X-Timeout": {"1ns"}}},
		"in gRPC's header":        {timeout: 3 * time.Second, options: []breakerhttp.TransportOption{breakerhttp.WithHeader(breakerhttp.GRPCTimeout())}, want: http.Header{"Grpc-Timeout": {"3000000u"}}},
		"in Connect's":            {timeout: 3 * time.Second, options: []breakerhttp.TransportOption{breakerhttp.WithHeader(breakerhttp.ConnectTimeout())}, want: http.Header{"Connect-Timeout-Ms": {"3000"}}},
		"in place of what it has": {timeout: 3 * time.Second, given: http.Header{"X-Timeout": {"1h", "2h"}, "A": {"b"}}, want: http.Header{"X-Timeout": {"3s"}, "A": {"b"}}},
		"nothing, if there is no deadline": {
			given: http.Header{"X-Timeout": {"1h"}}, want: http.Header{"X-Timeout": {"1h"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.timeout)
					defer cancel()
				}
				given, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://host/path", strings.NewReader("body"))
				require.NoError(t, err)
				given.Header = tt.given
				before := tt.given.Clone()

				answer := new(http.Response)
				failure := errors.New("some failure")
				base := roundTripper(func(sent *http.Request) (*http.Response, error) {
					assert.Equal(t, tt.want, sent.Header)
					assert.Same(t, given.URL, sent.URL)
					assert.Equal(t, given.Context(), sent.Context())
					assert.Equal(t, given.Body, sent.Body)
					return answer, failure
				})
				got, err := breakerhttp.Transport(base, tt.options...).RoundTrip(given)
				assert.Same(t, answer, got)
				assert.Equal(t, failure, err)
				assert.Equal(t, before, given.Header, "a RoundTripper doesn't change the request")
			})
		})
	}
}

func TestTransport_DoesNotSend(t *testing.T) {
	why := errors.New("not wanted any more")
	tests := map[string]struct {
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		"canceled": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(why)
			return ctx, func() {}
		}, why},
		"over": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 0)
		}, context.DeadlineExceeded},
		"over, by a breaker": {func(context.Context) (context.Context, context.CancelFunc) {
			br := breaker.New()
			br.Trip(breakerhttp.ErrClientTimeout)
			return breaker.ToContext(br), func() {}
		}, breakerhttp.ErrClientTimeout},
		"within the margin": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, breakerhttp.ErrNoTimeLeft},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				base := roundTripper(func(*http.Request) (*http.Response, error) {
					assert.Fail(t, "it was sent")
					return nil, nil
				})
				body := &body{Reader: strings.NewReader("body")}
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://host/path", body)
				require.NoError(t, err)

				client := &http.Client{Transport: breakerhttp.Transport(base, breakerhttp.WithMargin(time.Second))}
				response, err := client.Do(r)
				if !assert.Error(t, err) {
					response.Body.Close()
				}
				assert.ErrorIs(t, err, tt.want)
				assert.True(t, body.closed, "a RoundTripper closes the body")
				var failure *url.Error
				require.ErrorAs(t, err, &failure)
				assert.Equal(t, tt.want, failure.Err)
				assert.Equal(t, !errors.Is(tt.want, why), failure.Timeout())
			})
		})
	}
	t.Run("without a body", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://host/path", nil)
		require.NoError(t, err)
		_, err = breakerhttp.Transport(nil).RoundTrip(r)
		assert.Equal(t, context.Canceled, err)
	})
}

type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error {
	b.closed = true
	return nil
}

// From service to service, less time is left, and no service has more than the one before.
func TestTransport_ToHandler(t *testing.T) {
	lefts := make(chan time.Duration, 2)
	tell := func(r *http.Request) {
		at, ok := r.Context().Deadline()
		assert.True(t, ok)
		lefts <- time.Until(at)
	}
	second := httptest.NewServer(breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { tell(r) })))
	defer second.Close()

	idle := new(http.Transport)
	client := &http.Client{Transport: breakerhttp.Transport(idle, breakerhttp.WithMargin(time.Minute))}
	defer client.CloseIdleConnections()
	first := httptest.NewServer(breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		tell(r)
		out, err := http.NewRequestWithContext(r.Context(), http.MethodGet, second.URL, nil)
		assert.NoError(t, err)
		if response, err := client.Do(out); assert.NoError(t, err) {
			response.Body.Close()
		}
	})))
	defer first.Close()

	timed := *client // the client's own timeout is one more deadline, and travels as well
	timed.Timeout = time.Hour
	response, err := timed.Get(first.URL)
	require.NoError(t, err)
	response.Body.Close()
	one, two := <-lefts, <-lefts
	assert.LessOrEqual(t, one, time.Hour-time.Minute)
	assert.LessOrEqual(t, two, one-time.Minute)
}

func TestTransport_ClosesIdleConnections(t *testing.T) {
	base := &closer{roundTripper: func(*http.Request) (*http.Response, error) { return nil, nil }}
	client := &http.Client{Transport: breakerhttp.Transport(base)}
	client.CloseIdleConnections()
	assert.True(t, base.closed)

	client.Transport = breakerhttp.Transport(base.roundTripper)
	assert.NotPanics(t, client.CloseIdleConnections)
}

type closer struct {
	roundTripper
	closed bool
}

func (c *closer) CloseIdleConnections() { c.closed = true }

func TestTransport_Panics(t *testing.T) {
	ok := breakerhttp.XTimeout()
	tests := map[string]func(){
		"breakerhttp: Transport: option 0 is nil":               func() { breakerhttp.Transport(nil, nil) },
		"breakerhttp: WithMargin: the margin is negative: -1ns": func() { breakerhttp.WithMargin(-1) },
		"breakerhttp: WithHeader: the header has no Name":       func() { breakerhttp.WithHeader(breakerhttp.TimeoutHeader{Format: ok.Format}) },
		"breakerhttp: WithHeader: the header has no Format":     func() { breakerhttp.WithHeader(breakerhttp.TimeoutHeader{Name: "X"}) },
	}
	for text, f := range tests {
		assert.PanicsWithValue(t, text, f)
	}
}
