package breakercluster

import (
	"context"
	"errors"
	"time"
)

const (
	// calm is the time between two pulses as long as no breaker needs more. It bounds, together
	// with grace, how long a trip may go unnoticed where the watch has failed without a sign.
	calm = 2 * time.Second
	// share is how many pulses there are within the shortest silence.
	share = 4
	// grace is how long the watch may stand still though the leader has something new.
	grace = 500 * time.Millisecond
	// behind is the time between two pulses in that case, and again the time after one without an
	// answer.
	behind = 50 * time.Millisecond
	again  = 200 * time.Millisecond
)

// pulse proves the contact, again and again: it asks the leader for the newest revision, and
// whether the watch has seen it. A connection that is up doesn't prove anything. It may lead to a
// server that is cut off from the others.
func (h *hub) pulse() {
	var p progress
	timer := time.NewTimer(calm)
	defer timer.Stop()
	for {
		select {
		case <-h.life.Done():
			return
		case <-h.quicken:
		case <-timer.C:
		}
		wait, limit := h.rhythm()
		switch h.beat(limit, &p) {
		case late:
			wait = min(wait, behind)
		case unknown:
			wait = min(wait, again)
		}
		timer.Reset(wait)
	}
}

// rhythm returns the time between two pulses, and what one may take.
func (h *hub) rhythm() (wait, limit time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	shortest := h.registry.shortest()
	if shortest == 0 {
		return calm, attempt
	}
	wait = max(min(calm, shortest/share), time.Millisecond)
	return wait, min(2*wait, attempt)
}

// beat is one pulse.
func (h *hub) beat(limit time.Duration, p *progress) pace {
	h.mu.Lock()
	w := h.watch
	h.mu.Unlock()

	sent, before := time.Now(), w.seen.Load()
	var newest Entry
	err := try(h.life, limit, func(ctx context.Context) (err error) {
		newest, _, err = h.store.Newest(ctx, h.pattern)
		return err
	})
	if err != nil {
		p.missed = true
		h.missed(err)
		if isGone(err) {
			signal(h.outdated) // a new watch is told the same
		}
		return unknown
	}
	verdict := p.judge(w, before, w.seen.Load(), newest.Revision, time.Now())
	switch verdict {
	case level:
		h.touch(sent)
	case lost:
		h.missed(errBehind)
		signal(h.outdated)
	}
	return verdict
}

// pace is what a pulse finds out about the watch.
type pace int

const (
	unknown pace = iota // the leader didn't answer
	level               // the watch has seen all
	late                // it has something to catch up with, and may be about to
	lost                // it needs to be replaced
)

// progress is what a pulse has to know of the one before.
type progress struct {
	// watch is what was judged, lost what was found to be lost.
	watch, lost *watch
	// seen is how far the watch was.
	seen uint64
	// below says that the leader's newest was less than what the watch that was lost had seen, and
	// newest what it was.
	below  bool
	newest uint64
	// missed says that the leader didn't answer. What has taken the leader may have taken the
	// watch.
	missed bool
	// since is when the watch was first found standing still behind the leader; zero if it wasn't.
	since time.Time
}

// judge compares what the leader has as its newest with what the watch had seen before it was
// asked, and has seen now.
func (p *progress) judge(w *watch, before, seen, newest uint64, now time.Time) pace {
	last := *p
	p.watch, p.seen, p.missed = w, seen, false
	moved := w != last.watch || seen != last.seen
	switch {
	case w == last.lost:
		return lost
	case before > newest && last.below && newest == last.newest && w != last.lost:
		// A watch that has begun with all that is set has seen the same: the newest was deleted, or
		// wasn't counted because another program has set it.
		return level
	case before > newest:
		// The newest key has expired; or the bucket was made anew and counts from 1 again, and what
		// was seen is worth nothing. A new watch tells.
		p.lost, p.below, p.newest = w, true, newest
		return lost
	case seen >= newest:
		p.since = time.Time{}
		return level
	case moved || last.since.IsZero() && !last.missed:
		p.since = now
		return late
	case now.Sub(last.since) < grace && !last.missed:
		return late
	default:
		p.lost = w
		return lost
	}
}

// errBehind is why there is no contact while the leader answers.
var errBehind = errors.New("the watch misses something")

// missed notes that there was no contact.
func (h *hub) missed(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.life.Err() != nil {
		return
	}
	h.counts.Pulses++
	h.counts.Missed++
	h.note(why)
}

// touch notes a contact.
func (h *hub) touch(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts.Pulses++
	h.note(nil)
	if at.After(h.contact) {
		h.contact = at
	}
}

// alert sets the alarm to no later than the given time. The lock is held.
//
// A contact doesn't put it off: the alarm looks for itself when it fires, and there are fewer
// alarms than contacts.
func (h *hub) alert(at time.Time) {
	if !h.due.IsZero() && !at.Before(h.due) {
		return
	}
	h.due = at
	if h.alarm == nil {
		h.alarm = time.AfterFunc(time.Until(at), h.silence)
		return
	}
	h.alarm.Reset(time.Until(at))
}

// silence trips those for whom the silence was too long.
func (h *hub) silence() {
	h.queue.push(h.silenced(time.Now())...)
}

// silenced returns those for whom the silence was too long, and sets the alarm for the next.
func (h *hub) silenced(now time.Time) (silenced []verdict) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.due = time.Time{}
	if h.ended || len(h.registry.silences) == 0 {
		return nil
	}
	var next time.Time
	for _, head := range h.registry.heads {
		for r := head; r != nil; r = r.next {
			if r.silence == 0 || r.judged {
				continue
			}
			since, over := h.limitOf(r, now)
			if !over.After(now) {
				r.judged = true
				cause := SilenceError{Bucket: h.name, Key: r.key, Limit: r.silence, Since: since.Round(0), Why: h.why}
				silenced = append(silenced, verdict{r, cause})
			} else if next.IsZero() || over.Before(next) {
				next = over
			}
		}
	}
	h.counts.Silenced += uint64(len(silenced))
	if !next.IsZero() {
		h.alert(next)
	}
	return silenced
}

// limitOf returns since when there was no contact for a registration, as far as is known, and when
// that is too long. The lock is held.
func (h *hub) limitOf(r *registration, now time.Time) (since, over time.Time) {
	switch {
	case !r.settled:
		since = now // whoever makes it is waiting for an answer, and gets an error if there is none
	case h.contact.After(r.since):
		since = h.contact
	default:
		since = r.since
	}
	return since, since.Add(r.silence)
}
