//go:build breaker_pure

package breaker

import "context"

// relay doesn't exist here (promise 26). A context derived from a view through context.WithValue
// costs the goroutine that package context starts for it, and hears of the trip when Done closes,
// not after all dependents have tripped (promise 18).
type relay struct{}

// Value looks the key up in the contexts among the sources. After the trip it first asks a context
// of package context that has ended with the cause, and that answers only its own private key:
// there context.Cause finds it.
func (v *contextView) Value(key any) any {
	b := (*Breaker)(v)
	b.checkCopy()
	if cause := b.Cause(); cause != nil {
		return causeContext(valuesOf{context.Background(), b}, cause).Value(key)
	}
	return b.lookUp(key)
}

// valuesOf is a context that never ends and has the values of a breaker.
type valuesOf struct {
	context.Context
	b *Breaker
}

func (v valuesOf) Value(key any) any { return v.b.lookUp(key) }

// closeDone closes the channel that was handed out. Only the winner calls it, once.
func (b *Breaker) closeDone(uint32) { b.done.close() }

func (b *Breaker) endRelay() {} // not reached here: flagRelay is never set
