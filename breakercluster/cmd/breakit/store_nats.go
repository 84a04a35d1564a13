package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakernats"
)

func openNATS(l location) (*opened, error) {
	if err := l.only("creds", "ca", "cert", "key"); err != nil {
		return nil, err
	}
	config, err := l.tls()
	if err != nil {
		return nil, err
	}
	var why atomic.Pointer[error] // there is no connection
	options := []nats.Option{
		nats.Name("breakit"),
		// The server may be away for as long as the command runs, and credentials may rotate
		// meanwhile.
		nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { why.Store(&err) }),
		// What matters comes back from the calls.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
	if creds := l.query.Get("creds"); creds != "" {
		options = append(options, nats.UserCredentials(creds))
	}
	if config != nil {
		options = append(options, nats.Secure(config))
	}
	nc, err := nats.Connect(l.scheme+"://"+l.rest, options...)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &opened{
		store: func(ctx context.Context, ttl time.Duration) (breakercluster.Store, error) {
			s, err := breakernats.NewStore(ctx, js, l.name, ttl)
			if last := why.Load(); err != nil && last != nil && !nc.IsConnected() {
				err = errors.Join(err, *last)
			}
			return s, err
		},
		create: func(ctx context.Context) error {
			_, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
				Bucket: l.name, TTL: breakercluster.DefaultTTL, LimitMarkerTTL: time.Minute,
			})
			if errors.Is(err, jetstream.ErrBucketExists) {
				return nil // and keep its configuration
			}
			return err
		},
		close: nc.Close,
	}, nil
}
