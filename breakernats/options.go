package breakernats

import (
	"fmt"
	"time"

	"github.com/kamilsk/breaker/breakercluster"
)

// DefaultTTL is after what time a key expires in a bucket whose keys expire only one by one, unless
// WithTTL says otherwise.
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

// WithPrefix confines the Bucket to the keys that begin with the prefix and a dot. The keys given
// to its methods are what follows. Only those keys are watched. A prefix and no prefix are two
// watches.
func WithPrefix(prefix string) Option { return checked(breakercluster.WithPrefix(prefix)) }

// WithName sets the name of this process in a TripError. By default it is the host and the process
// ID, as in "api-1/4711". Beyond 128 bytes it is cut.
func WithName(name string) Option { return checked(breakercluster.WithName(name)) }

// WithTTL sets after what time a key that this Bucket sets expires, at least a second. The bucket
// has to allow that (see LimitMarkerTTL of jetstream.KeyValueConfig). Without this option, the TTL
// of the bucket counts, or DefaultTTL if it has none.
func WithTTL(ttl time.Duration) Option {
	return func(c *config) error {
		c.ttl = ttl
		if ttl < time.Second {
			return fmt.Errorf("breakernats: TTL %v: less than a second", ttl)
		}
		return nil
	}
}

// WithSilence makes the breakers of the Bucket trip, with a SilenceError, when the contact is lost
// for the given time: a dead man's switch for what must not go on while it can't be told to stop.
// Without this option they stay open, and trip when the contact returns and their key is set.
//
// There is contact when the leader of the bucket has told the newest revision and the watch has
// seen it. It is asked every 2 s, and at least 4 times within the silence. An election in the
// cluster is a silence, too: it takes 4 to 9 s as a rule. A leader that was cut off from the others
// notices that after 10 to 20 s, and is believed until then.
func WithSilence(silence time.Duration) Option { return checked(breakercluster.WithSilence(silence)) }

// WithHoldOnClose has the breakers of the Bucket stay open when the connection is closed for good,
// but for WithSilence. Nothing but Close and what else you give them to can trip them then. Without
// this option they trip, with a ConnectionError.
func WithHoldOnClose() Option { return checked(breakercluster.WithHoldOnClose()) }

// WithContactHook has f called when the contact of this Bucket's watch is lost, and when it is
// back: for logs, metrics and health checks. See breakercluster.WithContactHook. A nil f panics.
func WithContactHook(f func(Contact)) Option {
	if f == nil {
		panic("breakernats: WithContactHook: f is nil")
	}
	return checked(breakercluster.WithContactHook(f))
}
