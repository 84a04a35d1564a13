package breakernats

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/kamilsk/breaker"
)

// recordVersion tells a record from a value that somebody else has set, with another program.
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

// encode returns the value for a key.
func encode(id, by string, cause error) []byte {
	if cause == nil {
		cause = breaker.Interrupted
	}
	value, err := json.Marshal(record{recordVersion, id, by, time.Now().UTC(), cause.Error()})
	if err != nil {
		panic(err) // strings and a time of this age can be marshaled
	}
	return value
}

// decode returns what a key's value says, and the ID of the Trip that has set it. The winner decodes its own
// record as well, because everybody has to come to the same result.
func decode(bucket string, e entry) (cause TripError, id string) {
	cause = TripError{Bucket: bucket, Key: e.key, Revision: e.revision}
	var r record
	if err := json.Unmarshal(e.value, &r); err == nil && r.Version == recordVersion {
		cause.By, cause.At, cause.Text = r.By, r.At.UTC(), r.Text
		return cause, r.ID
	}
	cause.At, cause.Text = e.created.UTC(), string(e.value)
	return cause, ""
}

// checkKey returns an error if the key, or prefix, isn't one that a bucket can have.
func checkKey(what, key string) error {
	valid := key != "" && !strings.HasPrefix(key, ".") && !strings.HasSuffix(key, ".") && !strings.Contains(key, "..")
	if !valid || strings.ContainsFunc(key, isForbidden) {
		return fmt.Errorf("breakernats: %s %q: %w", what, key, jetstream.ErrInvalidKey)
	}
	return nil
}

func isForbidden(r rune) bool {
	letter, digit := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z', '0' <= r && r <= '9'
	return !letter && !digit && !strings.ContainsRune("-/_=.", r)
}
