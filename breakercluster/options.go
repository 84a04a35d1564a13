package breakercluster

import (
	"fmt"
	"os"
	"time"
)

// DefaultTTL is after what time a key expires, unless WithTTL or the store says otherwise.
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

// WithPrefix confines the Bucket to the keys that begin with the prefix and a dot. The keys given
// to its methods are what follows. Only those keys are watched. A prefix and no prefix are two
// watches.
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

// WithTTL sets after what time a key that this Bucket sets expires, at least a second. Without
// this option it is DefaultTTL. It should be longer than the longest job, and than any outage.
func WithTTL(ttl time.Duration) Option {
	return func(c *config) error {
		c.ttl = ttl
		if ttl < time.Second {
			return fmt.Errorf("breakercluster: TTL %v: less than a second", ttl)
		}
		return nil
	}
}

// WithSilence makes the breakers of the Bucket trip, with a SilenceError, when the contact is lost
// for the given time: a dead man's switch for what must not go on while it can't be told to stop.
// Without this option they stay open, and trip when the contact returns and their key is set.
//
// There is contact when the store has told the newest revision and the watch has seen it. It is
// asked every 2 s, and at least 4 times within the silence. An election in a cluster is a silence,
// too.
func WithSilence(silence time.Duration) Option {
	return func(c *config) error {
		c.silence = silence
		if silence <= 0 {
			return fmt.Errorf("breakercluster: silence %v: it has to be more than 0", silence)
		}
		return nil
	}
}

// WithHoldOnClose has the breakers of the Bucket stay open when the connection is closed for good,
// but for WithSilence. Nothing but Close and what else you give them to can trip them then. Without
// this option they trip, with a ConnectionError.
func WithHoldOnClose() Option {
	return func(c *config) error {
		c.holds = true
		return nil
	}
}

// WithContactHook has f called when the contact of this Bucket's watch is lost, and when it is
// back: for logs, metrics and health checks. The calls come one after the other, on a goroutine of
// their own. If f is slow, it isn't told of each change, but always of the last. A contact counts
// as lost when a pulse fails, some seconds before most silences are over. f is called while
// something is watched, and not when the watch ends.
//
// The function of the Bucket that begins the watch is the one that counts, as all Buckets alike
// share it. A nil f panics.
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
