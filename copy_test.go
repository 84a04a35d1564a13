package breaker_test

import (
	"context"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

// promise 20: a copy of what a constructor made panics at its first use, whichever that is, and the
// original lives.
func TestCopy_PanicsAtFirstUse(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	made := map[string]func() *breaker.Breaker{
		"New":             breaker.New,
		"BreakByTimeout":  func() *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) },
		"BreakByDeadline": func() *breaker.Breaker { return breaker.BreakByDeadline(time.Now().Add(time.Hour)) },
		"BreakByContext":  func() *breaker.Breaker { return breaker.BreakByContext(ctx, cancel) },
		"BreakByChannel":  func() *breaker.Breaker { return breaker.BreakByChannel(make(chan struct{})) },
		"BreakBySignal":   func() *breaker.Breaker { return breaker.BreakBySignal(os.Interrupt) },
		"Multiplex":       func() *breaker.Breaker { return breaker.Multiplex(breaker.New(), breaker.New()) },
		"Any":             func() *breaker.Breaker { return breaker.Any(breaker.New()) },
		"Within":          func() *breaker.Breaker { return breaker.Within(ctx, time.Hour, breaker.New()) },
		"of a view":       func() *breaker.Breaker { return breaker.BreakByContext(breaker.ToContext(breaker.New()), nil) },
		"BreakByIdle":     func() *breaker.Breaker { return &breaker.BreakByIdle(time.Hour).Breaker },
		"tripped":         func() *breaker.Breaker { return breaker.BreakByTimeout(0) },
	}
	for name, use := range map[string]func(*breaker.Breaker){
		"Close":       (*breaker.Breaker).Close,
		"Done":        func(br *breaker.Breaker) { br.Done() },
		"Err":         func(br *breaker.Breaker) { _ = br.Err() },
		"Trip":        func(br *breaker.Breaker) { br.Trip(errA) },
		"Cause":       func(br *breaker.Breaker) { _ = br.Cause() },
		"State":       func(br *breaker.Breaker) { br.State() },
		"Deadline":    func(br *breaker.Breaker) { br.Deadline() },
		"OnTrip":      func(br *breaker.Breaker) { br.OnTrip(func() {}) },
		"String":      func(br *breaker.Breaker) { _ = br.String() },
		"Wait":        func(br *breaker.Breaker) { _ = br.Wait() },
		"AwaitClosed": (*breaker.Breaker).AwaitClosed,
		"NopCloser":   func(br *breaker.Breaker) { breaker.NopCloser(br) },
		"ToContext":   func(br *breaker.Breaker) { breaker.ToContext(br) },
		"Multiplex":   func(br *breaker.Breaker) { breaker.Multiplex(br) },
		"Any":         func(br *breaker.Breaker) { breaker.Any(br) },
		"Within":      func(br *breaker.Breaker) { breaker.Within(context.Background(), time.Hour, br) },
	} {
		for kind, construct := range made {
			for waited := range 2 {
				original := construct()
				if waited == 1 {
					original.Done()
				}
				neighbours := struct {
					before [8]uint64
					breaker.Breaker
					after [8]uint64
				}{}
				copyBreaker(&neighbours.Breaker, original)
				text, _ := catch(func() { use(&neighbours.Breaker) }).(string)
				assert.Contains(t, text, "copied by value", "%s of %s", name, kind)
				assert.Zero(t, neighbours.before)
				assert.Zero(t, neighbours.after)
				original.Close()
				assert.Error(t, original.Err())
			}
		}
	}
}

// promise 20: the same for an Idle.
func TestCopy_OfAnIdle(t *testing.T) {
	for name, use := range map[string]func(*breaker.Idle){
		"Touch":    func(i *breaker.Idle) { i.Touch() },
		"Reset":    func(i *breaker.Idle) { i.Reset(time.Hour) },
		"Reset(0)": func(i *breaker.Idle) { i.Reset(0) },
		"Close":    (*breaker.Idle).Close,
	} {
		original, copied := breaker.BreakByIdle(time.Hour), new(breaker.Idle)
		reflect.ValueOf(copied).Elem().Set(reflect.ValueOf(original).Elem())
		text, _ := catch(func() { use(copied) }).(string)
		assert.Contains(t, text, "copied by value", name)
		assert.True(t, original.Touch())
		original.Close()
	}
}

// copyBreaker copies by value, behind the back of go vet.
func copyBreaker(to, from *breaker.Breaker) {
	reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem())
}
