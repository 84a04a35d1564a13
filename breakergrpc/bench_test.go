package breakergrpc_test

import (
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakergrpc"
)

// What the interceptors of both sides add to a call over loopback, and to a message of a stream.
func BenchmarkInterceptors(b *testing.B) {
	process := breaker.New()
	defer process.Close()
	options := []breakergrpc.Option{breakergrpc.WithProcess(process), breakergrpc.WithLimit(time.Hour)}
	for _, bench := range []struct {
		name   string
		server []grpc.ServerOption
		client []grpc.DialOption
	}{
		{name: "without"},
		{"with", breakergrpc.NewCalls(options...).ServerOptions(), causes(options...)},
	} {
		server := grpc.NewServer(bench.server...)
		echo().register(server)
		listener, ended := listen(b), make(chan error, 1)
		go func() { ended <- server.Serve(listener) }()
		conn := dial(b, listener.Addr().String(), bench.client...)
		b.Run("call/"+bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := call(b.Context(), conn, "x"); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("message/"+bench.name, func(b *testing.B) {
			stream, err := chat(b.Context(), conn)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := stream.SendMsg(wrapperspb.String("x")); err != nil {
					b.Fatal(err)
				}
				if err := stream.RecvMsg(new(message)); err != nil {
					b.Fatal(err)
				}
			}
		})
		server.Stop()
		<-ended
	}
}
