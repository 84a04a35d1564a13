// Package integrations shows breakers at work in other libraries: its tests and examples run the
// real ones.
//
// The README has a table of what works with what. One library needs code of its own, because it has
// no way to end a wait: Limiter is a go.uber.org/ratelimit limiter whose Take a breaker can
// interrupt.
package integrations
