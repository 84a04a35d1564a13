package main

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/kamilsk/breaker/breakerredis"
)

// quiet is for what comes back from the calls, too.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func openRedis(l location) (*opened, error) {
	redis.SetLogger(quiet{})
	options, err := redis.ParseURL(l.url())
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(options)
	return &opened{
		store: ready(breakerredis.New(client, l.name)), create: nothing, close: func() { _ = client.Close() },
	}, nil
}
