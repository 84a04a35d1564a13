package breakercluster

import (
	"fmt"
	"os"
	"time"
)

// DefaultTTL is the time after which a key expires, unless WithTTL or the store says otherwise.
const DefaultTTL = 24 * time.Hour

// config is what the options set.
type config struct {
	prefix  string // with a dot at its end, or empty
	name    string
	ttl     time.Duration
	silence time.Duration
	holds   bool
	hook    func(Contact)
}

// An Option changes what Open returns.
type Option func(*config) error

// WithPrefix restricts the Bucket to keys that begin with the prefix and a dot. You pass its
// methods the rest of the key. Only keys with the prefix are watched. A Bucket with a prefix and
// one without don't share a watch.
func WithPrefix(prefix string) Option {
	return func(c *config) error {
		c.prefix = prefix + "."
		return checkKey("prefix", prefix)
	}
}

// WithName sets the name of this process in a TripError. By default it is the host and the process
// ID, as in "api-1/4711".
func WithName(name string) Option {
	return func(c *config) error {
		c.name = name
		return nil
	}
}

// WithTTL sets the time after which a key that this Bucket sets expires, at least a second. Without
// this option it is DefaultTTL. Make it longer than the longest job, and longer than any outage.
func WithTTL(ttl time.Duration) Option {
	return func(c *config) error {
		c.ttl = ttl
		if ttl < time.Second {
			return fmt.Errorf("breakercluster: WithTTL: %v is less than a second", ttl)
		}
		return nil
	}
}

// WithSilence trips the breakers of the Bucket, with a SilenceError, when there was no contact for
// the given time. It is a dead man's switch for work that must not go on while it can't be told to
// stop. Without this option they stay open, and trip when the contact is back and their key is set.
//
// Contact means that the store has answered with the newest revision, and that the watch has seen
// it. The store is asked every 2 s, and at least 4 times within the silence. An election in a
// cluster is a silence, too.
func WithSilence(silence time.Duration) Option {
	return func(c *config) error {
		c.silence = silence
		if silence <= 0 {
			return fmt.Errorf("breakercluster: WithSilence: %v is not more than 0", silence)
		}
		return nil
	}
}

// WithHoldOnClose keeps the breakers of the Bucket open when the connection is closed for good,
// unless WithSilence trips them. Their key can't trip them any more then. Without this option they
// trip with a ConnectionError.
func WithHoldOnClose() Option {
	return func(c *config) error {
		c.holds = true
		return nil
	}
}

// WithContactHook calls f when the contact of this Bucket's watch is lost, and when it is back. Use
// it for logs, metrics and health checks. The calls come one after the other, on a goroutine of
// their own. If f is slow, it misses changes, but never the last one. The contact counts as lost
// when a pulse fails, usually some seconds before WithSilence trips. f is called while something is
// watched, and not when the watch ends.
//
// Buckets alike share one watch, and only the f of the Bucket that begins it is called.
// WithContactHook panics if f is nil.
func WithContactHook(f func(Contact)) Option {
	if f == nil {
		panic("breakercluster: WithContactHook: f is nil")
	}
	return func(c *config) error {
		c.hook = f
		return nil
	}
}

// defaultName returns the host and the process ID.
func defaultName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// Check returns the error that Open would return for the option.
func Check(option Option) error { return option(new(config)) }
