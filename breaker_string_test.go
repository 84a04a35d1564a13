package breaker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

func TestString_WhileItTrips(t *testing.T) {
	br := breaker.New()
	var text string
	br.OnTrip(func() { text = br.String() })
	br.Trip(errA)
	assert.Equal(t, "breaker: tripped, cause: "+errA.Error(), text)
}

func TestString_AsksNoSource(t *testing.T) {
	signal := make(chan struct{}, 1)
	br := breaker.BreakByChannel(signal)
	signal <- struct{}{}
	assert.Equal(t, "breaker by channel: open", br.String())
	assert.Len(t, signal, 1, "it has taken the value")
	assert.Error(t, br.Err())
	assert.Contains(t, br.String(), "closed")
}

// A struct that embeds a breaker prints as that, unless it has a String of its own.
func ExampleBreaker_String() {
	var limiter struct {
		breaker.Breaker
		rate int
	}
	fmt.Println(&limiter)
	limiter.Trip(errors.New("no more today"))
	fmt.Println(&limiter)
	// Output:
	// breaker: open
	// breaker: closed, cause: no more today
}

// promise 27: printing reads nothing that others write, and prints String.
func TestPrinting_SaysWhatStringSays(t *testing.T) {
	br := breaker.BreakByTimeout(time.Hour)
	idle := breaker.BreakByIdle(time.Hour)
	var group sync.WaitGroup
	begin := make(chan struct{})
	for _, it := range []fmt.Stringer{br, breaker.NopCloser(br).(fmt.Stringer), breaker.ToContext(br).(fmt.Stringer), idle, breaker.Open} {
		group.Go(func() {
			<-begin
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
				_ = fmt.Sprintf(verb, it)
			}
			slog.New(slog.NewJSONHandler(io.Discard, nil)).Info("", "br", it)
			slog.New(slog.NewTextHandler(io.Discard, nil)).Info("", "br", it)
			_, err := json.Marshal(it)
			assert.NoError(t, err)
		})
	}
	close(begin)
	br.Done()
	br.OnTrip(func() {})
	br.Close()
	idle.Trip(errA)
	group.Wait()
	for _, it := range []fmt.Stringer{br, breaker.NopCloser(br).(fmt.Stringer), breaker.ToContext(br).(fmt.Stringer), idle, breaker.Open} {
		text, err := json.Marshal(map[string]any{"br": it})
		require.NoError(t, err)
		quoted, err := json.Marshal(it.String())
		require.NoError(t, err)
		assert.Equal(t, `{"br":`+string(quoted)+`}`, string(text))
		assert.Equal(t, it.String(), fmt.Sprint(it))
		assert.Equal(t, it.String(), fmt.Sprintf("%+v", it))
		assert.NotEmpty(t, fmt.Sprintf("%#v", it))
	}
}

// promise 27: whatever the verb, and with the flags and the width that it is given.
func TestPrinting_OfEveryVerb(t *testing.T) {
	br := breaker.New()
	for _, it := range []any{br, breaker.NopCloser(br), breaker.ToContext(br)} {
		text := it.(fmt.Stringer).String()
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "% X", "%q", "%80v|", "%-80s|", "%.3v"} {
			assert.Equal(t, fmt.Sprintf(format, text), fmt.Sprintf(format, it), format)
		}
	}
}
