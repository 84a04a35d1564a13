//go:build breaker_pure

package breaker

// isOriginal reports whether b is the breaker of its source, or a zero value (promise 20).
func (b *Breaker) isOriginal() bool { return b.source == nil || b.source.breaker() == b }

// Err returns nil as long as Done is open, and a non-nil error afterwards. The documentation is
// that of err_unsafe.go.
func (b *Breaker) Err() error {
	if b.state.Load()&(phase|flagPoll) == open && b.isOriginal() {
		return nil
	}
	return b.err()
}
