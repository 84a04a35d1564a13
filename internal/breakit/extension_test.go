//go:build linux

package breakit

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// extensions are those that the test binary can have.
var extensions = map[string]func() Extension{
	"1":        func() Extension { return Extension{} },
	"extended": extended,
}

// extended has a limit that is reached when the option says so.
func extended() Extension {
	var door, note string
	set := func(into *string) func(string) error {
		return func(value string) error {
			*into = value
			if value == "" {
				return errors.New("it is empty")
			}
			return nil
		}
	}
	return Extension{
		Limits: "  breakit --door open -- COMMAND...     stop it when the door shuts\n",
		Flags:  "  --note TEXT    what to say at the end\n",
		Options: map[string]Option{
			"--door": {Set: set(&door), Needs: "a state", IsLimit: true},
			"--note": {Set: set(&note), Needs: "a text"},
		},
		Check: func() error {
			if door == "" && note != "" {
				return errors.New("--note is for --door")
			}
			return nil
		},
		Begin: func() ([]breaker.Interface, func(), error) {
			br := breaker.New()
			switch door {
			case "stuck":
				return nil, nil, errors.New("the door is stuck")
			case "shut":
				br.Trip(errors.New("the door is shut"))
			}
			return []breaker.Interface{br}, func() { fmt.Println(note, br.State()) }, nil
		},
		Commands: map[string]func([]string) int{
			"knock": func(args []string) int {
				fmt.Println(strings.Join(args, " "))
				return 3
			},
		},
	}
}

func TestExtension(t *testing.T) {
	p := newPlace(t)
	p.env = append(p.env, asBreakit+"=extended")
	const hint = "\nTry breakit -h.\n"
	for _, test := range []struct {
		args string
		want result
	}{
		{"--door=open --note bye -- echo hello", result{0, "hello\nbye closed\n", ""}},
		{"--door shut --note bye -- echo hello", result{124, "bye closed\n", "breakit: echo was not started: the door is shut\n"}},
		{"--door stuck -- echo hello", result{125, "", "breakit: echo was not started: the door is stuck\n"}},
		{"after 500ms --door open --note bye -- sleep 1000", result{124, "bye closed\n", "breakit: stopped sleep: it has run for 500ms\n"}},
		{"--note bye after 1m -- echo", result{125, "", "breakit: --note is for --door" + hint}},
		{"--door -- echo", result{125, "", "breakit: --door needs a state" + hint}},
		{"--door= -- echo", result{125, "", "breakit: --door: it is empty" + hint}},
		{"--door open --door open -- echo", result{125, "", "breakit: door is given twice" + hint}},
		{"-- echo", result{125, "", "breakit: there is no limit: say after, until, --door or idle before the --" + hint}},
		{"knock --door x", result{3, "--door x\n", ""}},
	} {
		require.Equal(t, test.want, p.run(t, "breakit", strings.Fields(test.args)...), test.args)
	}
	help := p.run(t, "breakit", "-h").out
	require.Contains(t, help, "when the door shuts\n  breakit ps  ")
	require.Contains(t, help, "\n  --note TEXT    what to say at the end\n  -h, --help")
}

// ps says nothing of a time if there is none.
func TestExtension_PsWithoutATime(t *testing.T) {
	p := newPlace(t)
	p.env = append(p.env, asBreakit+"=extended")
	_, _ = p.waiting(t, "breakit", "--door", "open", "--")
	rows := p.listed(t, 2)
	require.Regexp(t, ` - +door open$`, rows[1])
}
