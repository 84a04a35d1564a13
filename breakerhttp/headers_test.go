package breakerhttp_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker/breakerhttp"
)

const (
	malformed = time.Duration(math.MinInt64) // no header can say that
	largest   = time.Duration(math.MaxInt64)
)

func TestHeaders_Parse(t *testing.T) {
	tests := map[string]struct {
		header breakerhttp.TimeoutHeader
		values map[string]time.Duration
	}{
		"X-Timeout": {breakerhttp.XTimeout(), map[string]time.Duration{
			"150ms":                              150 * time.Millisecond,
			"1m30s":                              90 * time.Second,
			"+2s":                                2 * time.Second,
			".5s":                                time.Second / 2,
			"0":                                  0,
			"0s":                                 0,
			"-1s":                                -time.Second,
			"0.1ns":                              0,
			"1ns":                                1,
			"9223372036854775807ns":              largest,
			"2562047h47m16.854775807s":           largest,
			"-9223372036854775807ns":             -largest,
			"9223372036854775808ns":              malformed,
			"2562048h":                           malformed,
			"99999999999999999999h":              malformed,
			"":                                   malformed,
			" ":                                  malformed,
			" 1s":                                malformed,
			"1s ":                                malformed,
			"1s, 2s":                             malformed,
			"1":                                  malformed,
			"s":                                  malformed,
			"-":                                  malformed,
			".":                                  malformed,
			"1d":                                 malformed,
			"1e3s":                               malformed,
			"NaN":                                malformed,
			"1s\x00":                             malformed,
			strings.Repeat("1s", 32):             32 * time.Second,
			strings.Repeat("1s", 33):             malformed,
			"0." + strings.Repeat("0", 61) + "s": 0,
			"0." + strings.Repeat("0", 62) + "s": malformed,
			strings.Repeat("1s", 1<<20):          malformed,
		}},
		"Grpc-Timeout": {breakerhttp.GRPCTimeout(), map[string]time.Duration{
			"1H":                             time.Hour,
			"1M":                             time.Minute,
			"1S":                             time.Second,
			"1m":                             time.Millisecond,
			"1u":                             time.Microsecond,
			"1n":                             time.Nanosecond,
			"0n":                             0,
			"00000000S":                      0,
			"00000001S":                      time.Second,
			"99999999n":                      99999999,
			"99999999S":                      99999999 * time.Second,
			"99999999M":                      99999999 * time.Minute,
			"2562047H":                       2562047 * time.Hour,
			"2562048H":                       largest,
			"99999999H":                      largest,
			"000000001S":                     malformed,
			"100000000n":                     malformed,
			"":                               malformed,
			"S":                              malformed,
			"1":                              malformed,
			"11":                             malformed,
			"1s":                             malformed,
			"1h":                             malformed,
			"1N":                             malformed,
			"1 S":                            malformed,
			" 1S":                            malformed,
			"1S ":                            malformed,
			"-1S":                            malformed,
			"+1S":                            malformed,
			"1.5S":                           malformed,
			"0x1S":                           malformed,
			"1_0S":                           malformed,
			"١S":                             malformed, // a digit, but not one of ASCII
			"1Ｓ":                             malformed,
			strings.Repeat("1", 1<<20) + "S": malformed,
		}},
		"Connect-Timeout-Ms": {breakerhttp.ConnectTimeout(), map[string]time.Duration{
			"0":                        0,
			"0000000000":               0,
			"1":                        time.Millisecond,
			"0000000001":               time.Millisecond,
			"1500":                     1500 * time.Millisecond,
			"9999999999":               9999999999 * time.Millisecond,
			"00000000001":              malformed,
			"10000000000":              malformed,
			"":                         malformed,
			"-1":                       malformed,
			"+1":                       malformed,
			"1.5":                      malformed,
			"1ms":                      malformed,
			"1 ":                       malformed,
			" 1":                       malformed,
			"1,2":                      malformed,
			"/":                        malformed, // next to 0
			":":                        malformed, // next to 9
			"１":                        malformed,
			strings.Repeat("1", 1<<20): malformed,
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, name, tt.header.Name)
			for value, want := range tt.values {
				got, err := tt.header.Parse(value)
				if want == malformed {
					assert.Error(t, err, "%.99q", value)
					assert.Zero(t, got, "%.99q", value)
					continue
				}
				assert.NoError(t, err, "%.99q", value)
				assert.Equal(t, want, got, "%.99q", value)
			}
		})
	}
}

