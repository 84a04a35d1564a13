package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const before = `package a

import (
	"context"
	"os"
	"os/signal"
	"time"
)

type s struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func all(ctx context.Context, x *s) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if ctx, cancel := context.WithCancel(ctx); ctx.Err() != nil {
		cancel()
	}
	x.ctx, x.cancel = context.WithCancel(ctx)
	child, stop := signal.NotifyContext(ctx, os.Interrupt)
	go func(f func()) { f() }(stop)
	caused, fail := context.WithCancelCause(child)
	fail(nil)
	left, _ := context.WithDeadline(caused, time.Now())
	return left.Err()
}
`

const after = `package a

import breaker "github.com/kamilsk/breaker"

import (
	"context"
	"os"
	"os/signal"
	"time"
)

type s struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func all(ctx context.Context, x *s) error {
	cancel := breaker.Within(ctx, time.Second)
	ctx = breaker.ToContext(cancel)
	defer cancel.Close()
	if ctx, cancel := context.WithCancel(ctx); ctx.Err() != nil {
		cancel()
	}
	br1 := breaker.BreakByContext(ctx, nil)
	x.ctx = breaker.ToContext(br1)
	x.cancel = br1.Close
	stop := breaker.Multiplex(breaker.BreakByContext(ctx, nil), breaker.BreakBySignal(os.Interrupt))
	child := breaker.ToContext(stop)
	go func(f func()) { f() }(stop.Close)
	fail := breaker.BreakByContext(child, nil)
	caused := breaker.ToContext(fail)
	fail.Trip(nil)
	left := breaker.ToContext(breaker.Multiplex(breaker.BreakByContext(caused, nil), breaker.BreakByDeadline(time.Now())))
	return left.Err()
}

var _ = context.WithCancel

var _ = context.WithCancelCause

var _ = context.WithDeadline

var _ = context.WithTimeout

var _ = signal.NotifyContext
`

// module makes a module of the file, with the package that this module is part of.
func module(t *testing.T) (dir string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	dir = t.TempDir()
	for name, text := range map[string]string{
		"a.go": before,
		"go.mod": "module a\n\ngo 1.26.0\n\nrequire github.com/kamilsk/breaker v0.0.0\n\n" +
			"replace github.com/kamilsk/breaker => " + root + "\n",
		"go.sum": string(sums),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestRewrite_Cut(t *testing.T) {
	dir := module(t)
	n, err := rewrite(dir, true)
	require.NoError(t, err)
	assert.Equal(t, counts{done: 5, left: 1, cut: 1}, n)
	source, err := os.ReadFile(filepath.Join(dir, "a.go"))
	require.NoError(t, err)
	assert.NotContains(t, string(source), "defer")
}

// What is rewritten compiles.
func TestBreakit_Rewrite(t *testing.T) {
	dir := module(t)
	n, err := rewrite(dir, false)
	require.NoError(t, err)
	assert.Equal(t, counts{done: 5, left: 1}, n)
	source, err := os.ReadFile(filepath.Join(dir, "a.go"))
	require.NoError(t, err)
	assert.Equal(t, after, string(source))

	command := exec.Command("go", "build", "-mod=mod", "./...")
	command.Dir = dir
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
}
