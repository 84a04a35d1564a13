package breakernats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// What the watch delivers and what the leader says about a key may overtake each other. A breaker is tripped by
// what was set after the last deletion before it was made, and by nothing else.
func TestWatchAndReading(t *testing.T) {
	set := func(revision uint64) entry { return entry{revision: revision, created: time.Unix(int64(revision), 0)} }
	deleted := func(revision uint64) entry {
		e := set(revision)
		e.deleted = true
		return e
	}
	shifted := func(e entry, by time.Duration) entry {
		e.created = e.created.Add(by)
		return e
	}
	var nothing entry
	for name, test := range map[string]struct {
		before  []entry // what the watch delivers before the key has been read
		read    entry   // what the leader says; revision 0 is nothing
		after   []entry // what the watch delivers after that
		tripped uint64  // the revision that trips, 0 is none
	}{
		"nothing":                 {nil, nothing, nil, 0},
		"set before":              {nil, set(5), nil, 5},
		"set before, seen before": {[]entry{set(5)}, set(5), nil, 5},
		"set before, seen after":  {nil, set(5), []entry{set(5)}, 5},
		"set after":               {nil, nothing, []entry{set(5)}, 5},
		"set between":             {[]entry{set(5)}, nothing, nil, 5},
		"deleted before":          {nil, deleted(6), nil, 0},
		"an old one before":       {[]entry{set(5)}, deleted(6), nil, 0},
		"an old one after":        {nil, deleted(6), []entry{set(5)}, 0},
		"the mark after":          {nil, deleted(6), []entry{deleted(6)}, 0},
		"old ones and a new one":  {[]entry{set(5)}, deleted(6), []entry{set(5), set(7)}, 7},
		"a new one before":        {[]entry{set(7)}, deleted(6), nil, 7},
		"two watches":             {[]entry{set(7), set(5)}, deleted(6), nil, 7},
		"deleted after":           {nil, nothing, []entry{set(5), deleted(6)}, 5},
		"deleted later":           {nil, nothing, []entry{deleted(6)}, 0},
		"set again":               {nil, set(5), []entry{deleted(6), set(7)}, 5},
		"made anew":               {nil, deleted(9), []entry{shifted(set(3), 7*time.Second)}, 3},
		"a clock that is behind":  {nil, deleted(6), []entry{shifted(set(7), -5*time.Second)}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			h := &hub{store: new(store), users: 1}
			r := &registration{hub: h}
			h.add(r)
			deliver := func(all []entry) {
				for _, e := range all {
					h.tripHere(e, TripError{Revision: e.revision})
				}
			}
			deliver(test.before)
			assert.NoError(t, r.Err(), "nothing is known yet")
			if e, tripped := h.settle(r, test.read, test.read.revision > 0); tripped {
				r.Trip(TripError{Revision: e.revision})
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
