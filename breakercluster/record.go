package breakercluster

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kamilsk/breaker"
)

// recordVersion tells a record from a value that another program has set.
const recordVersion = 1

// record is the value of a key that was tripped by this package.
type record struct {
	Version int `json:"breaker"`
	// ID identifies a Trip, so that it recognizes its own record if an answer got lost.
	ID   string    `json:"id"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Text string    `json:"cause"`
}

// longestName is how long the name of the process that trips may be.
const longestName = 128

// longest is the length of the longest value of this package.
const longest = 64 << 10

// encode returns the value for a key, of at most limit bytes: it truncates the text to fit. If not
// even a record without a text fits, the value is the truncated text alone, as if another program
// had set it.
func encode(limit int, id, by string, cause error) []byte {
	// Cut before it is copied again: it may be very long. Everything takes at least one byte.
	text := cut(textOf(cause), limit)
	r := record{recordVersion, id, cut(by, longestName), time.Now().UTC(), text}
	value := r.marshal()
	if len(value) <= limit {
		return value
	}
	// What JSON escapes takes more than a byte, so search for the length that fits.
	fits := sort.Search(len(text), func(less int) bool {
		r.Text = cut(text, len(text)-less)
		return len(r.marshal()) <= limit
	})
	r.Text = cut(text, len(text)-fits)
	if value = r.marshal(); len(value) <= limit {
		return value
	}
	return []byte(text)
}

func (r record) marshal() []byte {
	value, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and a time of this age can be marshaled
	}
	return value
}

// textOf returns the text of the cause, even if its method panics (promise 21).
func textOf(cause error) (text string) {
	if cause == nil {
		return breaker.Interrupted.Error()
	}
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%T, which panics when asked for its text", cause)
		}
	}()
	return cause.Error()
}

// cut returns as many whole characters as fit, with an ellipsis if it left some out.
func cut(text string, limit int) string {
	const ellipsis = "…"
	if len(text) <= limit {
		return text
	}
	end := max(limit-len(ellipsis), 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	if limit < len(ellipsis) {
		return text[:end]
	}
	return text[:end] + ellipsis
}

// decode returns the cause in a key's value, and the ID of the Trip that has set it. The winner
// decodes its own record, too, so that all nodes have the same cause.
func decode(bucket string, e Entry) (cause TripError, id string) {
	cause = TripError{Bucket: bucket, Key: e.Key, Revision: e.Revision}
	var r record
	if err := json.Unmarshal(e.Value, &r); err == nil && r.Version == recordVersion {
		cause.By, cause.At, cause.Text = r.By, r.At.UTC(), r.Text
		return cause, r.ID
	}
	cause.At, cause.Text = e.Created.UTC(), string(e.Value)
	return cause, ""
}

// checkKey returns an error if the key, or prefix, isn't one that every store can have.
func checkKey(what, key string) error {
	valid := key != "" && !strings.HasPrefix(key, ".") && !strings.HasSuffix(key, ".") && !strings.Contains(key, "..")
	if !valid || strings.ContainsFunc(key, isForbidden) {
		return fmt.Errorf("breakercluster: %s %q: %w", what, key, ErrInvalidKey)
	}
	return nil
}

func isForbidden(r rune) bool {
	letter, digit := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z', '0' <= r && r <= '9'
	return !letter && !digit && !strings.ContainsRune("-/_=.", r)
}

// IsRecord reports whether the value is a record of this package, which has the time of the trip in
// it.
func IsRecord(value []byte) bool {
	var r record
	return json.Unmarshal(value, &r) == nil && r.Version == recordVersion
}
