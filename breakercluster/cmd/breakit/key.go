package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/internal/breakit"
)

// patience is how long the store may take to say whether a key is set. An election in a cluster
// takes up to 9 s.
const patience = 10 * time.Second

// key is what the options say.
type key struct {
	name, store string
	silence     time.Duration
}

func (k *key) setKey(s string) error {
	k.name = s
	if s == "" {
		return errors.New("it is empty")
	}
	return nil
}

func (k *key) setStore(s string) error {
	k.store = s
	if s == "" {
		return errors.New("it is empty")
	}
	return nil
}

func (k *key) setSilence(s string) error {
	return breakit.ParseDuration(s, time.Nanosecond, &k.silence)
}

// check is called when all options are known.
func (k *key) check() error {
	switch {
	case k.name == "" && k.store != "":
		return errors.New("--store is for --key")
	case k.name == "" && k.silence > 0:
		return errors.New("--silence is for --key")
	case k.name == "":
		return nil
	}
	if k.store == "" {
		k.store = os.Getenv("BREAKIT_STORE")
	}
	if k.store == "" {
		return errors.New("--key needs a --store, or $BREAKIT_STORE")
	}
	return nil
}

// begin returns the breaker of the key, if there is one.
func (k *key) begin() (sources []breaker.Interface, end func(), err error) {
	if k.name == "" {
		return nil, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := open(k.store)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = inOneLine(err) }()
	options := []breakercluster.Option{breakercluster.WithContactHook(sayContact)}
	if k.silence > 0 {
		options = append(options, breakercluster.WithSilence(k.silence))
	}
	br, err := s.watch(ctx, k.name, options...)
	if err != nil {
		s.end()
		return nil, nil, err
	}
	return []breaker.Interface{br}, s.end, nil
}

func sayContact(c breakercluster.Contact) {
	if c.Up {
		breakit.Complain("there is contact with the store again")
	} else {
		breakit.Complain("no contact with the store: %v", inOneLine(c.Why))
	}
}

// inOneLine returns an error that joins others as one that reads well after a colon.
func inOneLine(err error) error {
	if err == nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		lines = append(lines, strings.TrimRight(strings.TrimSpace(line), ";:"))
	}
	return errors.New(strings.Join(lines, "; "))
}

// watch returns a breaker for the key.
func (s *opened) watch(ctx context.Context, key string, options ...breakercluster.Option) (*breaker.Breaker, error) {
	bucket, err := s.bucket(ctx, 0, options...)
	if err != nil {
		return nil, err
	}
	return bucket.BreakByKey(ctx, key)
}

// bucket opens what holds the keys. A ttl of 0 is the default of the store.
func (s *opened) bucket(ctx context.Context, ttl time.Duration, options ...breakercluster.Option) (*breakercluster.Bucket, error) {
	store, err := s.store(ctx, ttl)
	if err != nil {
		return nil, err
	}
	if ttl > 0 {
		options = append(options, breakercluster.WithTTL(ttl))
	}
	return breakercluster.Open(store, options...)
}
