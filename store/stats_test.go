package store

import (
	"testing"
	"time"
)

func TestHistogramQuantiles(t *testing.T) {
	var h Histogram
	if got := h.Quantiles(); got != (Quantiles{}) {
		t.Fatalf("empty: %+v", got)
	}
	for us := range 10_000 {
		h.Observe(time.Duration(us) * time.Microsecond)
	}
	h.Observe(-time.Second)
	got := h.Quantiles()
	for _, c := range []struct {
		name      string
		got, want time.Duration
	}{
		{"p50", got.P50, 5000 * time.Microsecond},
		{"p90", got.P90, 9000 * time.Microsecond},
		{"p99", got.P99, 9900 * time.Microsecond},
		{"max", got.Max, 9999 * time.Microsecond},
	} {
		if c.got < c.want-time.Microsecond || c.got > c.want+c.want/8 {
			t.Errorf("%s = %v, want %v to 12.5 %% more", c.name, c.got, c.want)
		}
	}
}

func TestHistogramBucketsAreContiguous(t *testing.T) {
	last := -1
	for us := uint64(0); us < 1<<20; us++ {
		i := bucketOf(us)
		if i != last && i != last+1 || upperBound(i) < us || i > 0 && upperBound(i-1) >= us {
			t.Fatalf("%d µs: bucket %d (to %d) after %d", us, i, upperBound(i), last)
		}
		last = i
	}
	if i := bucketOf(1 << 60); i != 32*subBuckets-1 {
		t.Fatalf("centuries are in bucket %d", i)
	}
}
