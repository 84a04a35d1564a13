package clustertest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/kamilsk/breaker/breakercluster"
)

// Memory is a Store within one process, for tests of programs that use a Bucket. Its keys don't
// expire. All its methods may be called concurrently.
type Memory struct {
	name string

	mu       sync.Mutex
	log      []breakercluster.Entry
	watchers map[*memoryWatch]struct{}
}

// NewMemory returns an empty Memory.
func NewMemory(name string) *Memory {
	return &Memory{name: name, watchers: make(map[*memoryWatch]struct{})}
}

// About implements breakercluster.Store.
func (m *Memory) About() breakercluster.About {
	return breakercluster.About{Name: m.name, Identity: m}
}

// Create implements breakercluster.Store.
func (m *Memory) Create(
	_ context.Context, key string, value []byte, _ time.Duration,
) (breakercluster.Entry, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, set := m.newest(key); set {
		return e, false, nil
	}
	e := breakercluster.Entry{Key: key, Revision: uint64(len(m.log)) + 1, Value: value, Created: time.Now()}
	m.log = append(m.log, e)
	for w := range m.watchers {
		w.wake()
	}
	return e, true, nil
}

// Newest implements breakercluster.Store.
func (m *Memory) Newest(_ context.Context, pattern string) (breakercluster.Entry, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, set := m.newest(pattern)
	return e, set, nil
}

func (m *Memory) newest(pattern string) (breakercluster.Entry, bool) {
	for i := len(m.log) - 1; i >= 0; i-- {
		if matches(pattern, m.log[i].Key) {
			return m.log[i], true
		}
	}
	return breakercluster.Entry{}, false
}

func matches(pattern, key string) bool {
	if prefix, any := strings.CutSuffix(pattern, breakercluster.Any); any {
		return strings.HasPrefix(key, prefix)
	}
	return pattern == key
}

// Watch implements breakercluster.Store.
func (m *Memory) Watch(
	_ context.Context, pattern string, after uint64, deliver func(breakercluster.Entry),
) (breakercluster.Watch, error) {
	w := &memoryWatch{
		m: m, pattern: pattern, next: int(after), deliver: deliver,
		more: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	w.wake()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers[w] = struct{}{}
	go w.run()
	return w, nil
}

type memoryWatch struct {
	m                *Memory
	pattern          string
	next             int
	deliver          func(breakercluster.Entry)
	more, stop, done chan struct{}
	once             sync.Once
}

func (w *memoryWatch) wake() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (w *memoryWatch) run() {
	defer close(w.done)
	for {
		select {
		case <-w.stop:
			w.m.mu.Lock()
			defer w.m.mu.Unlock()
			delete(w.m.watchers, w)
			return
		case <-w.more:
		}
		w.m.mu.Lock()
		fresh := w.m.log[w.next:]
		w.next = len(w.m.log)
		w.m.mu.Unlock()
		for _, e := range fresh {
			if matches(w.pattern, e.Key) {
				w.deliver(e)
			}
		}
	}
}

// Done implements breakercluster.Watch.
func (w *memoryWatch) Done() <-chan struct{} { return w.done }

// Stop implements breakercluster.Watch.
func (w *memoryWatch) Stop() { w.once.Do(func() { close(w.stop) }) }
