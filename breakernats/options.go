package breakernats

import (
	"fmt"
	"time"

	"github.com/kamilsk/breaker/breakercluster"
)

// DefaultTTL is the time after which a key expires, if the bucket has no TTL of its own and WithTTL
// sets none.
const DefaultTTL = breakercluster.DefaultTTL

// config is what the options set.
type config struct {
	cluster []breakercluster.Option
	ttl     time.Duration
}

// An Option changes what Open returns.
type Option func(*config) error

// checked is an Option of package breakercluster, whose error is that of Open.
func checked(option breakercluster.Option) Option {
	return func(c *config) error {
		c.cluster = append(c.cluster, option)
		return asNATS(breakercluster.Check(option))
	}
}

// WithPrefix restricts the Bucket to keys that begin with the prefix and a dot. You pass its
// methods the rest of the key. Only keys with the prefix are watched. A Bucket with a prefix and
// one without don't share a watch.
func WithPrefix(prefix string) Option { return checked(breakercluster.WithPrefix(prefix)) }

// WithName sets the name of this process in a TripError. By default it is the host and the process
// ID, as in "api-1/4711". Beyond 128 bytes it is cut.
func WithName(name string) Option { return checked(breakercluster.WithName(name)) }

// WithTTL sets the time after which a key that this Bucket sets expires, at least a second. The
// bucket has to allow that: see LimitMarkerTTL of jetstream.KeyValueConfig. Without this option,
// the TTL of the bucket counts, or DefaultTTL if it has none.
func WithTTL(ttl time.Duration) Option {
	return func(c *config) error {
		c.ttl = ttl
		if ttl < time.Second {
			return fmt.Errorf("breakernats: WithTTL: %v is less than a second", ttl)
		}
		return nil
	}
}

// WithSilence trips the breakers of the Bucket, with a SilenceError, when there was no contact for
// the given time. It is a dead man's switch for work that must not go on while it can't be told to
// stop. Without this option they stay open, and trip when the contact is back and their key is set.
//
// Contact means that the leader of the bucket has answered with the newest revision, and that the
// watch has seen it. The leader is asked every 2 s, and at least 4 times within the silence. An
// election in the cluster is a silence, too, usually of 4 to 9 s. A leader that is cut off from the
// others notices that after 10 to 20 s. Until then its answers count as contact.
func WithSilence(silence time.Duration) Option { return checked(breakercluster.WithSilence(silence)) }

// WithHoldOnClose keeps the breakers of the Bucket open when the connection is closed for good,
// unless WithSilence trips them. Their key can't trip them any more then. Without this option they
// trip with a ConnectionError.
func WithHoldOnClose() Option { return checked(breakercluster.WithHoldOnClose()) }

// WithContactHook calls f when the contact of this Bucket's watch is lost, and when it is back. Use
// it for logs, metrics and health checks. See breakercluster.WithContactHook. It panics if f is
// nil.
func WithContactHook(f func(Contact)) Option {
	if f == nil {
		panic("breakernats: WithContactHook: f is nil")
	}
	return checked(breakercluster.WithContactHook(f))
}
