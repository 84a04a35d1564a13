package histogram

import (
	"math"
	"testing"
	"time"
)

func TestBucketsCoverEveryDurationOnce(t *testing.T) {
	// By hand: up to 255 each value has a bucket of its own; from 256 on two share one, from 512 on
	// four.
	for value, want := range map[uint64]int{0: 0, 127: 127, 128: 128, 255: 255, 256: 256, 257: 256, 258: 257, 511: 383, 512: 384, 515: 384, 516: 385} {
		if got := bucket(value); got != want {
			t.Errorf("bucket(%d) = %d, want %d", value, got, want)
		}
	}
	var h Histogram
	if got := bucket(math.MaxInt64); got != len(h.counts)-1 {
		t.Errorf("the longest duration has bucket %d of %d", got, len(h.counts))
	}
	for i := range len(h.counts) - 1 {
		if bucket(last(i)) != i || bucket(last(i)+1) != i+1 {
			t.Fatalf("bucket %d doesn't end at %d", i, last(i))
		}
	}
}

func TestQuantiles(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 {
		t.Error("an empty histogram isn't empty")
	}
	for d := range time.Duration(100) {
		h.Record(d + 1) // 1 ns to 100 ns
	}
	h.Record(-time.Second)
	h.Record(1_000_001)
	if got := h.Count(); got != 102 {
		t.Errorf("counted %d", got)
	}
	// By hand: of the 102 sorted values 0, 1, ..., 100, 1000001 the half is reached with the 51st,
	// which is 50, and 98 % with the 100th, which is 99.
	for share, want := range map[float64]time.Duration{0: 0, 0.5: 50, 0.98: 99, 0.999: 1_000_001, 1: 1_000_001} {
		if got := h.Quantile(share); got != want {
			t.Errorf("Quantile(%v) = %d, want %d", share, got, want)
		}
	}
}

func TestQuantileIsOffByLessThanAPercent(t *testing.T) {
	var h Histogram
	for range 9 {
		h.Record(123_456_789)
	}
	h.Record(time.Hour)
	got := h.Quantile(0.5)
	if got < 123_456_789 || got > 124_691_356 {
		t.Errorf("Quantile(0.5) = %d", got)
	}
}
