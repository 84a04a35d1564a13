package breakersync

import "github.com/kamilsk/breaker"

// The fast paths call Err of a *breaker.Breaker themselves. The compiler inlines it for that type
// only, and not inside another function.

// ask returns the cause of a breaker that has tripped, or nil. It panics if the breaker is nil.
func ask(br breaker.Interface, function string) error {
	if b, ok := br.(*breaker.Breaker); br == nil || ok && b == nil {
		panic("breakersync: " + function + ": the breaker is nil")
	}
	return causeOf(br)
}

// causeOf returns the cause of a breaker that has tripped, or nil. The breaker isn't nil.
func causeOf(br breaker.Interface) error {
	if br.Err() == nil {
		return nil
	}
	return br.Cause()
}
