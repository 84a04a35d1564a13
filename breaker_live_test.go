package breaker_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/live"
)

// lister is told of breakers, as package breakerprof is.
type lister struct {
	made   func(br *breaker.Breaker) bool
	closed map[*breaker.Breaker]int
}

func (l *lister) Made(br any) bool { return l.made(br.(*breaker.Breaker)) }
func (l *lister) Closed(br any)    { l.closed[br.(*breaker.Breaker)]++ }

// There is one for the whole process, also if tests run more than once.
var (
	listening lister
	listen    = sync.OnceFunc(func() { live.SetRecorder(&listening) })
)

// promise 10: who wants to know of a breaker hears of its close once, whenever it comes.
func TestLive_HearsOfEachClose(t *testing.T) {
	listen()
	l := &listening
	l.closed = make(map[*breaker.Breaker]int)
	assert.Panics(t, func() { live.SetRecorder(l) }, "another one wouldn't hear of the closes of those he knows")
	process := breaker.New()
	live.Switch(true)
	defer live.Switch(false)

	for name, construct := range map[string]func() *breaker.Breaker{
		"New":            breaker.New,
		"BreakByTimeout": func() *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) },
		"Multiplex":      func() *breaker.Breaker { return breaker.Multiplex(breaker.NopCloser(process)) },
	} {
		l.made = func(*breaker.Breaker) bool { return true }
		br := construct()
		assert.Zero(t, l.closed[br], name)
		br.Close()
		br.Close()
		assert.Equal(t, 1, l.closed[br], name)

		l.made = func(*breaker.Breaker) bool { return false }
		br = construct()
		br.Close()
		assert.Zero(t, l.closed[br], "%s: he didn't want to know", name)

		// Something trips it while it is being listed.
		l.made = func(br *breaker.Breaker) bool { return br.Trip(errA) }
		br = construct()
		assertClosed(t, br, errA)
		assert.Equal(t, 1, l.closed[br], name)
	}
}
