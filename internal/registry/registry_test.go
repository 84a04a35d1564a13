package registry

import (
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/internal/testkit/mode"
)

const (
	sizeOfBlock   = unsafe.Sizeof(directoryBlock[node, tag]{})
	offsetOfSlots = unsafe.Offsetof(directoryBlock[node, tag]{}.array)
)

// numbers of entries that reach each place, and its edges.
var numbers = []int{0, 1, 2, 3, 31, 32, 33, 34, 100, 247, 248, 249, 281, 1_000, 20_000}

func TestSize_OfEntryAndRegistry(t *testing.T) {
	assert.Equal(t, 8+2*word, unsafe.Sizeof(entry{}))
	assert.Equal(t, 2*word, unsafe.Sizeof(tests{}))
}

func TestPut_AllocatesNothing(t *testing.T) {
	for _, others := range []int{0, 2, 1_000} {
		g := new(tests)
		for range others {
			g.Put(newCallback(func() {}))
		}
		entries := make([]entry, 1_001)
		i := 0
		allocs := testing.AllocsPerRun(1_000, func() {
			g.Put(&entries[i])
			g.Take(&entries[i])
			i++
		})
		if !mode.Race && testing.CoverMode() == "" {
			assert.Zero(t, allocs, "among %d", others)
		}
	}
}

// promise 7: of two that take the same entry, one gets it, wherever it is.
func TestTake_Once(t *testing.T) {
	for _, n := range numbers {
		for name, build := range map[string]func() *entry{
			"callbacks": func() *entry { return newCallback(func() {}) },
			"links":     func() *entry { return newLink(func() {}) },
		} {
			t.Run(name+": "+strconv.Itoa(n), func(t *testing.T) {
				g, all := new(tests), make([]*entry, n)
				for i := range all {
					all[i] = build()
					at := g.Put(all[i])
					require.Same(t, all[i], at.Load())
				}
				slots, taken := g.Slots()
				assert.Equal(t, n, taken)
				assert.GreaterOrEqual(t, slots, n)
				assert.Equal(t, n == 0, g.IsEmpty())
				for left, i := range rand.Perm(n) {
					require.True(t, g.Take(all[i]), "%d are out", left)
					require.False(t, g.Take(all[i]))
					require.Nil(t, all[i].Drop(), "it keeps its callback")
				}
				_, taken = g.Slots()
				assert.Zero(t, taken)
				assert.Equal(t, n < 2, g.IsEmpty(), "the base stays")
			})
		}
	}
}

func TestPut_ComingAndGoingTakesOneSlot(t *testing.T) {
	g := new(tests)
	for range 1_000 {
		e := newCallback(func() {})
		g.Put(e)
		require.True(t, g.Take(e))
	}
	slots, _ := g.Slots()
	assert.Equal(t, 1, slots)
}

// promise 10: what has been forgotten is out, but for what is being put: that is taken back.
func TestForget_AndTakeBack(t *testing.T) {
	for _, n := range numbers[1:] {
		g := new(tests)
		var last *entry
		var at *Slot[node, tag]
		for range n {
			last = newCallback(func() {})
			at = g.Put(last)
		}
		g.Forget()
		slots, _ := g.Slots()
		assert.LessOrEqual(t, slots, 1+baseSlots)
		require.True(t, TakeBack(at, last))
		require.False(t, TakeBack(at, last))
		require.False(t, g.Take(last))
		require.NotNil(t, last.Drop())
		g.Forget()
	}
}

// promise 6: links come first and stay, callbacks leave, each is found once.
func TestSweep_FindsEachOnce(t *testing.T) {
	for _, n := range numbers {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			g, told := new(tests), make([]int, n)
			for i := range told {
				if i%3 == 0 {
					g.Put(newLink(func() { told[i]++ }))
				} else {
					g.Put(newCallback(func() { told[i]++ }))
				}
			}
			links, found := sweep{Class: Links}, 0
			for e := links.NextLink(g); e != nil; e = links.NextLink(g) {
				e.Node.tell()
				found++
			}
			assert.Equal(t, (n+2)/3, found)
			assert.Nil(t, links.NextLink(g), "it has ended")
			_, taken := g.Slots()
			assert.Equal(t, n, taken, "links stay")

			callbacks := sweep{Class: Callbacks}
			for e := callbacks.NextCallback(g); e != nil; e = callbacks.NextCallback(g) {
				e.Drop()()
				require.Nil(t, e.Drop())
			}
			_, taken = g.Slots()
			assert.Equal(t, found, taken, "callbacks leave")
			for i := range told {
				require.Equal(t, 1, told[i], "number %d of %d", i, n)
			}
		})
	}
}

