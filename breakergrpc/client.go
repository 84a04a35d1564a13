package breakergrpc

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/kamilsk/breaker"
)

// UnaryClientInterceptor returns an interceptor for a client. Calls end at the earliest of: the end
// of their context, the limit, the trip of a breaker in WithProcess. The server learns the earliest
// deadline, as usual with gRPC.
//
// If the reason for an error is known, the error is a *CallError with the same status. The reason
// is known if the client has ended the call, or if the server has interceptors of this package.
// Without options the interceptor adds only that.
//
// It panics if an option is nil.
func UnaryClientInterceptor(options ...Option) grpc.UnaryClientInterceptor {
	s := newSettings("UnaryClientInterceptor", options)
	return func(
		ctx context.Context, method string, request, response any, conn *grpc.ClientConn, invoker grpc.UnaryInvoker,
		options ...grpc.CallOption,
	) error {
		cl := s.call(ctx)
		defer cl.end()
		return cl.result(invoker(cl.ctx, method, request, response, conn, options...))
	}
}

// StreamClientInterceptor is UnaryClientInterceptor for streams. It releases what it holds for a
// stream when the stream or its context ends. So read a stream until it returns an error, or end
// its context, as you must without it. It panics if an option is nil.
func StreamClientInterceptor(options ...Option) grpc.StreamClientInterceptor {
	s := newSettings("StreamClientInterceptor", options)
	return func(
		ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, streamer grpc.Streamer,
		options ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		cl := s.call(ctx)
		stream, err := streamer(cl.ctx, desc, conn, method, options...)
		if err != nil {
			defer cl.end()
			return nil, cl.result(err)
		}
		return &clientStream{ClientStream: stream, call: cl, many: desc.ServerStreams}, nil
	}
}

// clientCall is one call of a client.
type clientCall struct {
	ctx context.Context
	// br is nil if only the context can end the call.
	br *breaker.Breaker
	// timeout is the cause if the deadline of the call expires.
	timeout error
}

func (s *settings) call(ctx context.Context) *clientCall {
	cl := &clientCall{ctx: ctx, timeout: context.DeadlineExceeded}
	if s.limit == 0 && len(s.processes) == 0 {
		return cl
	}
	if at, ok := ctx.Deadline(); s.limit > 0 && (!ok || time.Until(at) > s.limit) {
		cl.timeout = ErrClientTimeout
	}
	//lostclose:ignore by end
	cl.br = breaker.Multiplex(s.sources(ErrClientTimeout, breaker.BreakByContext(ctx, nil))...)
	cl.ctx = breaker.ToContext(cl.br)
	return cl
}

func (cl *clientCall) end() {
	if cl.br != nil {
		cl.br.Close()
	}
}

// result adds the cause to an error of gRPC's, if it is known.
func (cl *clientCall) result(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	var known *CallError
	if errors.As(err, &known) {
		return err // an interceptor within this one has said it
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	var cause error
	remote := remoteOf(st)
	switch {
	case remote != nil:
		cause = remote
	case st.Code() == codes.Canceled && cl.ctx.Err() != nil:
		cause = context.Cause(cl.ctx)
	case st.Code() != codes.DeadlineExceeded:
		return err
	case cl.ctx.Err() != nil:
		cause = context.Cause(cl.ctx)
	default:
		// The timer of gRPC, here or on the server, fired before that of the context.
		if _, ok := cl.ctx.Deadline(); !ok {
			return err
		}
		cause = cl.timeout
	}
	return &CallError{Cause: cause, status: st}
}

type clientStream struct {
	grpc.ClientStream
	call *clientCall
	// many says that the server may send more than one message.
	many bool
}

func (s *clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil || !s.many {
		defer s.call.end()
	}
	return s.call.result(err)
}

// SendMsg returns io.EOF when the stream has ended: RecvMsg says why.
func (s *clientStream) SendMsg(m any) error {
	err := s.ClientStream.SendMsg(m)
	if err != nil && err != io.EOF {
		defer s.call.end()
	}
	return s.call.result(err)
}

func (s *clientStream) Header() (metadata.MD, error) {
	md, err := s.ClientStream.Header()
	return md, s.call.result(err)
}

func (s *clientStream) CloseSend() error { return s.call.result(s.ClientStream.CloseSend()) }
