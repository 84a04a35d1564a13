package breakercluster_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker/breakercluster"
)

// What a pulse concludes, step by step.
func TestPulse_Judge(t *testing.T) {
	const grace, moment = breakercluster.Grace, time.Millisecond
	type step struct {
		watch                int
		before, seen, newest uint64
		after                time.Duration
		want                 string
	}
	for name, steps := range map[string][]step{
		"empty":      {{0, 0, 0, 0, 0, "level"}, {0, 0, 0, 0, time.Hour, "level"}},
		"seen":       {{0, 7, 7, 7, 0, "level"}, {0, 9, 9, 9, time.Hour, "level"}},
		"seen since": {{0, 7, 9, 7, 0, "level"}, {0, 9, 9, 9, 0, "level"}},
		"catching up": {
			{0, 0, 0, 9, 0, "late"}, {0, 0, 3, 9, grace, "late"},
			{0, 6, 6, 9, grace, "late"}, {0, 6, 9, 9, 0, "level"},
		},
		"new one": {{0, 7, 7, 7, 0, "level"}, {0, 7, 7, 8, time.Hour, "late"}, {0, 8, 8, 8, moment, "level"}},
		"still":   {{0, 7, 7, 8, 0, "late"}, {0, 7, 7, 8, grace - moment, "late"}, {0, 7, 7, 8, moment, "lost"}},
		"still lost": {
			{0, 7, 7, 8, 0, "late"}, {0, 7, 7, 8, grace, "lost"},
			{0, 8, 8, 8, 0, "lost"}, {1, 8, 8, 8, 0, "level"},
		},
		"replaced": {
			{0, 7, 7, 8, 0, "late"}, {0, 7, 7, 8, grace, "lost"},
			{1, 0, 0, 8, grace, "late"}, {1, 0, 0, 8, grace, "lost"},
		},
		"late again": {{0, 7, 7, 8, 0, "late"}, {0, 8, 8, 8, grace, "level"}, {0, 8, 8, 9, grace, "late"}},
		"made anew": {
			{0, 7, 7, 3, 0, "lost"}, {0, 7, 7, 3, 0, "lost"},
			{0, 7, 7, 8, 0, "lost"}, {1, 3, 3, 3, 0, "level"},
		},
		"unanswered": {
			{0, 7, 7, 7, 0, "level"}, {-1, 0, 0, 0, 0, "unknown"},
			{0, 7, 7, 7, 0, "level"}, {0, 7, 7, 8, 0, "late"},
		},
		"after that":  {{0, 7, 7, 7, 0, "level"}, {-1, 0, 0, 0, 0, "unknown"}, {0, 7, 7, 8, 0, "lost"}},
		"still moves": {{0, 7, 7, 9, 0, "late"}, {-1, 0, 0, 0, 0, "unknown"}, {0, 8, 8, 9, 0, "late"}},
		"not counted": {
			{0, 7, 7, 5, 0, "lost"}, {1, 7, 7, 5, 0, "level"}, {1, 7, 7, 5, 0, "level"},
			{1, 7, 7, 4, 0, "lost"}, {0, 4, 4, 4, 0, "level"},
		},
		"expired": {{0, 7, 7, 7, 0, "level"}, {0, 7, 7, 0, 0, "lost"}, {1, 0, 0, 0, 0, "level"}},
	} {
		t.Run(name, func(t *testing.T) {
			judge, now := breakercluster.NewJudge(), time.Now()
			for i, s := range steps {
				now = now.Add(s.after)
				assert.Equal(t, s.want, judge(s.watch, s.before, s.seen, s.newest, now), "step %d", i)
			}
		})
	}
}
