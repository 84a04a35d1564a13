package breakernats

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
	"weak"

	"github.com/nats-io/nats.go"
)

// refusalCheck is how often the connection is asked for its last error if its error handler isn't
// ours.
const refusalCheck = 20 * time.Millisecond

// denial is what the server says when it denies something. It isn't an answer to a request: it
// comes as an error of the connection, and names only the subject.
type denial struct {
	error
	subject   string
	subscribe bool
}

var denied = regexp.MustCompile(`(?i)permissions violation for (publish|subscription) to "([^"]+)"`)

// denialOf returns what the error of a connection denies, if it does.
func denialOf(err error) (d denial, ok bool) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return denial{}, false
	}
	m := denied.FindStringSubmatch(err.Error())
	if m == nil {
		return denial{}, false
	}
	return denial{err, m[2], strings.EqualFold(m[1], "subscription")}, true
}

// A concern reports whether a denial concerns a request. Requests of others on the same connection
// are denied as well, so it has to compare the subject, not only the bucket.
type concern func(denial) bool

// publishes concerns the subject, and the inbox for the answers to requests.
func (s *store) publishes(subject string) concern {
	return func(d denial) bool {
		if d.subscribe {
			return strings.HasPrefix(d.subject, s.inbox) && strings.HasSuffix(d.subject, ".*")
		}
		return d.subject == subject
	}
}

// creates concerns what it takes to set a key.
func (s *store) creates(key string) concern {
	subject, answers := "$KV."+s.bucket+"."+key, s.publishes("")
	return func(d denial) bool {
		// An account that imports the bucket publishes behind a prefix, and a key that is set is
		// read.
		own := d.subject == subject || strings.HasSuffix(d.subject, "."+subject)
		return answers(d) || !d.subscribe && own
	}
}

// watches concerns what it takes to watch the pattern.
func (s *store) watches(pattern string) concern {
	create, filter := s.api+"CONSUMER.CREATE.KV_"+s.bucket+".", ".$KV."+s.bucket+"."+pattern
	return func(d denial) bool {
		if d.subscribe {
			return strings.HasPrefix(d.subject, s.inbox)
		}
		return strings.HasPrefix(d.subject, create) && strings.HasSuffix(d.subject, filter)
	}
}

// refusals are the callers that wait for an answer on one connection, and may be denied it.
type refusals struct {
	mu      sync.Mutex
	waiting map[*waiting]struct{}
}

type waiting struct {
	concern
	refuse context.CancelCauseFunc
}

// byConn are the refusals of each connection. They keep none alive.
var byConn = struct {
	sync.Mutex
	m map[weak.Pointer[nats.Conn]]*refusals
}{m: make(map[weak.Pointer[nats.Conn]]*refusals)}

// refusalsOf returns the refusals of the connection. The first call puts itself before its error
// handler. That is the only way to hear of each denial: the last error of a connection, which can
// be asked for, is overwritten by the next.
func refusalsOf(nc *nats.Conn) *refusals {
	byConn.Lock()
	defer byConn.Unlock()
	key := weak.Make(nc)
	if r := byConn.m[key]; r != nil {
		return r
	}
	r := &refusals{waiting: make(map[*waiting]struct{})}
	byConn.m[key] = r
	runtime.AddCleanup(nc, forgetConn, key)
	next := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		r.tell(err)
		if next != nil {
			next(nc, sub, err)
		}
	})
	return r
}

func forgetConn(key weak.Pointer[nats.Conn]) {
	byConn.Lock()
	defer byConn.Unlock()
	delete(byConn.m, key)
}

// tell ends the wait of the callers that the error concerns.
func (r *refusals) tell(err error) {
	d, ok := denialOf(err)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.waiting {
		if w.concern(d) {
			w.refuse(err)
		}
	}
}

// onRefusal calls refuse if the server denies something that concerns the caller. It does so until
// stop is called.
func (s *store) onRefusal(concerns concern, refuse context.CancelCauseFunc) (stop func()) {
	w := &waiting{concerns, refuse}
	s.refusals.mu.Lock()
	s.refusals.waiting[w] = struct{}{}
	s.refusals.mu.Unlock()
	// The user may have set another error handler since.
	before := s.nc.LastError()
	var mu sync.Mutex
	var timer *time.Timer
	check := func() {
		if err := s.nc.LastError(); err != before {
			if d, ok := denialOf(err); ok && concerns(d) {
				refuse(err)
				return
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Reset(refusalCheck)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(refusalCheck, check)
	return func() {
		mu.Lock()
		timer.Stop()
		timer = nil
		mu.Unlock()
		s.refusals.mu.Lock()
		delete(s.refusals.waiting, w)
		s.refusals.mu.Unlock()
	}
}
