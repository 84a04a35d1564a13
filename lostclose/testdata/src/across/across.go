// Package across doesn't import package breaker: what it knows of breakers it knows by the facts of others.
package across

import (
	"context"
	"errors"
	"fmt"

	"github.com/kamilsk/breaker/breakernats"
	"helpers"
)

var errBusy = errors.New("busy")

func busy() bool { return false }

func lost() {
	br := helpers.Timeout() // want `br is not closed on every path: the end of the function`
	fmt.Println(br.Err())
}

func discarded(s *helpers.Server) {
	helpers.Timeout()           // want `made by helpers.Timeout is discarded`
	_, _ = helpers.OrFails("a") // want `made by helpers.OrFails is discarded`
	s.Request()                 // want `made by helpers.Request is discarded`
	helpers.NewJob("a")         // want `made by helpers.NewJob is discarded`
}

func second(ctx context.Context) error {
	ctx, br := helpers.Second(ctx) // want `br is not closed on every path: the return on line 32 leaves it behind`
	if busy() {
		return ctx.Err()
	}
	br.Close()
	return nil
}

func watchedByHelpers(values chan int) int {
	br := helpers.Timeout() // want `br is not closed on every path`
	helpers.Say(br)
	helpers.Twice(br)
	ctx := helpers.AsContext(br)
	fmt.Println(helpers.IsOver(br), ctx)
	return helpers.Selects(br, values)
}

func forwarded() {
	br := helpers.Same(helpers.Timeout()) // want `br is not closed on every path`
	fmt.Println(br.Err())
	other := helpers.Must(helpers.OrFails("a")) // want `other is not closed on every path`
	fmt.Println(other.Err())
}

func byKey(ctx context.Context, bucket *breakernats.Bucket) error {
	br, err := bucket.BreakByKey(ctx, "jobs/1") // want `br is not closed on every path: the return on line 60 leaves it behind`
	if err != nil {
		return err
	}
	if busy() {
		return errBusy
	}
	defer br.Close()
	return nil
}

func staleFailure(ctx context.Context, bucket *breakernats.Bucket, other func() error) error {
	br, err := bucket.BreakByKey(ctx, "jobs/1") // want `br is not closed on every path: the return on line 72 leaves it behind`
	if err != nil {
		return err
	}
	if err = other(); err != nil {
		return err
	}
	br.Close()
	return nil
}

func missing() {
	br, ok := helpers.OrIsMissing("a") // want `br is not closed on every path`
	if ok {
		fmt.Println(br.Err())
		return
	}
}

func byKeyIsFine(ctx context.Context, bucket *breakernats.Bucket) error {
	br, err := bucket.BreakByKey(ctx, "jobs/1")
	if err != nil {
		return err
	}
	defer br.Close()
	if err := busyError(); err != nil {
		return err
	}
	return nil
}

func busyError() error { return nil }

func failuresAreFine(name string) error {
	one, err := helpers.OrFails(name)
	switch {
	case errors.Is(err, errBusy):
		return nil
	case err != nil:
		return err
	}
	one.Close()
	two, ok := helpers.OrIsMissing(name)
	if !ok {
		return errBusy
	}
	defer two.Close()
	if three, err := helpers.Several(name); err == nil {
		three.Close()
	}
	four, err := helpers.OrFails(name)
	if err == nil && !busy() {
		four.Close()
		return nil
	} else if err == nil {
		four.Close()
	}
	var five, failure = helpers.OrFails(name)
	if nil != failure {
		return failure
	}
	five.Close()
	return nil
}

func handedOver(s *helpers.Server) {
	helpers.Closes(helpers.Timeout())
	helpers.Waits(helpers.Timeout())
	helpers.Keeps(s, helpers.Timeout())
	helpers.InBackground(helpers.Timeout())
	job := helpers.NewJob("a")
	defer job.Close()
	must := helpers.Must(helpers.OrFails("a"))
	defer must.Close()
	same := helpers.Same(helpers.Timeout())
	defer same.Close()
}

func notMadeHere(s *helpers.Server) {
	fmt.Println(s.Shared().Err(), s.Kept().Err(), helpers.Plain().Err(), helpers.Tripped().Err(), helpers.Sometimes(s, true).Err())
}
