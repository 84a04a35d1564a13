package breaker

import (
	"strings"
	"time"
)

// String returns what there is to know about the breaker, for people: its source, its state, and, if it has them, its
// deadline and its cause.
//
//	breaker by timeout: open, deadline 2026-11-22T18:09:00Z
//	breaker by signal: closed, cause: signal received: interrupt
//
// It trips nothing and asks no source: what nobody has noticed yet isn't in it. It allocates.
func (b *Breaker) String() string {
	s := b.state.Load()
	var text strings.Builder
	text.WriteString("breaker")
	switch s >> kindShift {
	case kindPlain:
	case kindWatch:
		panic("breaker: nobody outside has a watch")
	case kindTimeout:
		text.WriteString(" by timeout")
	case kindDeadline:
		text.WriteString(" by deadline")
	case kindContext, kindView:
		text.WriteString(" by context")
	case kindNode:
		text.WriteString(" by multiplex")
	case kindSignal:
		text.WriteString(" by signal")
	case kindChannel:
		text.WriteString(" by channel")
	default:
		panic("breaker: a kind without a name")
	}
	text.WriteString(": ")
	text.WriteString(stateOf(s).String())
	if at, ok := b.Deadline(); ok {
		text.WriteString(", deadline ")
		text.WriteString(at.Format(time.RFC3339Nano))
	}
	if b.hasTripped(s) {
		text.WriteString(", cause: ")
		text.WriteString(b.reason().Error())
	}
	return text.String()
}
