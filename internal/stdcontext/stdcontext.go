// Package stdcontext has everything that knows package context from the inside. With it, package
// context takes a foreign context for one of its own: context.Cause finds its cause, and deriving
// from it starts no goroutine, with values in between or without (promise 13).
//
// A foreign context answers like this, where done is the channel of its Done:
//
//	func (c *foreign) Value(key any) any {
//		switch {
//		case !stdcontext.IsKey(key):
//			return … // a value
//		case c.ended():
//			return stdcontext.Ended(c.cause).Value(key)
//		case stdcontext.HasRelay:
//			return c.relay.Context().Value(key) // made by NewRelay(c.done)
//		}
//		return nil
//	}
//
// It ends by calling Close of its relay, which closes done, and then End, which ends what was
// derived. In between it may do what has to come first: package breaker trips the dependents
// (promise 18).
//
// IsKey is one comparison. Ended and NewRelay allocate a context of package context, and start no
// goroutine. IsKey, Ended and Context may be called concurrently. Close is called once, then End,
// both by the goroutine that ends the foreign context.
//
// The package relies on two unexported things: the key by which package context asks for a context
// of its own, and the fields mu, done and cause of that. Both are looked for at start. If they
// aren't there, IsKey or HasRelay is false, and nothing else changes. The build tag breaker_pure
// does without both, and without package unsafe (promise 26). docs/relies-on.md has the Go releases
// that were looked at.
package stdcontext

import "context"

// Ended returns a context of package context that has ended with the cause. Its Value answers the
// key of IsKey, and only that: context.Cause then finds the cause.
func Ended(cause error) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx
}
