package breaker

import (
	"os"
	"os/signal"
	"reflect"
	"strconv"
	"syscall"

	"github.com/kamilsk/breaker/internal/bubble"
	"github.com/kamilsk/breaker/internal/live"
)

// BreakBySignal returns a breaker that trips when the process receives one of the signals. Its
// cause is then a SignalError with that signal. Without any signal it is tripped on return.
//
// It catches the signals from its return until it trips or is closed. When the last breaker for a
// signal is gone, the signal has its default effect again. One arrival trips all breakers that wait
// for the signal, and never one made afterwards. A signal that can't be caught, such as os.Kill, is
// accepted and never arrives.
//
// It costs one allocation, and one goroutine for each distinct signal, however many breakers wait
// for it. The first breaker for a signal and the last turn its delivery on and off, which takes a
// lock and some 100 µs. The others take no lock. Inside a testing/synctest bubble you notice a
// signal only by asking Err, because nothing outside of a bubble can wake what waits inside.
// BreakBySignal panics if one of the signals is nil, or can't be compared.
func BreakBySignal(sig ...os.Signal) *Breaker {
	if len(sig) == 0 {
		return newTripped(errNothing)
	}
	for i, s := range sig {
		if s == nil {
			panic("breaker: BreakBySignal: signal " + strconv.Itoa(i) + " is nil")
		}
		// To ask whether a value is comparable takes an allocation; all numbers are.
		if reflect.TypeOf(s).Kind() > reflect.Complex128 && !reflect.ValueOf(s).Comparable() {
			panic("breaker: BreakBySignal: signal " + strconv.Itoa(i) + " is not comparable")
		}
	}
	join, flags, inside := joinSignal, uint32(0), bubble.Inside()
	if inside {
		join, flags = joinSignalOutside, flagPoll|flagPollOnly
	}
	n, links := newNode(len(sig))
	n.beginAttaching(kindSignal, flags|flagWatch)
	for i, s := range sig {
		l := &links[i]
		l.source.Set(&join(s).Breaker)
		if inside {
			l.Tag.role = keep // to be polled
		} else if !n.listen(l) {
			break
		}
	}
	n.endAttaching(0, 0)
	if live.On() {
		n.enlist()
	}
	return &n.Breaker
}

// TerminationSignals returns the signals that ask a process to end, for BreakBySignal. These are
// os.Interrupt, which is Ctrl-C in a terminal, and syscall.SIGTERM, which service managers and
// orchestrators send; on Windows it stands for the closing of the console.
//
// SIGHUP and SIGQUIT aren't among them: many a daemon reads its configuration again on SIGHUP, and
// SIGQUIT makes a Go program print its stacks. The slice is yours.
func TerminationSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// signals has the watch for each signal that a breaker waits for.
var signals watches

// joinSignal returns the watch for the signal. If there was one already, joinSignal asks for
// delivery again: other code may have ended it by signal.Reset or signal.Ignore, and there is no
// way to find out (promise 24). That takes the lock of package signal.
func joinSignal(s os.Signal) *watch {
	w, found := signals.Join(s, func() *watch { return notify(s) })
	if found {
		w.renew()
	}
	return w
}

// joinSignalOutside is joinSignal for callers in a bubble. All of it runs outside: the hub's lock
// can't be held while the runtime's cleanups are awaited, because one of them may want it.
func joinSignalOutside(s os.Signal) (w *watch) {
	bubble.Outside(func() { w = joinSignal(s) })
	return w
}

// notify returns a watch for the signal. It starts the delivery, and the goroutine that waits for
// it. Each watch has a channel of its own: see docs/design.md, "One channel for all signals"
// (promise 12).
func notify(s os.Signal) *watch {
	w := newWatch(&signals)
	arrivals := make(chan os.Signal, 1)
	only := []os.Signal{s}
	w.renew = func() { signal.Notify(arrivals, only...) }
	w.stop.Set(func() {
		signal.Stop(arrivals) // nothing is sent after this
		close(arrivals)
	})
	w.renew()
	go func() {
		if s, ok := <-arrivals; ok {
			w.fire(SignalError{s})
		}
	}()
	return w
}
