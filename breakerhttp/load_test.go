package breakerhttp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// TestLoad_ServeUnderLoad stops a server again and again while many connections send request after
// request. Every request that a handler has begun is answered completely, none is cut, and no
// goroutine and no file is left. Every other time the server has a delay before the drain, as
// behind a load balancer. Then no request is sent in vain, either: each client was told before.
//
// It runs in a short form: 200 connections, 3 stops. With BREAKER_LOAD=whole there are 2,000
// connections and 100 stops.
func TestLoad_ServeUnderLoad(t *testing.T) {
	connections, stops := 200, 3
	if os.Getenv("BREAKER_LOAD") == "whole" {
		connections, stops = 2000, 100
	}
	// Package signal keeps a goroutine from its first use on.
	breaker.BreakBySignal(os.Interrupt).Close()
	begin := resources(t)
	var total, late int64
	var slowest time.Duration
	for n := range stops {
		l := &loaded{t: t, connections: connections, delay: n%2 == 1}
		took := l.run()
		slowest = max(slowest, took)
		total += l.answered.Load()
		late += l.unanswered.Load()
		require.Equal(t, l.begun.Load(), l.answered.Load(), "a request that was begun wasn't answered")
		if l.delay {
			require.Zero(t, l.unanswered.Load(), "a request was sent in vain")
		}
		require.GreaterOrEqual(t, l.answered.Load(), int64(connections), "the load was no load")
	}
	for begun := time.Now(); ; runtime.Gosched() {
		if end := resources(t); end[0] <= begin[0] && end[1] <= begin[1] {
			break
		} else if time.Since(begun) > patience {
			require.Equal(t, begin, end, "goroutines and files")
		}
	}
	t.Logf("%d connections, %d stops: %d requests begun, as many answered; without a delay, %d came too late and weren't begun, with it none; the longest shutdown took %v",
		connections, stops, total, late, slowest.Round(time.Millisecond))
}

// resources returns how many goroutines and open files there are.
func resources(t *testing.T) [2]int {
	files, err := os.ReadDir("/proc/self/fd")
	if errors.Is(err, os.ErrNotExist) {
		return [2]int{runtime.NumGoroutine()} // not on Linux
	}
	require.NoError(t, err)
	return [2]int{runtime.NumGoroutine(), len(files)}
}

// loaded is a server under load.
type loaded struct {
	t           *testing.T
	connections int
	delay       bool
	// begun counts the calls of the handler, answered the complete answers, unanswered the requests
	// that got none at all.
	begun, answered, unanswered atomic.Int64
}

// run serves under load, stops in the middle of it, and returns how long the shutdown took.
func (l *loaded) run() time.Duration {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(l.t, err)
	server := &http.Server{Handler: breakerhttp.Handler(http.HandlerFunc(l.handle), breakerhttp.WithLimit(forever))}
	stop, served := breaker.New(), make(chan error, 1)
	cut := breaker.New()
	options := []breakerhttp.ServeOption{breakerhttp.WithGrace(forever), breakerhttp.WithCut(cut)}
	if l.delay {
		options = append(options, breakerhttp.WithDrainDelay(forever))
	}
	go func() { served <- breakerhttp.Serve(server, listener, stop, options...) }()

	var clients sync.WaitGroup
	for i := range l.connections {
		clients.Go(func() { l.client(listener.Addr().String(), i) })
	}
	begun := time.Now()
	// Until all are connected, more or less.
	for ; l.answered.Load() < int64(2*l.connections); runtime.Gosched() {
		if time.Since(begun) > patience {
			require.FailNow(l.t, "the load never came")
		}
	}
	begun = time.Now()
	stop.Close()
	if l.delay {
		clients.Wait() // each goes away once it is told
		cut.Close()    // ends the delay; there is nothing to cut
	}
	assert.NoError(l.t, receive(l.t, served), "nothing was cut")
	took := time.Since(begun)
	clients.Wait()
	return took
}

func (l *loaded) handle(w http.ResponseWriter, r *http.Request) {
	l.begun.Add(1)
	if r.URL.Path == "/slow" {
		<-breaker.BreakByTimeout(20 * time.Millisecond).Done() // in flight when the server stops
	}
	assert.NoError(l.t, r.Context().Err(), "none is cut that has time")
	_, _ = w.Write(payload) // what matters is what the client gets
}

var payload = make([]byte, 10_000)

// client sends one request after another on a connection of its own, until that is closed. Every
// tenth is slow.
func (l *loaded) client(address string, number int) {
	path := "/"
	if number%10 == 0 {
		path = "/slow"
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return // the server has stopped already
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		// If it fails, so does the read.
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: host\r\n\r\n", path)
		if _, err := reader.Peek(1); err != nil {
			l.unanswered.Add(1)
			return
		}
		response, err := http.ReadResponse(reader, nil)
		if !assert.NoError(l.t, err) {
			return
		}
		n, err := io.Copy(io.Discard, response.Body)
		if !assert.NoError(l.t, err) || !assert.Equal(l.t, int64(len(payload)), n) {
			return
		}
		l.answered.Add(1)
		if response.Close {
			return
		}
	}
}
