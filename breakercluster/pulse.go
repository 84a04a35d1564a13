package breakercluster

import (
	"context"
	"errors"
	"time"
)

const (
	// calm is the time between two pulses, unless a breaker needs more. If the watch fails without
	// a sign, calm and grace bound how long a trip may go unnoticed.
	calm = 2 * time.Second
	// share is the number of pulses within the shortest silence.
	share = 4
	// grace is how long the watch may stand still though the leader has something new.
	grace = 500 * time.Millisecond
	// behind is the time between two pulses in that case, and after a pulse without an answer.
	behind = 50 * time.Millisecond
	again  = 200 * time.Millisecond
)

// pulse checks the contact periodically: it asks the leader for the newest revision, and checks
// whether the watch has seen it. An open connection proves nothing: it may lead to a server that is
// cut off from the others.
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

// pace is what a pulse learns about the watch.
type pace int

const (
	unknown pace = iota // the leader didn't answer
	level               // the watch has seen all
	late                // the watch is behind, and may be catching up
	lost                // the watch needs to be replaced
)

// progress is what a pulse has to know about the one before.
type progress struct {
	// watch is the watch that was judged, lost the one that was found to be lost.
	watch, lost *watch
	// seen is how far the watch was.
	seen uint64
	// below says that the leader's newest revision was less than what the lost watch had seen.
	// newest is that revision.
	below  bool
	newest uint64
	// missed says that the leader didn't answer. What has stopped the leader may have stopped the
	// watch, too.
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
		// A watch that began with all that is set has seen nothing newer: the newest key was
		// deleted, or wasn't counted because another program has set it.
		return level
	case before > newest:
		// The newest key has expired. Or the bucket was made anew and counts from 1 again, so what
		// the watch has seen no longer counts. A new watch finds out.
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
// A contact doesn't postpone it. The alarm checks the contact when it fires, and there are fewer
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

// silence trips the registrations for which the silence was too long.
func (h *hub) silence() {
	h.queue.push(h.silenced(time.Now())...)
}

// silenced returns the registrations for which the silence was too long, and sets the alarm for the
// next one.
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

// limitOf returns since when a registration is known to be without contact, and when that becomes
// too long. The lock is held.
func (h *hub) limitOf(r *registration, now time.Time) (since, over time.Time) {
	switch {
	case !r.settled:
		since = now // BreakByKey is still waiting, and returns an error if there is no answer
	case h.contact.After(r.since):
		since = h.contact
	default:
		since = r.since
	}
	return since, since.Add(r.silence)
}
