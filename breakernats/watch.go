package breakernats

import (
	"context"
	"errors"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/kamilsk/breaker/breakercluster"
)

// watch is one subscription. It begins with the present state of all keys, and ends when the
// connection was lost.
//
// The subscription recovers by itself from most failures, but later: it waits for two heartbeats of
// 5 s. It then goes on after the last revision that it has seen, which is wrong for a bucket that
// was made anew.
type watch struct {
	watcher jetstream.KeyWatcher
	nc      *nats.Conn
	// statuses tells of reconnections.
	statuses chan nats.Status
	// cancel ends a goroutine of the subscription that an ended connection would leave behind.
	cancel context.CancelFunc
	stop   sync.Once
	done   chan struct{}
}

// Watch subscribes to the whole state, whatever is asked for: a bucket that was made anew begins
// its revisions again.
func (s *store) Watch(ctx context.Context, pattern string, _ uint64, deliver func(breakercluster.Entry)) (breakercluster.Watch, error) {
	w := &watch{nc: s.nc, done: make(chan struct{}), statuses: s.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)}
	pattern = subjectOf(pattern)
	err := s.answered(ctx, s.watches(pattern), func(ctx context.Context) (err error) {
		var life context.Context
		life, w.cancel = context.WithCancel(context.Background())
		// The subscription ends with the context that it was made with.
		stop := context.AfterFunc(ctx, w.cancel)
		w.watcher, err = s.kv.Watch(life, pattern)
		if !stop() {
			if err == nil {
				_ = w.watcher.Stop()
			}
			err = ctx.Err()
		}
		if errors.Is(err, nats.ErrStreamNotFound) {
			err = jetstream.ErrBucketNotFound
		}
		return err
	})
	if err != nil {
		s.nc.RemoveStatusListener(w.statuses)
		if w.cancel != nil {
			w.cancel()
		}
		return nil, err
	}
	go w.read(deliver)
	return w, nil
}

// read delivers the updates. It never blocks on anything that a user does: the channel holds few,
// and beyond those the whole subscription waits.
func (w *watch) read(deliver func(breakercluster.Entry)) {
	defer close(w.done)
	defer w.nc.RemoveStatusListener(w.statuses)
	updates := w.watcher.Updates()
	for {
		select {
		case update, ok := <-updates:
			if !ok {
				return
			}
			if update == nil {
				continue // that was the initial state
			}
			deliver(breakercluster.Entry{
				Key:      update.Key(),
				Revision: update.Revision(),
				Deleted:  update.Operation() != jetstream.KeyValuePut,
				Value:    update.Value(),
				Created:  update.Created(),
			})
		case <-w.statuses:
			w.Stop()
			return
		}
	}
}

// Done is closed when there will be no more updates, and all have been delivered.
func (w *watch) Done() <-chan struct{} { return w.done }

// Stop ends the watch. The server is asked to forget its side, and does so anyway after a few
// seconds, so it doesn't matter if it can't be asked.
func (w *watch) Stop() {
	w.stop.Do(func() {
		_ = w.watcher.Stop()
		w.cancel()
	})
}
