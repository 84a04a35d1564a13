package breakergrpc

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// serverStream is a stream whose waits end with the call's breaker.
type serverStream struct {
	grpc.ServerStream
	call *call
	// inside is how many of RecvMsg and SendMsg are running: at most one of each.
	inside atomic.Int32
}

func (s *serverStream) Context() context.Context { return s.call.ctx }

func (s *serverStream) RecvMsg(m any) error { return s.do(s.ServerStream.RecvMsg, m) }

func (s *serverStream) SendMsg(m any) error { return s.do(s.ServerStream.SendMsg, m) }

// do calls f, and returns the cause once the breaker has tripped. It and unblock never miss each
// other: either do finds the breaker tripped, or unblock finds do inside.
func (s *serverStream) do(f func(any) error, m any) error {
	s.inside.Add(1)
	defer s.inside.Add(-1)
	if s.call.br.Err() != nil {
		return s.call.status()
	}
	err := f(m)
	if err != nil && s.call.br.Err() != nil {
		return s.call.status()
	}
	return err
}

// unblock ends the stream with the cause if RecvMsg or SendMsg may be waiting. It is called when
// the breaker has tripped.
//
// In gRPC such a wait ends when the handler returns, but it is the handler that waits. So unblock
// does early what the server does after a handler: it calls WriteStatus of the transport's stream,
// found by its name and signature. If the method is gone, or other code has wrapped the stream, the
// wait ends with the connection. docs/design.md says what else was tried.
func (s *serverStream) unblock() {
	if s.inside.Load() == 0 || s.ServerStream.Context().Err() != nil {
		return
	}
	transport, ok := grpc.ServerTransportStreamFromContext(s.call.ctx).(interface {
		WriteStatus(*status.Status) error
	})
	if ok {
		// An error says that the client is gone.
		_ = transport.WriteStatus(status.Convert(s.call.status()))
	}
}
