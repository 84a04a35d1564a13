// Package breakernats has the names of the real one, and nothing in them.
package breakernats

import (
	"context"

	"github.com/kamilsk/breaker"
)

type Bucket struct{ last *breaker.Breaker }

func (b *Bucket) BreakByKey(ctx context.Context, key string) (*breaker.Breaker, error) {
	return b.last, nil
}
