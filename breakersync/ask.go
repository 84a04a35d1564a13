package breakersync

import "github.com/kamilsk/breaker"

// The fast paths ask a *breaker.Breaker by hand: for that type, and no other, Err is inlined. In a
// function of its own it wouldn't be.

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
