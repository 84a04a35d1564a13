package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/internal/breakit"
)

// options are those of the commands that run nothing.
type options struct {
	*flag.FlagSet
	store string
	help  string
}

func newOptions(name, help string) *options {
	o := &options{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), help: help}
	o.SetOutput(io.Discard)
	o.StringVar(&o.store, "store", os.Getenv("BREAKIT_STORE"), "")
	return o
}

// read parses the arguments. If it reports false, the command ends with the exit code.
func (o *options) read(args []string) (code int, ok bool) {
	switch err := o.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(o.help)
		return 0, false
	case err != nil:
		return o.misused(err), false
	case o.store == "":
		return o.misused(errors.New("there is no --store, nor $BREAKIT_STORE")), false
	}
	return 0, true
}

func (o *options) misused(err error) int {
	breakit.Complain("%s: %v\nTry breakit %s -h.", o.Name(), err, o.Name())
	return breakit.ExitFailed
}

func (o *options) failed(err error) int {
	breakit.Complain("%s: %v", o.Name(), inOneLine(err))
	return breakit.ExitFailed
}

// trip sets a key.
func trip(args []string) int {
	o := newOptions("trip", tripHelp)
	var key, by string
	var ttl time.Duration
	o.StringVar(&key, "key", "", "")
	o.StringVar(&by, "by", "", "")
	o.Func("ttl", "", func(s string) error { return breakit.ParseDuration(s, time.Second, &ttl) })
	if code, ok := o.read(args); !ok {
		return code
	}
	if key == "" {
		return o.misused(errors.New("there is no --key"))
	}
	var cause error
	if o.NArg() > 0 {
		cause = errors.New(strings.Join(o.Args(), " "))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := open(o.store)
	if err != nil {
		return o.failed(err)
	}
	defer s.end()
	bucket, err := s.bucket(ctx, ttl, breakercluster.WithName(by))
	if err != nil {
		return o.failed(err)
	}
	stands, won, err := bucket.Trip(ctx, key, cause)
	switch {
	case err != nil:
		return o.failed(err)
	case won:
		fmt.Println(stands)
	default:
		fmt.Printf("%v, at %s\n", stands, stands.At.Local().Format(time.DateTime))
	}
	return 0
}

// create makes the bucket or the table.
func create(args []string) int {
	o := newOptions("init", initHelp)
	if code, ok := o.read(args); !ok {
		return code
	}
	if o.NArg() > 0 {
		return o.misused(fmt.Errorf("%q is one too many", o.Arg(0)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := open(o.store)
	if err != nil {
		return o.failed(err)
	}
	defer s.end()
	if err := s.create(ctx); err != nil {
		return o.failed(err)
	}
	return 0
}

const (
	tripHelp = `breakit trip sets a key, and so stops the commands that run with it, everywhere.

  breakit trip --key jobs/1 [OPTIONS] [REASON...]

  --key KEY      which key
  --store URL    where keys are; $BREAKIT_STORE by default
  --by NAME      the name in the cause; by default the host and the process ID
  --ttl TIME     when the key expires (a day)

It prints the cause that stands, which is an earlier one if the key is set
already. The exit code is 0 in both cases, and 125 if that isn't sure.
`
	initHelp = `breakit init makes what the keys are kept in, unless there is one: a key-value
bucket of NATS, or a table of PostgreSQL. etcd and Redis need none.

  breakit init --store URL
`
)
