package breakit

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPs_ACommandInATable(t *testing.T) {
	for want, command := range map[string][]string{
		"server run --port=8080":                           {"server", "run", "--port=8080"},
		`sh -c "echo \"1\" > 2"`:                           {"sh", "-c", `echo "1" > 2`},
		`echo "" "\x1b[2J" "a\tb"`:                         {"echo", "", "\x1b[2J", "a\tb"},
		`echo größe`:                                       {"echo", "größe"},
		"a123456789b123456789c123456789d123456789e123456…": {"a123456789b123456789c123456789d123456789e123456789"},
	} {
		require.Equal(t, want, line(command))
	}
}
