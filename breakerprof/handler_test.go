package breakerprof_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerprof"
)

// get asks a real server for the list.
func get(t *testing.T, query string) (status int, body string) {
	t.Helper()
	server := httptest.NewServer(breakerprof.Handler())
	defer server.Close()
	response, err := server.Client().Get(server.URL + query)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func TestHandler(t *testing.T) {
	on(t, 1)
	timeout, plain := breaker.BreakByTimeout(time.Hour), breaker.New()
	defer timeout.Close()
	defer plain.Close()
	status, body := get(t, "")
	require.Equal(t, http.StatusOK, status)
	header, list, _ := strings.Cut(body, "\n\n")
	assert.Equal(t, "breakers: 2 recorded, which stand for about 2 alive", header)
	first, second, _ := strings.Cut(list, "\n\n")
	assert.Regexp(t, `^\d+(\.\d+)?m?s\tbreaker\.BreakByTimeout\tdeadline \S+ \((1h0m0s|59m\S+)\)\topen\n`, first)
	assert.Regexp(t, `^\d+(\.\d+)?m?s\tbreaker\.New\topen\n`, second)
	for _, entry := range []string{first, second} {
		lines := strings.Split(strings.TrimSpace(entry), "\n")
		assert.Regexp(t, `^#\tgithub\.com/kamilsk/breaker\.\w+\t\S+\.go:\d+$`, lines[1])
		assert.Regexp(t, `^#\tgithub\.com/kamilsk/breaker/breakerprof_test\.TestHandler\t\S+handler_test\.go:\d+$`, lines[2])
	}

	timeout.Close()
	_, body = get(t, "")
	assert.NotContains(t, body, "BreakByTimeout")
}

func TestHandler_Limit(t *testing.T) {
	on(t, 1)
	all := make([]*breaker.Breaker, breakerprof.DefaultList+10)
	for i := range all {
		all[i] = breaker.New()
		defer all[i].Close()
	}
	for query, more := range map[string]int{"": 10, "?n=3": len(all) - 3, "?n=0": 0, "?n=100000": 0} {
		status, body := get(t, query)
		require.Equal(t, http.StatusOK, status)
		assert.Equal(t, len(all)-more, strings.Count(body, "\tbreaker.New\topen\n"), query)
		if more > 0 {
			assert.Contains(t, body, fmt.Sprintf("\n\n%d more\n", more), query)
		} else {
			assert.NotContains(t, body, " more\n", query)
		}
	}
	for _, query := range []string{"?n=-1", "?n=x"} {
		status, body := get(t, query)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, body, "n is not a count")
	}
}

// The list estimates how many are alive.
func TestHandler_Estimate(t *testing.T) {
	on(t, 10)
	all := make([]*breaker.Breaker, 10_000)
	for i := range all {
		all[i] = breaker.New()
		defer all[i].Close()
	}
	_, body := get(t, "?n=1")
	match := regexp.MustCompile(`^breakers: (\d+) recorded, which stand for about (\d+) alive`).FindStringSubmatch(body)
	require.NotNil(t, match, body)
	assert.Equal(t, match[1]+"0", match[2])
}

func TestHandler_NothingRecorded(t *testing.T) {
	_, body := get(t, "")
	assert.Equal(t, "breakers: 0 recorded, which stand for about 0 alive\n", body)
}

// Which breaker is still open, and where is it from?
func ExampleHandler() {
	breakerprof.SetRate(1)
	defer breakerprof.SetRate(0)
	request := breaker.BreakByTimeout(time.Hour)
	defer request.Close()

	// http.Handle("/debug/breakers", breakerprof.Handler())
	server := httptest.NewServer(breakerprof.Handler())
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(strings.Contains(string(text), "breaker.BreakByTimeout"), strings.Contains(string(text), "ExampleHandler"))
	// Output: true true
}
