package breakit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

var noon = time.Date(2026, time.November, 26, 12, 0, 0, 0, time.UTC)

func TestLimits_Parse(t *testing.T) {
	p, err := parse([]string{"after", "1h", "until", "18:00", "--grace", "5s", "idle", "1m30s", "--", "make", "--", "-h"}, noon, nil)
	require.NoError(t, err)
	require.Equal(t, plan{
		after: time.Hour, until: noon.Add(6 * time.Hour), idle: 90 * time.Second, grace: 5 * time.Second,
		limit: "after 1h, until 18:00, idle 1m30s", command: []string{"make", "--", "-h"},
	}, p)
	p, err = parse([]string{"--grace=0s", "after", "2d12h", "--", "make"}, noon, nil)
	require.NoError(t, err)
	require.Equal(t, 60*time.Hour, p.after)
	require.Zero(t, p.grace)
	p, err = parse([]string{"after", "1s", "--", "make"}, noon, nil)
	require.NoError(t, err)
	require.Equal(t, 10*time.Second, p.grace)

	for args, text := range map[[3]string]string{
		{"after", "10m", ""}:          "there is no --",
		{"--", "make"}:                "there is no limit",
		{"after", "10m", "--"}:        "there is no command",
		{"after", "--", "make"}:       "after needs a time",
		{"after"}:                     "after needs a time",
		{"afterwards", "10m"}:         `"afterwards" is neither a limit nor an option; put -- before the command`,
		{"--signal=9", "10m"}:         `"--signal" is neither`,
		{"after", "10", "--"}:         "write 10s for seconds",
		{"after", "0s", "--"}:         "too short",
		{"after", "-1s", "--"}:        "too short",
		{"after", "", "--"}:           "", // cut below
		{"after", "1y", "--"}:         "not a time such as",
		{"after", "999999999d"}:       "not a time such as",
		{"after", "106751d24h"}:       "not a time such as",
		{"idle", "soon", "--"}:        "not a time such as",
		{"until", "25:00", "--"}:      "not a time such as 18:00",
		{"until", "2026-11-26T11:59"}: "is over",
		{"--grace", "-1s", "--"}:      "too short",
	} {
		var given []string
		for _, arg := range args {
			if arg != "" {
				given = append(given, arg)
			}
		}
		_, err := parse(given, noon, nil)
		require.ErrorContains(t, err, text, "%q", given)
	}
	_, err = parse([]string{"after", "1s", "after", "2s", "--", "make"}, noon, nil)
	require.ErrorContains(t, err, "given twice")
	_, err = parse([]string{"after", "", "--", "make"}, noon, nil)
	require.ErrorContains(t, err, "too short")
}

func TestLimits_Moment(t *testing.T) {
	for s, want := range map[string]time.Time{
		"18:00":                     noon.Add(6 * time.Hour),
		"12:00":                     noon.Add(24 * time.Hour),
		"11:59:59":                  noon.Add(24*time.Hour - time.Second),
		"2026-12-24T18:00":          time.Date(2026, time.December, 24, 18, 0, 0, 0, time.UTC),
		"2026-12-24 18:00:01":       time.Date(2026, time.December, 24, 18, 0, 1, 0, time.UTC),
		"2026-12-24T18:00:00+01:00": time.Date(2026, time.December, 24, 17, 0, 0, 0, time.UTC),
	} {
		var got time.Time
		require.NoError(t, moment(s, noon, &got))
		require.True(t, want.Equal(got), "%s: %s", s, got)
	}
	// A day on which the clock is put forward is 23 hours long.
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	evening := time.Date(2026, time.March, 28, 18, 0, 0, 0, zone)
	var got time.Time
	require.NoError(t, moment("18:00", evening, &got))
	require.Equal(t, 23*time.Hour, got.Sub(evening))
}

func TestLimits_TheFirstLimitCounts(t *testing.T) {
	for name, test := range map[string]struct {
		plan  plan
		takes time.Duration
		cause reached
	}{
		"after": {plan{after: time.Minute, idle: time.Hour}, time.Minute, "it has run for 1m"},
		"idle":  {plan{after: time.Hour, idle: 90 * time.Second}, 90 * time.Second, "no output for 1m30s"},
		"until": {plan{after: 2 * time.Hour, until: time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)}, time.Hour, "it is 01:00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now() // midnight of 2000-01-01, by the fake clock
				br, _ := test.plan.start(nil)
				<-br.Done()
				require.Equal(t, test.takes, time.Since(begin))
				require.Equal(t, test.cause, br.Cause())
				br.Close()
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		br, idle := plan{idle: time.Minute}.start(nil)
		for range 10 {
			time.Sleep(59 * time.Second)
			idle.Touch()
		}
		require.NoError(t, br.Err())
		br.Close()
		require.Equal(t, breaker.ErrClosed, br.Cause())
		require.Error(t, idle.Err(), "it is released")
	})
}

func TestLimits_Short(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Hour: "1h", 10 * time.Minute: "10m", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s", 10 * time.Second: "10s",
		time.Hour + time.Second: "1h0m1s", 500 * time.Millisecond: "500ms", 20 * time.Hour: "20h",
	} {
		require.Equal(t, want, short(d))
	}
	require.Equal(t, "18:00:00", clock(noon.Add(6*time.Hour), noon))
	require.Equal(t, "2026-11-27 12:00:00", clock(noon.Add(24*time.Hour), noon))
}
