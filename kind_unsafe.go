package breaker

import "unsafe"

// The kinds of a breaker. Each but the first is a struct that begins with a Breaker and adds what its source
// needs; the user holds a pointer to the Breaker in it. The kind is in the state word, from construction on, so
// finding the rest costs no memory: an interface or a pointer would take 16 or 8 bytes of every breaker.
//
// The order matters: those from kindNode on are nodes, the others leaves.
const (
	kindPlain    uint32 = iota // a Breaker and nothing else
	kindWatch                  // watch
	kindTimeout                // timeoutBreaker, which begins with timed
	kindDeadline               // deadlineBreaker, the same
	kindContext                // contextBreaker
	kindNode                   // node: Multiplex
	kindSignal                 // node
	kindChannel                // channelBreaker, which begins with node
	kindView                   // viewBreaker, the same
)

func (b *Breaker) kind() uint32 { return b.state.Load() >> kindShift }

// Each of these is valid only for a breaker of the kind, or of a kind that begins with it.

func watchOf(b *Breaker) *watch              { return (*watch)(unsafe.Pointer(b)) }
func timedOf(b *Breaker) *timed              { return (*timed)(unsafe.Pointer(b)) }
func timeoutOf(b *Breaker) *timeoutBreaker   { return (*timeoutBreaker)(unsafe.Pointer(b)) }
func deadlineOf(b *Breaker) *deadlineBreaker { return (*deadlineBreaker)(unsafe.Pointer(b)) }
func contextOf(b *Breaker) *contextBreaker   { return (*contextBreaker)(unsafe.Pointer(b)) }
func nodeOf(b *Breaker) *node                { return (*node)(unsafe.Pointer(b)) }
func channelOf(b *Breaker) *channelBreaker   { return (*channelBreaker)(unsafe.Pointer(b)) }
func viewOf(b *Breaker) *viewBreaker         { return (*viewBreaker)(unsafe.Pointer(b)) }

// callbackOf returns the callback that begins with r. Only for a registration that isn't a link's.
func callbackOf(r *registration) *callback { return (*callback)(unsafe.Pointer(r)) }

// linkOf returns the link that begins with r. Only for a registration with isLink.
func linkOf(r *registration) *link { return (*link)(unsafe.Pointer(r)) }

// next returns the link behind l, or nil if l is the last of its node's. The links of a node are one array (see node.over).
func (l *link) next() *link {
	if l.isLast {
		return nil
	}
	return (*link)(unsafe.Add(unsafe.Pointer(l), unsafe.Sizeof(*l)))
}
