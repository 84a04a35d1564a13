package breaker_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

// uses are the ways to use a breaker. In TestSources_PanicWhenCopied a copy gets by with none.
var uses = map[string]func(*breaker.Breaker){
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
