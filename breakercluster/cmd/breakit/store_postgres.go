package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/kamilsk/breaker/breakerpostgres"
)

func openPostgres(l location) (*opened, error) {
	pool, err := pgxpool.New(context.Background(), l.url())
	if err != nil {
		return nil, err
	}
	s := breakerpostgres.New(pool, l.name)
	return &opened{store: ready(s), create: s.CreateTable, close: pool.Close}, nil
}
