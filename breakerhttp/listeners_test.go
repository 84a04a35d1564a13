package breakerhttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// bound has the server tell the addresses that it listens on.
func bound(server *http.Server, count int) <-chan string {
	addresses := make(chan string, count)
	server.BaseContext = func(l net.Listener) context.Context {
		addresses <- l.Addr().String()
		return context.Background()
	}
	return addresses
}

func hello(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }

func TestListeners_ListenAndServe(t *testing.T) {
	server := &http.Server{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(hello)}
	addresses := bound(server, 1)
	stop, served := breaker.New(), make(chan error, 1)
	go func() { served <- breakerhttp.ListenAndServe(server, stop) }()
	rig := &rig{t: t, client: &http.Client{Transport: &http.Transport{}}, url: "http://" + receive(t, addresses)}
	_, text := rig.fetch("/")
	assert.Equal(t, "HTTP/1.1", text)
	rig.client.CloseIdleConnections()
	stop.Close()
	assert.NoError(t, receive(t, served))
}

func TestListeners_ListenAndServeTLS(t *testing.T) {
	certificate, pool := identity()
	server := &http.Server{
		Addr: "127.0.0.1:0", Handler: http.HandlerFunc(hello),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
	}
	addresses := bound(server, 1)
	stop, served := breaker.New(), make(chan error, 1)
	go func() { served <- breakerhttp.ListenAndServeTLS(server, "", "", stop) }()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	rig := &rig{t: t, client: client, url: "https://" + receive(t, addresses)}
	_, text := rig.fetch("/")
	assert.Equal(t, "HTTP/2.0", text)
	client.CloseIdleConnections()
	stop.Close()
	assert.NoError(t, receive(t, served))
}

// What can't be listened on, and what can't be read, is said, and nothing is left open.
func TestListeners_ListenAndServeFails(t *testing.T) {
	for name, serve := range map[string]func(address string, other net.Listener) error{
		"the address": func(_ string, other net.Listener) error {
			return breakerhttp.ListenAndServe(&http.Server{Addr: "127.0.0.1:none"}, breaker.New(), breakerhttp.WithListeners(other))
		},
		"the address, in use": func(address string, other net.Listener) error {
			return breakerhttp.ListenAndServeTLS(&http.Server{Addr: address}, "", "", breaker.New(), breakerhttp.WithListeners(other))
		},
		"the certificate": func(_ string, other net.Listener) error {
			return breakerhttp.ListenAndServeTLS(&http.Server{Addr: "127.0.0.1:0"}, "none", "none", breaker.New(), breakerhttp.WithListeners(other))
		},
	} {
		t.Run(name, func(t *testing.T) {
			used, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer used.Close()
			other := newPipes()
			assert.Error(t, serve(used.Addr().String(), other))
			_, err = other.Accept()
			assert.ErrorIs(t, err, net.ErrClosed)
		})
	}
}

// Several listeners are one server: they drain together, and the first that fails ends the others.
func TestListeners_WithListeners(t *testing.T) {
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprintf("one fails: %t", fails), func(t *testing.T) {
			const many = 3
			arrived, proceed := make(chan struct{}, many), make(chan struct{})
			rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				<-proceed
				assert.NoError(t, r.Context().Err())
				fmt.Fprint(w, "hello")
			})
			var others []net.Listener
			urls := []string{rig.url}
			for range many - 1 {
				listener, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				others = append(others, listener)
				urls = append(urls, "http://"+listener.Addr().String())
			}
			pipes := newPipes()
			rig.serve(breakerhttp.WithListeners(others...), breakerhttp.WithListeners(pipes))
			var answers []<-chan answer
			for _, rig.url = range urls {
				answers = append(answers, rig.send(nil))
				receive(t, arrived)
			}
			failure := errors.New("out of sockets")
			if fails {
				pipes.fail(failure)
				receive(t, rig.draining)
			} else {
				rig.shutDown()
			}
			close(proceed)
			for _, from := range answers {
				assert.Equal(t, answer{http.StatusOK, "hello", nil}, receive(t, from))
			}
			err := receive(t, rig.served)
			if fails {
				assert.Equal(t, failure, err)
			} else {
				assert.NoError(t, err)
			}
			for _, listener := range others {
				_, err := listener.Accept()
				assert.ErrorIs(t, err, net.ErrClosed)
			}
		})
	}
}

func TestListeners_Panics(t *testing.T) {
	none := (*breaker.Breaker)(nil)
	for text, f := range map[string]func(){
		"breakerhttp: WithListeners: listener 1 is nil":           func() { breakerhttp.WithListeners(newPipes(), nil) },
		"breakerhttp: ListenAndServe: the server is nil":          func() { _ = breakerhttp.ListenAndServe(nil, breaker.New()) },
		"breakerhttp: ListenAndServe: the breaker stop is nil":    func() { _ = breakerhttp.ListenAndServe(new(http.Server), none) },
		"breakerhttp: ListenAndServe: option 0 is nil":            func() { _ = breakerhttp.ListenAndServe(new(http.Server), breaker.New(), nil) },
		"breakerhttp: ListenAndServeTLS: the server is nil":       func() { _ = breakerhttp.ListenAndServeTLS(nil, "", "", breaker.New()) },
		"breakerhttp: ListenAndServeTLS: the breaker stop is nil": func() { _ = breakerhttp.ListenAndServeTLS(new(http.Server), "", "", none) },
	} {
		assert.PanicsWithValue(t, text, f)
	}
}
