package breakernats

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// rewatchMin and rewatchMax bound the time between attempts to start a new watch.
	rewatchMin = 100 * time.Millisecond
	rewatchMax = 500 * time.Millisecond
)

// watch is one subscription to the keys of a hub. It begins with the present state of all keys.
type watch struct {
	watcher jetstream.KeyWatcher
	// cancel ends a goroutine of the subscription that an ended connection would leave behind.
	cancel context.CancelFunc
	// ended is closed when there will be no more updates, and all have been delivered.
	ended chan struct{}
	// seen is the highest revision that has been delivered.
	seen atomic.Uint64
}

// newWatch subscribes and starts to read. The context is only for the subscribing.
func newWatch(ctx context.Context, h *hub) (*watch, error) {
	life, cancel := context.WithCancel(context.Background())
	// The subscription ends with the context that it was made with.
	stop := context.AfterFunc(ctx, cancel)
	watcher, err := h.store.kv.Watch(life, h.pattern)
	if !stop() {
		if err == nil {
			_ = watcher.Stop()
		}
		err = ctx.Err()
	}
	if errors.Is(err, nats.ErrStreamNotFound) {
		err = jetstream.ErrBucketNotFound
	}
	if err != nil {
		cancel()
		return nil, err
	}
	w := &watch{watcher: watcher, cancel: cancel, ended: make(chan struct{})}
	go w.read(h)
	return w, nil
}

// read delivers the updates. It never blocks on anything that a user does: the channel holds few, and beyond those
// the whole subscription waits.
func (w *watch) read(h *hub) {
	defer close(w.ended)
	for update := range w.watcher.Updates() {
		if update == nil {
			continue // that was the initial state
		}
		h.deliver(entry{
			key:      update.Key(),
			revision: update.Revision(),
			deleted:  update.Operation() != jetstream.KeyValuePut,
			value:    update.Value(),
			created:  update.Created(),
		})
		if revision := update.Revision(); revision > w.seen.Load() {
			w.seen.Store(revision)
		}
	}
}

// close ends the watch, and waits until it has ended. The server is asked to forget its side, and does so
// anyway after a few seconds, so it doesn't matter if it can't be asked.
func (w *watch) close() {
	_ = w.watcher.Stop()
	w.cancel()
	<-w.ended
}

// keepWatch starts a new watch after the connection was lost, after the server has ended the present one, and
// when a pulse has found out that it misses something. A new watch begins with the state, so it doesn't matter
// what was missed.
//
// The subscription recovers by itself from much, but not from all, and later: it waits for two heartbeats of 5
// s, and goes on after the revision that it has seen, which is wrong for a bucket that was made anew.
func (h *hub) keepWatch(statuses chan nats.Status) {
	w := h.watch
	defer func() {
		h.end()
		h.store.nc.RemoveStatusListener(statuses)
		w.close()
	}()
	retry := time.NewTimer(0)
	defer retry.Stop()
	retry.Stop()
	wait, ended := rewatchMin, w.ended
	for {
		select {
		case <-h.life.Done():
			return
		case status, ok := <-statuses:
			if !ok || status == nats.CLOSED {
				h.disconnect()
				return
			}
		case <-h.outdated:
		case <-ended:
			ended = nil
		case <-retry.C:
		}
		if h.store.nc.IsClosed() {
			h.disconnect()
			return
		}
		fresh, err := h.rewatch()
		if err != nil {
			retry.Reset(wait)
			wait = min(2*wait, rewatchMax)
			continue
		}
		retry.Stop()
		old := w
		w, wait, ended = fresh, rewatchMin, fresh.ended
		h.mu.Lock()
		h.watch = w
		h.counts.Watches++
		h.mu.Unlock()
		signal(h.quicken)
		old.close()
	}
}

// rewatch makes one attempt to start a new watch.
func (h *hub) rewatch() (w *watch, err error) {
	err = h.store.try(h.life, attempt, h.store.watches(h.pattern), func(ctx context.Context) error {
		w, err = newWatch(ctx, h)
		return err
	})
	return w, err
}
