package breakerhttp

import (
	"errors"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/kamilsk/breaker"
)

// defaultGap is longer than a wrapper takes to forward a signal, and shorter than the pause before
// a second Ctrl-C on purpose.
const defaultGap = time.Second

// WithSignals sets the signals that end the grace period, and the delay before it. Serve catches
// them from the beginning of the shutdown until the cut, and leaves them alone before. After the
// cut they have their default effect again, so one more kills the process.
//
// By default they are os.Interrupt, syscall.SIGTERM and the signal that began the shutdown, if one
// did. Without an argument there are none. WithSignals panics if a signal is nil.
func WithSignals(sig ...os.Signal) ServeOption {
	for i, s := range sig {
		if s == nil {
			panic("breakerhttp: WithSignals: signal " + strconv.Itoa(i) + " is nil")
		}
	}
	sig = append([]os.Signal{}, sig...) // not nil, which would be the usual ones
	return func(s *serving) { s.signals = sig }
}

// WithSignalGap sets a time after the beginning of the shutdown during which signals don't count as
// a second one. They are caught, and do nothing. A Ctrl-C often arrives twice: the terminal sends
// it to the whole process group, and npm, make or a shell script in that group forwards it. By
// default the gap is one second. WithSignalGap panics if it is negative.
func WithSignalGap(gap time.Duration) ServeOption {
	if gap < 0 {
		panic("breakerhttp: WithSignalGap: the gap is negative: " + gap.String())
	}
	return func(s *serving) { s.gap = gap }
}

// signalHold holds the signals during a shutdown.
//
// Held too early, the first signal would count as the second. Held after stop has released its
// signal, a second one in between would kill the process. A callback of stop runs between the two.
// Other callbacks may delay it, but they delay the release as well.
type signalHold struct {
	arrivals chan os.Signal
	signals  []os.Signal
	stop     breaker.Interface
	// unregister is the stop function of the callback.
	unregister func() bool

	mu              sync.Mutex
	taken, released bool
}

// holdSignals returns a hold that is taken when stop trips. Nil stands for the usual signals.
func holdSignals(stop breaker.Interface, signals []os.Signal) *signalHold {
	h := &signalHold{arrivals: make(chan os.Signal, 16), signals: signals, stop: stop}
	h.unregister = stop.OnTrip(h.take)
	return h
}

// take takes hold of the signals, once.
func (h *signalHold) take() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken || h.released {
		return
	}
	h.taken = true
	signals := h.signals
	if signals == nil {
		signals = breaker.TerminationSignals()
		var first breaker.SignalError
		if errors.As(h.stop.Cause(), &first) && first.Signal != nil && !slices.Contains(signals, first.Signal) {
			signals = append(signals, first.Signal)
		}
	}
	if len(signals) > 0 { // no signals are all, for package signal
		signal.Notify(h.arrivals, signals...)
	}
}

// release gives the signals their default effect back, for good.
func (h *signalHold) release() {
	h.unregister()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken && !h.released {
		signal.Stop(h.arrivals)
	}
	h.released = true
}
