package breakit

import (
	"slices"
	"strings"

	"github.com/kamilsk/breaker"
)

// Extension is what a command has besides the limits of breakit. It is for the commands that need
// more than the standard library.
type Extension struct {
	// Limits and Flags are lines of the usage: those that show what can be limited, and those for
	// the options. Each ends with a newline.
	Limits, Flags string
	// Options are the options, by their names, such as "--key".
	Options map[string]Option
	// Check says what is wrong with the options, all together. It may be nil.
	Check func() error
	// Begin returns what else stops the command. It is called when the command line has been read,
	// and before the command is started; signals have their default effect meanwhile. The breakers
	// are closed by breakit; end is called after that. It may be nil.
	Begin func() (sources []breaker.Interface, end func(), err error)
	// Commands are called with the arguments after their names, and return the exit code.
	Commands map[string]func(args []string) int
}

// Option is an option with a value.
type Option struct {
	// Set is called with the value, for each time that the option is given.
	Set func(value string) error
	// Needs says what the value is, such as "a key".
	Needs string
	// IsLimit says that it is a limit: enough for a command line, given once, and listed by ps.
	IsLimit bool
}

// needs says what follows; all that breakit has by itself is followed by a time.
func (o Option) needs() string {
	if o.Needs == "" {
		return "a time"
	}
	return o.Needs
}

// known lists the limits that there are.
func known(more map[string]Option) string {
	names := []string{"after", "until"}
	for name, option := range more {
		if option.IsLimit {
			names = append(names, name)
		}
	}
	slices.Sort(names[2:])
	return strings.Join(names, ", ") + " or idle"
}

// usage returns the usage with what the extension adds.
func (e Extension) usage() string {
	return strings.NewReplacer("{{limits}}", e.Limits, "{{flags}}", e.Flags).Replace(usage)
}