// Whatever is read ahead is about to come: each link of the directory is in one run, and before it
// comes.
func TestSweep_ReadsAheadEachOnce(t *testing.T) {
	for _, n := range numbers {
		g := new(tests)
		for range n {
			g.Put(newLink(func() {}))
		}
		seen := make(map[*entry]int)
		links := sweep{Class: Links}
		for e := links.NextLink(g); e != nil; e = links.NextLink(g) {
			ahead := links.Ahead()
			require.Nil(t, links.Ahead(), "once for each run")
			require.LessOrEqual(t, len(ahead), lookAhead)
			for i := range ahead {
				if e := ahead[i].Load(); e != nil {
					seen[e]++
				}
			}
			if e.where.Get() > 0 {
				require.Equal(t, 1, seen[e], "among %d", n)
			} else {
				require.Zero(t, seen[e], "a few needn't be read ahead")
			}
		}
	}
}

func TestHasAtMost_OneOrNone(t *testing.T) {
	g := new(tests)
	link, callback := newLink(func() {}), newCallback(func() {})
	assert.True(t, g.HasAtMost(link))
	assert.True(t, g.HasAtMostLink())
	g.Put(link)
	assert.True(t, g.HasAtMost(link))
	assert.False(t, g.HasAtMost(callback))
	assert.True(t, g.HasAtMostLink())
	g.Take(link)
	g.Put(callback)
	assert.True(t, g.HasAtMost(callback))
	assert.False(t, g.HasAtMost(link))
	assert.False(t, g.HasAtMostLink())
	other := newCallback(func() {})
	g.Put(other)
	g.Take(other)
	g.Take(callback)
	assert.False(t, g.HasAtMost(callback), "there is a base")
	assert.False(t, g.HasAtMostLink())
	assert.False(t, g.IsEmpty())
}

func TestExtra_IsOnePlace(t *testing.T) {
	g, x := new(tests), 1
	assert.Nil(t, g.Extra().Load())
	g.Extra().Store(&x)
	for range 1_000 {
		g.Put(newCallback(func() {}))
	}
	g.Forget()
	assert.Same(t, &x, g.Extra().Load())
}

// promise 6 and promise 7: goroutines put and take while the event comes at a random moment. Each
// entry is told, taken or late, and only one of them.
func TestRegistry_ExactlyOnce(t *testing.T) {
	const clerks = 4
	for range scaled(50) {
		type record struct {
			told        atomic.Int32
			taken, late bool
		}
		var (
			v      event
			group  sync.WaitGroup
			ledger [clerks][500]record
			moment = rand.IntN(len(ledger[0]))
		)
		for clerk := range ledger {
			group.Go(func() {
				for i := range ledger[clerk] {
					if clerk == 0 && i == moment {
						v.come()
					}
					r := &ledger[clerk][i]
					e := newCallback(func() { r.told.Add(1) })
					r.late = !v.put(e)
					if !r.late && i%2 == 0 {
						r.taken = v.g.Take(e)
					}
				}
			})
		}
		group.Wait()
		for clerk := range ledger {
			for i := range ledger[clerk] {
				r := &ledger[clerk][i]
				times := r.told.Load()
				if r.taken {
					times++
				}
				if r.late {
					times++
				}
				require.Equal(t, int32(1), times, "told %d times, taken %v, late %v", r.told.Load(), r.taken, r.late)
			}
		}
		_, taken := v.g.Slots()
		require.Zero(t, taken)
	}
}

// scaled returns n, or less where everything takes longer.
func scaled(n int) int {
	if mode.Race {
		return n / 10
	}
	return n
}

// heapGrown returns by how much the live heap is larger after f than before.
func heapGrown(f func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// fill puts so many callbacks.
func fill(g *tests, n int, f func()) []*entry {
	all := make([]*entry, n)
	for i := range all {
		all[i] = newCallback(f)
		g.Put(all[i])
	}
	return all
}

// promise 17: the registry grows and shrinks while others come and go in it; nothing is lost on the
// way.
func TestRegistry_GrowsAndShrinksUnderLoad(t *testing.T) {
	const clerks = 4
	burst := scaled(20_000)
	var (
		v     event
		clerk sync.WaitGroup
		runs  atomic.Int64
		kept  atomic.Int64
	)
	for i := range clerks {
		clerk.Go(func() {
			random := rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))
			all := make([]*entry, 0, burst)
			for range 5 {
				all = append(all, fill(&v.g, burst/2+random.IntN(burst/2), func() { runs.Add(1) })...)
				random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				for _, e := range all[10:] {
					if !v.g.Take(e) {
						t.Error("nobody else takes it, and there is no sweep")
						return
					}
				}
				all = all[:10]
			}
			kept.Add(int64(len(all)))
		})
	}
	clerk.Wait()
	_, taken := v.g.Slots()
	assert.Equal(t, int(kept.Load()), taken)
	v.come()
	assert.Equal(t, kept.Load(), runs.Load())
}

