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

// do and unblock never miss each other: either do finds the breaker tripped, or unblock finds do
// inside.
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
// gRPC has no way to end such a wait but to return from the handler, which is what waits. A context
// of our own under the transport's stream, by grpc.InTapHandle, was tried: RecvMsg then itself
// answers with the code Canceled, before the handler can say anything. And a goroutine for each
// RecvMsg costs more than RecvMsg. So this is what the server does when a handler returns, a little
// earlier: the transport's stream has a method WriteStatus, found by its name and signature. If
// there isn't one any more, or other code has wrapped the transport's stream, the wait ends with
// the connection.
func (s *serverStream) unblock() {
	if s.inside.Load() == 0 || s.ServerStream.Context().Err() != nil {
		return
	}
	transport, ok := grpc.ServerTransportStreamFromContext(s.call.ctx).(interface {
		WriteStatus(*status.Status) error
	})
	if ok {
		// Of a client that is gone nobody wants to know.
		_ = transport.WriteStatus(status.Convert(s.call.status()))
	}
}
