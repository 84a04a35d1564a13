package breaker

import "context"

// MultiplexTwo returns Multiplex of two breakers.
//
// Deprecated: use Multiplex.
func MultiplexTwo(one, two Interface) *Breaker { return Multiplex(one, two) }

// MultiplexThree returns Multiplex of three breakers.
//
// Deprecated: use Multiplex.
func MultiplexThree(one, two, three Interface) *Breaker { return Multiplex(one, two, three) }

// WithContext returns a breaker over ctx, and the context that is done when the breaker trips.
//
// Deprecated: use BreakByContext and ToContext.
func WithContext(ctx context.Context) (Interface, context.Context) {
	return withContext(BreakByContext(ctx, nil))
}

func withContext(b *Breaker) (Interface, context.Context) { return b, ToContext(b) }

// IsReleased reports whether the breaker has tripped.
//
// Deprecated: use Err() != nil.
func (b *Breaker) IsReleased() bool { return b.Err() != nil }