// promise 17: 1,000,000 entries, and what they take besides themselves.
func TestRegistry_MillionAtOnce(t *testing.T) {
	n := scaled(1_000_000)
	var v event
	runs := 0
	count := func() { runs++ }
	grown := heapGrown(func() {
		for range n {
			v.g.Put(newCallback(count))
		}
	})
	slots, taken := v.g.Slots()
	assert.Equal(t, n, taken)
	own := int64(n) * int64(unsafe.Sizeof(entry{}))
	perSlot := float64(grown-own) / float64(n)
	t.Logf("%d slots for %d entries, %.1f bytes for each", slots, n, perSlot)
	if !mode.Race && !mode.Pure {
		assert.Less(t, perSlot, 17.0)
	}
	assert.Less(t, slots, 3*n)
	v.come()
	assert.Equal(t, n, runs)
}

// promise 17: a burst of entries gives its memory back, in whatever order they end.
func TestRegistry_MemoryAfterBurst(t *testing.T) {
	n := scaled(1_000_000)
	g := new(tests)
	for name, order := range map[string]func(i int) int{
		"first in, first out": func(i int) int { return i },
		"last in, first out":  func(i int) int { return n - 1 - i },
		"even, then odd": func(i int) int {
			if i < n/2 {
				return 2 * i
			}
			return 2*(i-n/2) + 1
		},
		// No factor in common with n.
		"far apart": func(i int) int { return int(int64(i) * 7_654_321 % int64(n)) },
	} {
		t.Run(name, func(t *testing.T) {
			all := make([]*entry, n)
			grown := heapGrown(func() {
				for i := range all {
					all[i] = newCallback(func() {})
					g.Put(all[i])
				}
				for i := range all {
					at := order(i)
					if !g.Take(all[at]) {
						require.FailNow(t, "not taken", "number %d", at)
					}
					all[at] = nil
				}
			})
			runtime.KeepAlive(all)
			slots, taken := g.Slots()
			t.Logf("heap: %+d bytes, %d slots", grown, slots)
			assert.Zero(t, taken)
			assert.Less(t, grown, int64(1<<20))
		})
	}
}

// promise 17: a few of a burst that stay keep the blocks they are in, and not the size of the
// whole.
func TestRegistry_MemoryAfterBurstButForAFew(t *testing.T) {
	n, few := scaled(1_000_000), scaled(2_000)
	g := new(tests)
	all := fill(g, n, func() {})
	rand.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, e := range all[few:] {
		require.True(t, g.Take(e))
	}
	slots, taken := g.Slots()
	t.Logf("%d slots for %d entries", slots, few)
	assert.Equal(t, few, taken)
	assert.Less(t, slots, (few+64)*256, "more than a block for each")
	for _, e := range all[:few] {
		require.True(t, g.Take(e))
	}
	slots, taken = g.Slots()
	assert.Zero(t, taken)
	assert.Less(t, slots, 64*256)
}

// promise 17: when half of a burst has gone, or all of it in some places, whatever comes finds the
// room that was made for the whole, instead of having it made again. When next to none is left it
// is given back, down to the least.
func TestRegistry_KeepsItsRoomWhileItIsUsed(t *testing.T) {
	n := 4_000 * int(minSpan)
	g := new(tests)
	all := fill(g, n, func() {})
	span := func() uint32 { return g.base.Load().directories[Callbacks].Load().span.Load() }
	peak := span()
	require.Greater(t, peak, 8*minSpan)
	take := func(i int) {
		if all[i] != nil {
			require.True(t, g.Take(all[i]))
			all[i] = nil
		}
	}
	for i := range n / 10 {
		take(i)
	}
	assert.Equal(t, peak, span(), "all have gone that came next to each other, in a tenth of it")
	for i := 0; i < n; i += 2 {
		take(i)
	}
	assert.Equal(t, peak, span(), "every second has gone, everywhere")
	for i := range n {
		take(i)
	}
	assert.Equal(t, minSpan, span())
}
