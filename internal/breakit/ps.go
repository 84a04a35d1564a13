package breakit

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// ps writes the table of what runs, the oldest first.
func ps(w io.Writer, now time.Time) error {
	all, err := entries()
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b entry) int { return a.Since.Compare(b.Since) })
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "PID\tCOMMAND\tSINCE\tUNTIL\tLIMIT")
	for _, e := range all {
		until := "-" // unknown
		if !e.Until.IsZero() {
			until = clock(e.Until, now)
		}
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", e.Pid, line(e.Command), clock(e.Since, now), until, e.Limit)
	}
	return table.Flush()
}

// line shows a command as it could be typed, so that whatever is in it can't disturb the terminal.
func line(command []string) string {
	const longest = 48
	words := make([]string, len(command))
	for i, word := range command {
		plain := word != "" && !strings.ContainsFunc(word, func(r rune) bool {
			return r <= ' ' || !strconv.IsPrint(r) || strings.ContainsRune("\"'\\$`;&|<>()*?[]{}~#!", r)
		})
		if !plain {
			word = strconv.Quote(word)
		}
		words[i] = word
	}
	text := []rune(strings.Join(words, " "))
	if len(text) > longest {
		text = append(text[:longest-1], '…')
	}
	return string(text)
}
