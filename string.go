package breaker

import (
	"fmt"
	"strings"
	"time"
)

// String returns what there is to know about the breaker, for people: its source, its state, and,
// if it has them, its deadline and its cause.
//
//	breaker by timeout: open, deadline 2026-11-22T18:09:00Z
//	breaker by signal: closed, cause: signal received: interrupt
//
// It trips nothing and asks no source: what nobody has noticed yet isn't in it. It allocates.
func (b *Breaker) String() string {
	b.checkCopy()
	s := b.state.Load()
	var text strings.Builder
	text.WriteString("breaker")
	text.WriteString(kindNames[s>>kindShift])
	text.WriteString(": ")
	text.WriteString(stateOf(s).String())
	if at, ok := b.Deadline(); ok {
		text.WriteString(", deadline ")
		text.WriteString(at.Format(time.RFC3339Nano))
	}
	if b.hasTripped(s) {
		text.WriteString(", cause: ")
		text.WriteString(textOf(b.reason()))
	}
	return text.String()
}

// textOf returns what the error says, also if its Error panics (promise 21).
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = "an error whose Error panics"
		}
	}()
	return err.Error()
}

// What follows has fmt, log/slog and encoding/json print what String says. By themselves they go
// through the fields, which others may be writing at the time (promise 27).

// Format prints String, whatever the verb.
func (b *Breaker) Format(f fmt.State, verb rune) { format(f, verb, b.String()) }

// MarshalText returns String.
func (b *Breaker) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// MarshalText returns String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (v *nopCloser) String() string                  { return (*Breaker)(v).String() }
func (v *nopCloser) Format(f fmt.State, verb rune)   { format(f, verb, v.String()) }
func (v *nopCloser) MarshalText() ([]byte, error)    { return []byte(v.String()), nil }
func (v *contextView) Format(f fmt.State, verb rune) { format(f, verb, v.String()) }
func (v *contextView) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }

func format(f fmt.State, verb rune, text string) { fmt.Fprintf(f, fmt.FormatString(f, verb), text) }
