package breakerhttp

import (
	"net"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/kamilsk/breaker"
)

// traffic counts the running handlers and knows the connections of a server. http.Server reports
// the state of connections only: it forgets hijacked ones, and with HTTP/2 one carries many
// requests. So handlers are counted where they are called.
type traffic struct {
	// running counts the handlers, and has the marks. Every request writes it.
	running atomic.Int64
	// stopping trips when the shutdown begins.
	stopping breaker.Breaker
	// draining trips before the server is told to shut down.
	draining breaker.Breaker
	// idle trips when the last handler has returned, once marked as awaited.
	idle breaker.Breaker
	// connections are those open and not hijacked, and those hijacked by a handler that hasn't
	// returned: *connection by net.Conn.
	connections sync.Map
}

const (
	markCut     = 1 << 62 // no handler is called any more
	markAwaited = 1 << 61 // Serve waits for the last handler
	marks       = markCut | markAwaited
)

type connection struct {
	net.Conn
	traffic *traffic
	// state is the last one that ConnState has reported.
	state atomic.Int32
	// used is set by the first request.
	used atomic.Bool
	// late is set if it was closed because its first request came after the drain had begun.
	late atomic.Bool
}

// connectionKey is the key of a request's *connection among its context's values.
type connectionKey struct{}

// enter counts a handler that is about to be called, and reports whether it may be. The connection
// is nil if the request's context isn't ours any more.
func (t *traffic) enter(c *connection) bool {
	if c != nil {
		if c.late.Load() {
			return false // the request was in a buffer, and can't be answered
		}
		if !c.used.Load() {
			c.used.Store(true)
		}
	}
	if t.running.Add(1)&markCut == 0 {
		return true
	}
	t.decrement()
	return false
}

// leave ends what enter began.
func (t *traffic) leave(c *connection) {
	if c != nil && isKey(c.Conn) && http.ConnState(c.state.Load()) == http.StateHijacked {
		t.connections.Delete(c.Conn) // a hijacked one belongs to its new owner
	}
	t.decrement()
}

func (t *traffic) decrement() {
	if n := t.running.Add(-1); n&markAwaited != 0 && n&^marks == 0 {
		t.idle.Close()
	}
}

// cut lets no handler be called any more, and returns how many are running at this instant.
func (t *traffic) cut() int {
	return int(t.running.Or(markCut) &^ marks)
}

// awaitHijackers waits until no handler is running, or the limit trips. It is called when the
// server has no connection left, so there can be no new ones.
func (t *traffic) awaitHijackers(limit *breaker.Breaker) {
	if t.running.Or(markAwaited)&^marks == 0 {
		return
	}
	select {
	case <-t.idle.Done():
	case <-limit.Done():
	}
}

// add makes a connection known.
func (t *traffic) add(conn net.Conn) *connection {
	c := &connection{Conn: conn, traffic: t}
	if isKey(conn) {
		t.connections.Store(conn, c)
	}
	return c
}

// move follows a connection to its new state.
func (t *traffic) move(conn net.Conn, state http.ConnState) {
	if !isKey(conn) {
		return
	}
	found, ok := t.connections.Load(conn)
	if !ok {
		return
	}
	c := found.(*connection)
	c.state.Store(int32(state))
	switch {
	case state == http.StateClosed:
		t.connections.Delete(conn)
	case state == http.StateIdle && t.draining.Err() != nil && !c.used.Load():
		// With HTTP/2 a connection is idle before its first request. If it becomes idle only now,
		// it may have missed the shutdown. It would accept requests all through the drain, or keep
		// the server waiting for one (golang/go#81153).
		c.late.Store(true)
		_ = c.Close() // an error would say that it is closed already
	}
}

// isKey reports whether a connection can be found again. A listener of the user's may return
// structs that can't be compared. Those aren't counted in CutError.Connections, and aren't closed
// if they are hijacked.
func isKey(conn net.Conn) bool { return reflect.ValueOf(conn).Comparable() }

// closeHijacked closes the hijacked connections, which the server doesn't. It returns how many
// connections are busy, hijacked or not.
func (t *traffic) closeHijacked() (busy int) {
	t.connections.Range(func(_, found any) bool {
		c := found.(*connection)
		switch http.ConnState(c.state.Load()) {
		case http.StateActive:
			busy++
		case http.StateHijacked:
			busy++
			_ = c.Close() // an error would say that it is closed already
		}
		return true
	})
	return busy
}

// closeUnused closes the connections that haven't sent a request yet. http.Server does so, too, but
// not after a TLS handshake for HTTP/2, when it takes them for active.
func (t *traffic) closeUnused() {
	t.connections.Range(func(_, found any) bool {
		if c := found.(*connection); !c.used.Load() {
			_ = c.Close() // an error would say that it is closed already
		}
		return true
	})
}
