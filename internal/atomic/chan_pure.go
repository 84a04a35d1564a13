//go:build breaker_pure

package atomic

// Chan is an atomic reference to a channel of struct{}; its zero value holds nil. It takes 8 bytes,
// and another allocation for the channel.
type Chan struct {
	p Pointer[chan struct{}]
}

// Load returns the channel held, or nil.
func (c *Chan) Load() chan struct{} {
	if p := c.p.Load(); p != nil {
		return *p
	}
	return nil
}

// CompareAndSwap replaces old by the channel next and reports whether it did.
func (c *Chan) CompareAndSwap(old, next chan struct{}) bool {
	p := c.p.Load()
	switch {
	case p == nil && old != nil, p != nil && *p != old:
		return false
	}
	return c.p.CompareAndSwap(p, &next)
}

// Touch does nothing here: there is no looking into a channel without unsafe.
func (c *Chan) Touch() uintptr { return 0 }