// However long a value is, reading it costs nothing that grows with it, the error included.
func TestHeaders_ParseAllocates(t *testing.T) {
	for _, header := range headers() {
		for _, long := range []string{strings.Repeat("1", 1<<20), strings.Repeat("1h", 1<<20), strings.Repeat("\xff", 1<<20)} {
			assert.Zero(t, testing.AllocsPerRun(10, func() { _, _ = header.Parse(long) }), header.Name)
		}
	}
}

func TestHeaders_Format(t *testing.T) {
	tests := map[string]struct {
		header breakerhttp.TimeoutHeader
		values map[time.Duration]string
	}{
		"X-Timeout": {breakerhttp.XTimeout(), map[time.Duration]string{
			1:                       "1ns",
			1500 * time.Millisecond: "1.5s",
			largest:                 "2562047h47m16.854775807s",
		}},
		"Grpc-Timeout": {breakerhttp.GRPCTimeout(), map[time.Duration]string{
			1:                           "1n",
			99_999_999:                  "99999999n",
			100_000_000:                 "100000u",
			99_999_999_999:              "99999999u",
			100 * time.Second:           "100000m",
			100_000*time.Second - 1:     "99999999m",
			100_000 * time.Second:       "100000S",
			100_000_000*time.Second - 1: "99999999S",
			100_000_000 * time.Second:   "1666666M",
			100_000_000*time.Minute - 1: "99999999M",
			100_000_000 * time.Minute:   "1666666H",
			largest:                     "2562047H",
		}},
		"Connect-Timeout-Ms": {breakerhttp.ConnectTimeout(), map[time.Duration]string{
			1:                                 "1",
			time.Millisecond - 1:              "1",
			time.Millisecond:                  "1",
			2*time.Millisecond - 1:            "1",
			2 * time.Millisecond:              "2",
			9999999999 * time.Millisecond:     "9999999999",
			10_000_000_000 * time.Millisecond: "9999999999",
			largest:                           "9999999999",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for timeout, want := range tt.values {
				assert.Equal(t, want, tt.header.Format(timeout))
			}
		})
	}
}

func FuzzXTimeout(f *testing.F) {
	f.Fuzz(func(t *testing.T, value string) {
		got, err := breakerhttp.XTimeout().Parse(value)
		want, wantErr := time.ParseDuration(value)
		if len(value) > 64 || wantErr != nil {
			assert.Error(t, err)
			return
		}
		assert.NoError(t, err)
		assert.Equal(t, want, got)
	})
}

func FuzzGRPCTimeout(f *testing.F) {
	units := map[byte]float64{'H': 3600e9, 'M': 60e9, 'S': 1e9, 'm': 1e6, 'u': 1e3, 'n': 1}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := breakerhttp.GRPCTimeout().Parse(value)
		if err != nil {
			assert.Zero(t, got)
			return
		}
		if assert.GreaterOrEqual(t, len(value), 2) && assert.LessOrEqual(t, len(value), 9) {
			n, err := strconv.ParseUint(value[:len(value)-1], 10, 64)
			assert.NoError(t, err)
			unit, ok := units[value[len(value)-1]]
			assert.True(t, ok)
			assert.InEpsilon(t, 1+min(float64(n)*unit, float64(largest)), 1+float64(got), 1e-12)
		}
	})
}

func FuzzConnectTimeout(f *testing.F) {
	f.Fuzz(func(t *testing.T, value string) {
		got, err := breakerhttp.ConnectTimeout().Parse(value)
		n, wantErr := strconv.ParseUint(value, 10, 64)
		if len(value) > 10 || wantErr != nil {
			assert.Error(t, err)
			return
		}
		assert.NoError(t, err)
		assert.Equal(t, time.Duration(n)*time.Millisecond, got)
	})
}

// What Format writes, Parse reads: never zero, and off by no more than is documented.
func FuzzFormat(f *testing.F) {
	f.Fuzz(func(t *testing.T, n int64) {
		timeout := time.Duration(n)
		if timeout <= 0 {
			return
		}
		for _, header := range headers() {
			got, err := header.Parse(header.Format(timeout))
			assert.NoError(t, err, header.Name)
			assert.Positive(t, got, header.Name)
			switch header.Name {
			case "X-Timeout":
				assert.Equal(t, timeout, got)
			case "Grpc-Timeout":
				assert.LessOrEqual(t, got, timeout)
				assert.LessOrEqual(t, timeout-got, timeout/90_000)
			case "Connect-Timeout-Ms":
				want := min(max(timeout.Truncate(time.Millisecond), time.Millisecond), 9999999999*time.Millisecond)
				assert.Equal(t, want, got)
			}
		}
	})
}

func headers() []breakerhttp.TimeoutHeader {
	return []breakerhttp.TimeoutHeader{breakerhttp.XTimeout(), breakerhttp.GRPCTimeout(), breakerhttp.ConnectTimeout()}
}
