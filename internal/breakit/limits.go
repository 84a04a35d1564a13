package breakit

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kamilsk/breaker"
)

// plan is a command line.
type plan struct {
	// after and idle are 0 if they aren't limits, until is zero.
	after, idle time.Duration
	until       time.Time
	grace       time.Duration
	// limit is how ps shows them.
	limit   string
	command []string
}

// parse reads a command line at the given moment, with the options of an extension.
func parse(args []string, now time.Time, more map[string]Option) (plan, error) {
	p := plan{grace: 10 * time.Second}
	var limits []string
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if word == "--" {
			p.command, p.limit = args, strings.Join(limits, ", ")
			switch {
			case len(limits) == 0:
				return p, fmt.Errorf("there is no limit: say %s before the --", known(more))
			case len(args) == 0:
				return p, errors.New("there is no command after the --")
			}
			return p, nil
		}
		value, joined := "", false
		if strings.HasPrefix(word, "--") {
			word, value, joined = strings.Cut(word, "=")
		}
		var set func(string) error
		switch word {
		case "after":
			set = func(s string) error { return ParseDuration(s, time.Nanosecond, &p.after) }
		case "idle":
			set = func(s string) error { return ParseDuration(s, time.Nanosecond, &p.idle) }
		case "until":
			set = func(s string) error { return moment(s, now, &p.until) }
		case "--grace", "-grace":
			set = func(s string) error { return ParseDuration(s, 0, &p.grace) }
		default:
			option, ok := more[word]
			if ok {
				set = option.Set
				break
			}
			return p, fmt.Errorf("%q is neither a limit nor an option; put -- before the command", word)
		}
		if !joined {
			if len(args) == 0 || args[0] == "--" {
				return p, fmt.Errorf("%s needs %s", word, more[word].needs())
			}
			value, args = args[0], args[1:]
		}
		if err := set(value); err != nil {
			return p, fmt.Errorf("%s: %w", word, err)
		}
		if !strings.HasPrefix(word, "-") || more[word].IsLimit {
			word = strings.TrimLeft(word, "-")
			for _, l := range limits {
				if strings.HasPrefix(l, word+" ") {
					return p, fmt.Errorf("%s is given twice", word)
				}
			}
			limits = append(limits, word+" "+value)
		}
	}
	return p, errors.New("there is no --; put it before the command")
}

const day = 24 * time.Hour

// ParseDuration reads what time.ParseDuration does, and days in front of it. It refuses what is
// less than the least.
func ParseDuration(s string, least time.Duration, into *time.Duration) error {
	total := time.Duration(0)
	rest := s
	if days, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > math.MaxInt64/uint64(day) {
			return fmt.Errorf("%q is not a time such as 10m, 1h30m or 2d", s)
		}
		total, rest = time.Duration(n)*day, after
	}
	if rest != "" {
		if _, err := strconv.ParseFloat(rest, 64); err == nil {
			return fmt.Errorf("%q has no unit: write %ss for seconds, or %sm for minutes", s, s, s)
		}
		d, err := time.ParseDuration(rest)
		if err != nil || total+d < total && d > 0 {
			return fmt.Errorf("%q is not a time such as 10m, 1h30m or 2d", s)
		}
		total += d
	}
	if s == "" || total < least {
		return fmt.Errorf("%q is too short", s)
	}
	*into = total
	return nil
}

// moment reads a time of the day, which is the next one there is, or a date with one.
func moment(s string, now time.Time, into *time.Time) error {
	for _, layout := range []string{"15:04", "15:04:05"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		at := func(days int) time.Time {
			return time.Date(now.Year(), now.Month(), now.Day()+days, t.Hour(), t.Minute(), t.Second(), 0, now.Location())
		}
		*into = at(0)
		if !into.After(now) {
			*into = at(1)
		}
		return nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05", time.RFC3339} {
		t, err := time.ParseInLocation(layout, s, now.Location())
		if err != nil {
			continue
		}
		if !t.After(now) {
			return fmt.Errorf("%s is over", s)
		}
		*into = t
		return nil
	}
	return fmt.Errorf("%q is not a time such as 18:00 or 2026-12-24T18:00", s)
}

// reached is the cause of a limit.
type reached string

func (r reached) Error() string { return string(r) }

// start begins to count. The breaker is the caller's to close, and closes the other sources. If
// there is an idle limit, each output has to touch idle.
func (p plan) start(others []breaker.Interface) (br *breaker.Breaker, idle *breaker.Idle) {
	sources := slices.Clone(others)
	if p.after > 0 {
		sources = append(sources, breaker.BreakByTimeoutCause(p.after, reached("it has run for "+short(p.after))))
	}
	if !p.until.IsZero() {
		sources = append(sources, breakByWallClock(p.until, reached("it is "+clock(p.until, p.until))))
	}
	if p.idle > 0 {
		named := breaker.New() // with a cause that says so
		idle = breaker.BreakByIdle(p.idle)
		idle.OnTrip(func() { named.Trip(reached("no output for " + short(p.idle))) })
		named.OnTrip(idle.Close)
		sources = append(sources, named)
	}
	return breaker.Multiplex(sources...), idle
}

// breakByWallClock returns a breaker that trips when the clock on the wall says so. A timer counts
// only while the machine is awake, and doesn't notice when the clock is set, so this looks at the
// clock every few seconds.
func breakByWallClock(at time.Time, cause error) *breaker.Breaker {
	const look = 5 * time.Second
	br, at := breaker.New(), at.Round(0)
	var timer *time.Timer
	check := func() {
		if left := time.Until(at); left > 0 {
			timer.Reset(min(left, look))
		} else {
			br.Trip(cause)
		}
	}
	timer = time.AfterFunc(math.MaxInt64, check) // so that check knows it
	br.OnTrip(func() { timer.Stop() })
	check()
	return br
}

// short is 10m for 10m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// clock shows a time of the day, and the date as well if it isn't that of now.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}
