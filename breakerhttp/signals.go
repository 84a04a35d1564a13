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

// defaultGap is longer than it takes a wrapper to forward a signal, and shorter than a person takes
// to lose patience.
const defaultGap = time.Second

// WithSignals sets the signals that end the grace period, and the delay before it. They are caught
// from the beginning of the shutdown until the cut. What arrives before that is none of Serve's
// business. After it they have their default effect again, so that one more kills the process.
//
// By default they are os.Interrupt, syscall.SIGTERM and the one that began the shutdown, whatever
// began it. Without an argument they are none. WithSignals panics if a signal is nil.
func WithSignals(sig ...os.Signal) ServeOption {
	for i, s := range sig {
		if s == nil {
			panic("breakerhttp: WithSignals: signal " + strconv.Itoa(i) + " is nil")
		}
	}
	sig = append([]os.Signal{}, sig...) // not nil, which would be the usual ones
	return func(s *serving) { s.signals = sig }
}

// WithSignalGap sets how long after the beginning of the shutdown signals don't count as a second
// one. They are caught, and do nothing. A Ctrl-C often arrives twice, because the terminal sends it
// to the whole process group, and npm, make or a shell script in that group forwards it. By default
// the gap is one second. WithSignalGap panics if it is negative.
func WithSignalGap(gap time.Duration) ServeOption {
	if gap < 0 {
		panic("breakerhttp: WithSignalGap: the gap is negative: " + gap.String())
	}
	return func(s *serving) { s.gap = gap }
}

// signalHold holds the signals during a shutdown.
//
// They have to be held after the first one has arrived, or that would count as the second, and
// before the breaker stop lets go of it, or a second one in between would kill the process. A
// callback of that breaker runs in this window. Callbacks of others may delay it, and then they
// delay the release as well.
type signalHold struct {
	arrivals chan os.Signal
	signals  []os.Signal
	stop     breaker.Interface
	// unregister takes the callback back.
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
