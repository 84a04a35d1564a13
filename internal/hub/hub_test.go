package hub_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/internal/hub"
)

// entry is what these tests share: it counts how often it was ended.
type entry struct {
	hub.Entry
	ended atomic.Int32
}

// entries is a map that knows all entries that were started in it.
type entries struct {
	hub.Map[*entry]
	mu  sync.Mutex
	all []*entry
}

func (m *entries) start() *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := new(entry)
	m.all = append(m.all, e)
	return e
}

func (m *entries) leave(e *entry) {
	if m.Leave(e) {
		e.ended.Add(1)
	}
}

// requireEmpty checks that each entry was ended once, and none is left.
func (m *entries) requireEmpty(t *testing.T, keys ...any) {
	t.Helper()
	for _, e := range m.all {
		require.EqualValues(t, 1, e.ended.Load(), "an entry wasn't ended once")
	}
	for _, key := range keys {
		require.False(t, m.Holds(key), "left in the map: %v", key)
	}
}

func TestJoin_SharesOneForEachKey(t *testing.T) {
	// promise 11
	var m entries
	a, found := m.Join("a", m.start)
	require.False(t, found)
	b, found := m.Join("b", m.start)
	require.False(t, found)
	require.False(t, a == b)
	for range 3 {
		again, found := m.Join("a", m.start)
		require.True(t, found)
		require.True(t, a == again)
	}
	require.Len(t, m.all, 2)
	for range 4 {
		m.leave(a)
	}
	m.leave(b)
	m.requireEmpty(t, "a", "b")
}

func TestLeave_TheLastOneEndsIt(t *testing.T) {
	// promise 10
	var m entries
	first, _ := m.Join("key", m.start)
	m.Join("key", m.start)
	require.False(t, m.Leave(first))
	require.True(t, m.Holds("key"))
	require.True(t, m.Leave(first))
	require.False(t, m.Holds("key"))

	second, found := m.Join("key", m.start)
	require.False(t, found)
	require.False(t, first == second)
	require.True(t, m.Leave(second))
}

func TestFind_StartsNothing(t *testing.T) {
	var m entries
	none, found := m.Find("key")
	require.False(t, found)
	require.Nil(t, none)

	e, _ := m.Join("key", m.start)
	again, found := m.Find("key")
	require.True(t, found)
	require.True(t, e == again)
	require.False(t, m.Leave(e), "Find hasn't joined")
	require.True(t, m.Leave(e))
	_, found = m.Find("key")
	require.False(t, found)
}

func TestRemove_TheNextGetsAnother(t *testing.T) {
	// promise 12
	var m entries
	first, _ := m.Join("key", m.start)
	m.Remove(first)
	_, found := m.Find("key")
	require.False(t, found)
	second, found := m.Join("key", m.start)
	require.False(t, found)
	require.False(t, first == second)

	// What is late with the first doesn't reach the second.
	m.Remove(first)
	m.leave(first)
	third, found := m.Find("key")
	require.True(t, found)
	require.True(t, second == third)
	m.leave(second)
	m.leave(third)
	m.requireEmpty(t, "key")
}

func TestJoin_APanicChangesNothing(t *testing.T) {
	// promise 8
	var m entries
	require.PanicsWithValue(t, "no", func() { m.Join("key", func() *entry { panic("no") }) })
	require.False(t, m.Holds("key"))
	e, found := m.Join("key", m.start)
	require.False(t, found)
	m.Remove(e) // and the lock is free
	m.leave(e)
	m.requireEmpty(t, "key")
}

func TestJoin_AllocatesNothingIfThereIsOne(t *testing.T) {
	// promise 17
	var m entries
	key := any(make(chan struct{}))
	start := m.start
	e, _ := m.Join(key, start)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		m.Join(key, start)
		m.Find(key)
		m.Leave(e)
		m.Leave(e)
	}))
	m.leave(e)
	m.requireEmpty(t, key)
}

// The occasion comes as soon as the entry has been started, before Join has returned.
func TestRemove_OvertakesJoin(t *testing.T) {
	// promise 12
	for range 1000 {
		var m entries
		removed := make(chan struct{})
		e, _ := m.Join("key", func() *entry {
			e := m.start()
			go func() {
				m.Remove(e)
				close(removed)
			}()
			return e
		})
		<-removed
		require.False(t, m.Holds("key"), "it would tell those who come later")
		m.leave(e)
	}
}

// Whoever joins while the last one leaves gets an entry that goes on.
func TestJoin_AgainstTheLastLeave(t *testing.T) {
	// promise 11
	for i := range 3000 {
		var m entries
		leaving, _ := m.Join("key", m.start)
		var joined *entry
		var all sync.WaitGroup
		begin := make(chan struct{})
		leave := func() { <-begin; m.leave(leaving) }
		join := func() { <-begin; joined, _ = m.Join("key", m.start) }
		if i%2 == 0 {
			leave, join = join, leave
		}
		all.Go(leave)
		all.Go(join)
		close(begin)
		all.Wait()
		require.Zero(t, joined.ended.Load())
		m.leave(joined)
		m.requireEmpty(t, "key")
	}
}

func TestMap_UnderChurn(t *testing.T) {
	// promise 10, promise 11
	var m entries
	keys := []any{"a", "b", "c"}
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 5000 {
				key := keys[(i+w)%len(keys)]
				e, found := m.Find(key)
				if !found {
					e, _ = m.Join(key, m.start)
				}
				assert.Zero(t, e.ended.Load())
				if i%7 == 0 {
					m.Remove(e)
				}
				assert.Zero(t, e.ended.Load())
				m.leave(e)
			}
		})
	}
	all.Wait()
	m.requireEmpty(t, keys...)
}
