package verify

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// decode reads a program from bytes: six for a command.
func decode(data []byte) (program []command) {
	const most = 100 // more says nothing new and takes long
	for len(data) >= 6 && len(program) < most {
		program = append(program, command{op: operation(data[0]) % operations, x: [5]byte(data[1:6])})
		data = data[6:]
	}
	return program
}

func encode(program []command) (data []byte) {
	for _, c := range program {
		data = append(data, byte(c.op))
		data = append(data, c.x[:]...)
	}
	return data
}

// FuzzProgram runs programs decoded from bytes against the model, as TestRandom_Programs does, but
// led by the coverage of the library. The corpus is in testdata/fuzz; each seed there says what it
// builds.
func FuzzProgram(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		// Other goroutines come and go in a fuzzing process: they aren't counted.
		if err := run(t, decode(data), nil); err != nil {
			t.Fatal(err)
		}
	})
}

// What a seed says must be what it means, also after the operations have changed.
func TestFuzz_Decode(t *testing.T) {
	program := []command{{opMultiplex, [5]byte{2, 0, 8, 0, 0}}, {opTrip, [5]byte{1, 2, 3, 4, 5}}}
	assert.Equal(t, program, decode(encode(program)))
	assert.Empty(t, decode([]byte{1, 2, 3}))
	assert.Len(t, decode(make([]byte, 6*1000)), 100)
}
