//go:build breaker_pure

package stdcontext

import "context"

// IsKey reports whether package context asks for a context of its own. A context that is one
// answers nothing else.
func IsKey(key any) bool { return ended.Value(key) != nil }

var ended = Ended(context.Canceled)

// HasRelay is false: a context derived through context.WithValue costs the goroutine that package
// context starts for it. It ends when Done is closed.
const HasRelay = false

// Relay doesn't exist here. None of its methods is called.
type Relay struct{}

func NewRelay(chan struct{}) *Relay             { return nil }
func (*Relay) Context() context.Context         { return nil }
func (*Relay) Close(chan struct{}, error, bool) {}
func (*Relay) End()                             {}
