package breakercluster

import "time"

// Grace is how long a watch may stand still.
const Grace = grace

// NewJudge returns what a pulse concludes from one step to the next. Watches go by a number, 0 or
// 1; a negative one is a pulse that isn't answered.
func NewJudge() func(watched int, before, seen, newest uint64, now time.Time) string {
	var p progress
	watches := [...]*watch{new(watch), new(watch)}
	return func(watched int, before, seen, newest uint64, now time.Time) string {
		if watched < 0 {
			p.missed = true
			return "unknown"
		}
		return [...]string{"unknown", "level", "late", "lost"}[p.judge(watches[watched], before, seen, newest, now)]
	}
}

// Users returns how many breakers share the watch of the bucket, those that are being made
// included.
func Users(b *Bucket) int {
	h := running(b)
	if h == nil {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.users
}

// TripHere trips the breakers of the bucket for the key, as a Trip does that has just set it.
func TripHere(b *Bucket, key, text string) {
	e := Entry{Key: b.prefix + key, Revision: 1 << 62, Value: []byte(text)}
	running(b).tripHere(e, TripError{Text: text})
}
