package breakerprof

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/kamilsk/breaker/internal/census"
)

// DefaultList is how many breakers Handler lists unless the request says otherwise.
const DefaultList = 1000

// Handler returns a handler that lists the recorded breakers as text, the oldest first: age,
// source, deadline, state and stack.
//
//	curl 'localhost:6060/debug/breakers?n=10'
//
// The parameter n limits the list. With 0 it lists all, and without the parameter DefaultList. A
// bad n gets a 400. Stacks show paths of your source files, so serve the handler only where you
// serve net/http/pprof. A request takes time linear in the number of recorded breakers, and stops
// nothing else. The handler may be called concurrently.
func Handler() http.Handler { return http.HandlerFunc(list) }

func list(w http.ResponseWriter, r *http.Request) {
	limit := DefaultList
	if text := r.FormValue("n"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			http.Error(w, "breakerprof: n is not a count: "+strconv.Quote(text), http.StatusBadRequest)
			return
		}
		limit = n
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	out := bufio.NewWriter(w)
	defer out.Flush()
	entries := recorded()
	estimate := 0
	for _, e := range entries {
		estimate += e.Rate
	}
	fmt.Fprintf(out, "breakers: %d recorded, which stand for about %d alive\n", len(entries), estimate)
	now := time.Now()
	for i, e := range entries {
		if limit > 0 && i == limit {
			fmt.Fprintf(out, "\n%d more\n", len(entries)-i)
			return
		}
		write(out, e, now)
	}
}

// recorded returns the entries of the profile.
func recorded() []*census.Entry {
	all := census.Entries()
	sampled := all[:0]
	for _, e := range all {
		if e.Rate > 0 {
			sampled = append(sampled, e)
		}
	}
	return sampled
}

// write prints one breaker. It also lists one that was garbage collected meanwhile, because it was
// alive at the time of the request.
func write(out *bufio.Writer, e *census.Entry, now time.Time) {
	fmt.Fprintf(out, "\n%s\t%s", now.Sub(e.Made).Round(time.Millisecond), e.Source())
	if br := e.Ref.Value(); br != nil {
		if at, ok := br.Deadline(); ok {
			fmt.Fprintf(out, "\tdeadline %s (%s)", at.Format(time.RFC3339), at.Sub(now).Round(time.Millisecond))
		}
		fmt.Fprintf(out, "\t%s", br.State())
	}
	out.WriteByte('\n')
	for _, frame := range e.Stack() {
		fmt.Fprintf(out, "#\t%s\t%s:%d\n", frame.Function, frame.File, frame.Line)
	}
}
