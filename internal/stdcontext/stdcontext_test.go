package stdcontext_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/internal/stdcontext"
)

// On a Go release on which one of these fails, docs/relies-on.md says what is lost.

var errStop = errors.New("stop")

// asked is a context that remembers what it was asked for. It has ended, or only has a Done.
type asked struct {
	context.Context
	ended bool
	keys  []any
}

func (*asked) Done() <-chan struct{} { return never }

var never = make(chan struct{})

func (a *asked) Err() error {
	if a.ended {
		return context.Canceled
	}
	return nil
}

func (a *asked) Value(key any) any {
	a.keys = append(a.keys, key)
	return nil
}

func (*asked) AfterFunc(func()) func() bool { return func() bool { return true } }

func TestIsKey_IsWhatPackageContextAsksFor(t *testing.T) {
	// promise 13, promise 26
	cause := &asked{Context: context.Background(), ended: true}
	require.Equal(t, context.Canceled, context.Cause(cause))
	derive := &asked{Context: context.Background()}
	_, cancel := context.WithCancel(derive)
	defer cancel()
	through := &asked{Context: context.Background()}
	_, cancelThrough := context.WithTimeout(context.WithValue(through, key{}, "a"), time.Hour)
	defer cancelThrough()
	for what, keys := range map[string][]any{"Cause": cause.keys, "WithCancel": derive.keys, "WithTimeout of WithValue": through.keys} {
		require.NotEmpty(t, keys, what)
		for _, key := range keys {
			require.True(t, stdcontext.IsKey(key), "%s asks for %v", what, key)
		}
	}
}

type key struct{}

func TestIsKey_IsNoOther(t *testing.T) {
	for _, other := range []any{nil, 0, "key", key{}, new(int), []string{"not comparable"}, context.Background(), context.Canceled} {
		require.False(t, stdcontext.IsKey(other), "%v", other)
	}
	assert.Zero(t, testing.AllocsPerRun(1000, func() { stdcontext.IsKey(key{}) }))
}

// keyOf returns the key.
func keyOf(t *testing.T) any {
	t.Helper()
	a := &asked{Context: context.Background(), ended: true}
	context.Cause(a)
	require.NotEmpty(t, a.keys)
	return a.keys[0]
}

func TestEnded_HasTheCause(t *testing.T) {
	// promise 13, promise 22
	for _, cause := range []error{errStop, context.Canceled, context.DeadlineExceeded} {
		ended := stdcontext.Ended(cause)
		require.Error(t, ended.Err())
		require.Equal(t, cause, context.Cause(ended))
		require.Nil(t, ended.Value(key{}))

		// A foreign context that has ended, and answers the key by it.
		foreign := &foreign{err: context.Canceled, own: ended.Value(keyOf(t))}
		require.Equal(t, cause, context.Cause(foreign))
		require.Equal(t, cause, context.Cause(context.WithValue(foreign, key{}, "a")))
	}
}

// foreign is a context with one answer for package context.
type foreign struct {
	context.Context
	err error
	own any
}

func (f *foreign) Err() error { return f.err }

func (f *foreign) Value(key any) any {
	if stdcontext.IsKey(key) {
		return f.own
	}
	return nil
}
