package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// outcome is how a request ended, for its client or for the server.
type outcome struct {
	request string
	status  int // 0: there was no answer
	bytes   int
	cause   string // empty: it wasn't interrupted
	note    string
	took    time.Duration
}

// describe names a request by the time that it may take.
func describe(r *http.Request) string {
	if values := r.Header.Values(timeoutHeader); len(values) > 0 {
		return timeoutHeader + ": " + strings.Join(values, ", ")
	}
	return fmt.Sprintf("no %s, so %v", timeoutHeader, defaultTimeout)
}

const row = "%-40s %6v %13s   %-18s %11s\n"

func printHead(out io.Writer) {
	fmt.Fprintf(out, row, "REQUEST", "STATUS", "BYTES", "INTERRUPTED BY", "TIME")
}

// printRows prints one row for all requests that ended in the same way.
func printRows(out io.Writer, outcomes ...outcome) {
	for len(outcomes) > 0 {
		first := outcomes[0]
		var alike, others []outcome
		for _, o := range outcomes {
			if o.request == first.request && o.status == first.status && o.cause == first.cause && o.note == first.note {
				alike = append(alike, o)
			} else {
				others = append(others, o)
			}
		}
		name := first.request
		if len(alike) > 1 {
			name = fmt.Sprintf("%d × %s", len(alike), name)
		}
		fmt.Fprintf(out, row, name, first.status, span(alike, func(o outcome) int { return o.bytes }), cmp.Or(first.cause, "-"),
			span(alike, func(o outcome) int { return int(o.took.Round(time.Millisecond).Milliseconds()) })+" ms")
		if first.note != "" {
			fmt.Fprintf(out, "  └ %s\n", first.note)
		}
		outcomes = others
	}
}

// span returns the value that all have, or from where to where it goes.
func span(outcomes []outcome, value func(outcome) int) string {
	least, most := value(outcomes[0]), value(outcomes[0])
	for _, o := range outcomes {
		least, most = min(least, value(o)), max(most, value(o))
	}
	if least == most {
		return fmt.Sprint(most)
	}
	return fmt.Sprintf("%d-%d", least, most)
}
