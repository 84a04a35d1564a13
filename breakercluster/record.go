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
	// ID tells one Trip from another, so that one whose answer got lost recognizes its own record.
	ID   string    `json:"id"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Text string    `json:"cause"`
}

// longestName is how long the name of the process that trips may be.
const longestName = 128

// longest is how long a value of this package gets at most.
const longest = 64 << 10

// encode returns the value for a key, of no more than limit bytes: the text is cut as far as it
// takes. If not even a record without a text fits, the value is as much of the text as does, as if
// it were set by another program.
func encode(limit int, id, by string, cause error) []byte {
	// Cut before it is copied again: it may be very long. Everything takes at least one byte.
	text := cut(textOf(cause), limit)
	r := record{recordVersion, id, cut(by, longestName), time.Now().UTC(), text}
	value := r.marshal()
	if len(value) <= limit {
		return value
	}
	// What JSON escapes takes more than a byte. The length for which it fits is looked for.
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

// textOf returns the text of the cause. One that panics is a cause like another (promise 21).
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

// cut returns as many whole characters of the text as fit, with an ellipsis if that isn't all.
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

// decode returns what a key's value says, and the ID of the Trip that has set it. The winner
// decodes its own record as well, because all have to come to the same result.
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
