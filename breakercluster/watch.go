package breakercluster

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// rewatchMin and rewatchMax bound the time between attempts to start a new watch.
	rewatchMin = 100 * time.Millisecond
	rewatchMax = 500 * time.Millisecond
)

// watch is one subscription to the keys of a hub.
type watch struct {
	Watch
	// seen is the highest revision that has been delivered.
	seen atomic.Uint64
}

// newWatch subscribes to what comes after the given revision.
func (h *hub) newWatch(ctx context.Context, after uint64) (w *watch, err error) {
	w = new(watch)
	w.seen.Store(after)
	w.Watch, err = h.store.Watch(ctx, h.pattern, after, func(e Entry) {
		h.deliver(e)
		if e.Revision > w.seen.Load() {
			w.seen.Store(e.Revision)
		}
	})
	return w, err
}

func (w *watch) close() {
	w.Stop()
	<-w.Done()
}

// keepWatch starts a new watch when the present one has ended, or when a pulse has found that it
// misses something. In the second case the new watch begins with all that is set, because the
// revisions may have begun again.
func (h *hub) keepWatch() {
	w := h.watch
	defer func() {
		h.end()
		w.close()
	}()
	retry := time.NewTimer(0)
	defer retry.Stop()
	retry.Stop()
	wait, limit, ended, anew := rewatchMin, attempt, w.Done(), false
	for {
		select {
		case <-h.life.Done():
			return
		case <-h.outdated:
			anew = true
		case <-ended:
			ended = nil
		case <-retry.C:
		}
		after := w.seen.Load()
		if anew {
			after = 0
		}
		fresh, err := h.rewatch(after, limit)
		if isGone(err) {
			h.disconnect(err)
			return
		}
		if err != nil {
			retry.Reset(wait)
			wait, limit = min(2*wait, rewatchMax), longer(limit)
			continue
		}
		retry.Stop()
		old := w
		w, wait, limit, ended, anew = fresh, rewatchMin, attempt, fresh.Done(), false
		h.mu.Lock()
		h.watch = w
		h.counts.Watches++
		h.mu.Unlock()
		signal(h.quicken)
		old.close()
	}
}

// rewatch makes one attempt to start a new watch.
func (h *hub) rewatch(after uint64, limit time.Duration) (w *watch, err error) {
	err = try(h.life, limit, func(ctx context.Context) error {
		w, err = h.newWatch(ctx, after)
		return err
	})
	return w, err
}
