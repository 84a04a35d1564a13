package breakercluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// What the watch delivers and what the leader says about a key may overtake each other. A breaker
// is tripped by what was set after the last deletion before it was made, and by nothing else.
func TestRegistration_WatchAndReading(t *testing.T) {
	set := func(revision uint64) Entry { return Entry{Revision: revision, Created: time.Unix(int64(revision), 0)} }
	deleted := func(revision uint64) Entry {
		e := set(revision)
		e.Deleted = true
		return e
	}
	shifted := func(e Entry, by time.Duration) Entry {
		e.Created = e.Created.Add(by)
		return e
	}
	var nothing Entry
	for name, test := range map[string]struct {
		before  []Entry // what the watch delivers before the key has been read
		read    Entry   // what the leader says; revision 0 is nothing
		after   []Entry // what the watch delivers after that
		tripped uint64  // the revision that trips, 0 is none
	}{
		"nothing":                 {nil, nothing, nil, 0},
		"set before":              {nil, set(5), nil, 5},
		"set before, seen before": {[]Entry{set(5)}, set(5), nil, 5},
		"set before, seen after":  {nil, set(5), []Entry{set(5)}, 5},
		"set after":               {nil, nothing, []Entry{set(5)}, 5},
		"set between":             {[]Entry{set(5)}, nothing, nil, 5},
		"deleted before":          {nil, deleted(6), nil, 0},
		"an old one before":       {[]Entry{set(5)}, deleted(6), nil, 0},
		"an old one after":        {nil, deleted(6), []Entry{set(5)}, 0},
		"the mark after":          {nil, deleted(6), []Entry{deleted(6)}, 0},
		"old ones and a new one":  {[]Entry{set(5)}, deleted(6), []Entry{set(5), set(7)}, 7},
		"a new one before":        {[]Entry{set(7)}, deleted(6), nil, 7},
		"two watches":             {[]Entry{set(7), set(5)}, deleted(6), nil, 7},
		"deleted after":           {nil, nothing, []Entry{set(5), deleted(6)}, 5},
		"deleted later":           {nil, nothing, []Entry{deleted(6)}, 0},
		"set again":               {nil, set(5), []Entry{deleted(6), set(7)}, 5},
		"made anew":               {nil, deleted(9), []Entry{shifted(set(3), 7*time.Second)}, 3},
		"a clock that is behind":  {nil, deleted(6), []Entry{shifted(set(7), -5*time.Second)}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			h := &hub{users: 1}
			r := &registration{hub: h}
			h.add(r)
			deliver := func(all []Entry) {
				for _, e := range all {
					h.tripHere(e, TripError{Revision: e.Revision})
				}
			}
			deliver(test.before)
			assert.NoError(t, r.Err(), "nothing is known yet")
			if e, tripped := h.settle(r, test.read, test.read.Revision > 0); tripped {
				r.Trip(TripError{Revision: e.Revision})
			}
			deliver(test.after)
			if test.tripped == 0 {
				assert.NoError(t, r.Err())
				return
			}
			assert.Equal(t, TripError{Revision: test.tripped}, r.Cause())
		})
	}
}
