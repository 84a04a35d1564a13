package main

import (
	"os"

	"github.com/kamilsk/breaker/internal/breakit"
)

func main() { os.Exit(breakit.Main(os.Args[1:], extension())) }

func extension() breakit.Extension {
	k := new(key)
	return breakit.Extension{
		Limits: limits,
		Flags:  flags,
		Options: map[string]breakit.Option{
			"--key":     {Set: k.setKey, Needs: "a key", IsLimit: true},
			"--store":   {Set: k.setStore, Needs: "a URL"},
			"--silence": {Set: k.setSilence},
		},
		Check: k.check,
		Begin: k.begin,
		Commands: map[string]func([]string) int{
			"trip": trip,
			"init": create,
		},
	}
}

const (
	limits = `  breakit --key jobs/1 -- COMMAND...   stop it when the key is set, on every
                                       machine: breakit trip --key jobs/1
`
	flags = `  --store URL    where keys are: nats://HOST, etcd://HOST, postgres://HOST/DB or
                 redis://HOST/0, with ?name=NAME; $BREAKIT_STORE by default
  --silence TIME stop it, too, if the store wasn't reached for that long
`
)
