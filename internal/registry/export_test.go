package registry

import (
	"unsafe"

	"github.com/kamilsk/breaker/internal/atomic"
)

// The types of the tests. A tag has the three bytes that cost nothing.
type (
	tests = Registry[node, tag, int]
	entry = Entry[node, tag]
	sweep = Sweep[node, tag, int]
	tag   [3]uint8
)

// node is told of an event.
type node struct {
	link entry
	tell func()
	_    [4]uintptr // so that it isn't smaller than those that are listened with
}

func newLink(tell func()) *entry {
	n := &node{tell: tell}
	n.link.Node = n
	return &n.link
}

func newCallback(f func()) *entry { return NewCallback[node, tag](f) }

// event is an owner as doc.go describes it.
type event struct {
	word atomic.Uint32 // 0, then 1 when it has come, then 2 when that is over
	g    tests
}

// put reports whether e is registered. Otherwise the event has come, and won't see e.
func (v *event) put(e *entry) bool {
	if v.word.Load() != 0 {
		return false
	}
	at := v.g.Put(e)
	if v.word.Load() == 0 {
		return true
	}
	back := TakeBack(at, e)
	if v.word.Load() == 2 {
		v.g.Forget()
	}
	return !back
}

// come tells all.
func (v *event) come() {
	if !v.word.CompareAndSwap(0, 1) {
		return
	}
	links := sweep{Class: Links}
	for e := links.NextLink(&v.g); e != nil; e = links.NextLink(&v.g) {
		e.Node.tell()
		v.g.Take(e)
	}
	callbacks := sweep{Class: Callbacks}
	for e := callbacks.NextCallback(&v.g); e != nil; e = callbacks.NextCallback(&v.g) {
		e.Drop()()
	}
	v.word.Store(2)
	v.g.Forget()
}

const word = unsafe.Sizeof(uintptr(0))
