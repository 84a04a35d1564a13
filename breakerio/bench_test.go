package breakerio_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

// What the wrapper adds to a round trip of one byte over a real connection.
func BenchmarkConn_RoundTrip(b *testing.B) {
	for _, wrapped := range []bool{false, true} {
		name := "impl=net"
		if wrapped {
			name = "impl=breaker"
		}
		b.Run(name, func(b *testing.B) {
			near, far := dial(b, "tcp")
			go func() { _, _ = io.Copy(far, far) }()
			if wrapped {
				br := breaker.New()
				defer br.Close()
				near = breakerio.Conn(br, near)
			}
			p := make([]byte, 1)
			b.ReportAllocs()
			for b.Loop() {
				_, err := near.Write(p)
				require.NoError(b, err)
				_, err = near.Read(p)
				require.NoError(b, err)
			}
		})
	}
}

// nothing is a connection on which everything costs nothing, so that what is left is the wrapper.
type nothing struct{ net.Conn }

func (nothing) Read(p []byte) (int, error)  { return len(p), nil }
func (nothing) SetDeadline(time.Time) error { return nil }

func BenchmarkConn_Read(b *testing.B) {
	br := breaker.New()
	defer br.Close()
	conn := breakerio.Conn(br, nothing{})
	p := make([]byte, 1)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = conn.Read(p)
	}
}

// To bind a connection for a request and take the breaker off again, beside what one would write
// with package context.
func BenchmarkConn_Bind(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		br := breaker.New()
		defer br.Close()
		b.ReportAllocs()
		for b.Loop() {
			_, _ = breakerio.Release(breakerio.Conn(br, nothing{}))
		}
	})
	b.Run("impl=context", func(b *testing.B) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		inner := nothing{}
		b.ReportAllocs()
		for b.Loop() {
			context.AfterFunc(ctx, func() { _ = inner.SetDeadline(time.Unix(1, 0)) })()
		}
	})
	b.Run("impl=goroutine", func(b *testing.B) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		inner := nothing{}
		b.ReportAllocs()
		for b.Loop() {
			done := make(chan struct{})
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				select {
				case <-ctx.Done():
					_ = inner.SetDeadline(time.Unix(1, 0))
				case <-done:
				}
			}()
			close(done)
			<-ended
		}
	})
}
