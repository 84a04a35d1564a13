package breakerrun

import (
	"errors"
	"os"
	"os/signal"
	"slices"
	"sync"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/bubble"
)

// insistence trips when a second signal arrives.
//
// It listens by os/signal, not by a breaker for each arrival: while one such breaker is replaced by
// the next, the signal may have its default effect. Here signals are caught from the first call of
// ask until the cut or the end of Run.
type insistence struct {
	*breaker.Breaker
	signals func(cause error) []os.Signal
	gap     time.Duration

	mu       sync.Mutex
	arrivals chan os.Signal // nil until the first call of ask
	heard    []os.Signal    // the signals sent to arrivals
	ended    bool
	gone     chan struct{} // closed when listen has returned
	// first is when the first signal came: the trip of stop, or a signal after a part had failed.
	first time.Time
}

// ask begins to listen, or listens to more signals. The cause is that of stop, or nil if a part has
// failed.
func (i *insistence) ask(cause error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return
	}
	var by breaker.SignalError
	if cause != nil && i.first.IsZero() && (!errors.As(cause, &by) || !slices.Contains(i.heard, by.Signal)) {
		i.first = time.Now() // otherwise listen sees that very arrival, which must not count twice
	}
	sig := i.signals(cause)
	// No signals would mean all of them to signal.Notify. And in a bubble, what os/signal sends
	// from outside is fatal.
	if len(sig) == 0 || bubble.Inside() {
		return
	}
	i.heard = sig
	if i.arrivals == nil {
		i.arrivals = make(chan os.Signal, 1)
		i.gone = make(chan struct{})
		signal.Notify(i.arrivals, sig...)
		go i.listen()
		return
	}
	signal.Notify(i.arrivals, sig...)
}

func (i *insistence) listen() {
	defer close(i.gone)
	defer signal.Stop(i.arrivals)
	for {
		select {
		case s := <-i.arrivals:
			if i.counts() {
				i.end()
				i.Trip(breaker.SignalError{Signal: s})
				return
			}
		case <-i.Done():
			return
		}
	}
}

// counts reports whether a signal that has just arrived is a second one.
func (i *insistence) counts() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.first.IsZero() {
		i.first = time.Now()
		return false
	}
	return time.Since(i.first) >= i.gap
}

// end makes later calls of ask do nothing.
func (i *insistence) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended = true
}

// close gives the signals their default effect again.
func (i *insistence) close() {
	i.end()
	i.Close()
	if i.gone != nil {
		<-i.gone
	}
}

// usual returns the signals that end a grace period by default.
func usual(cause error) []os.Signal {
	sig := breaker.TerminationSignals()
	var first breaker.SignalError
	if errors.As(cause, &first) && first.Signal != nil && !slices.Contains(sig, first.Signal) {
		sig = append(sig, first.Signal)
	}
	return sig
}
