package main

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv(asRole)]; ok {
		exitOn(role(os.Stdin, os.Stdout))
		return
	}
	goleak.VerifyTestMain(m)
}

// The leader is killed, and yet all are told: demonstrate checks it.
func TestBreakit_Cluster(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out bytes.Buffer
	require.NoError(t, demonstrate(ctx, &out, "", 3), out.String())
	t.Log("\n" + out.String())
	for _, part := range []string{"has been killed", "worker-3 ", "99th percentile", "latecomer doesn't begin"} {
		assert.Contains(t, out.String(), part)
	}
}

func TestBreakit_YourServer(t *testing.T) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
	})
	require.NoError(t, err)
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	require.True(t, s.ReadyForConnections(patience))

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out bytes.Buffer
	require.NoError(t, demonstrate(ctx, &out, s.ClientURL(), 2), out.String())
	assert.NotContains(t, out.String(), "killed")
	assert.Contains(t, out.String(), "latecomer doesn't begin")
	assert.Zero(t, s.GlobalAccount().JetStreamUsage().Streams, "the bucket is deleted")
}

func TestBreakit_NoServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	assert.Error(t, demonstrate(ctx, &bytes.Buffer{}, "nats://127.0.0.1:1", 2))
}

func TestBreakit_Percentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1)*time.Second)
	}
	assert.Equal(t, 50*time.Second, percentile(hundred, 50))
	assert.Equal(t, 99*time.Second, percentile(hundred, 99))
	assert.Equal(t, 100*time.Second, percentile(hundred, 100))
	assert.Equal(t, time.Second, percentile(hundred[:1], 50))
}
