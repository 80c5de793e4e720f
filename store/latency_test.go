package store

import (
	"testing"
	"time"
)

func TestLatencyCountsExactly(t *testing.T) {
	var h Histogram
	var want Latency
	for _, d := range []time.Duration{
		0, time.Microsecond, 15 * time.Microsecond, 16 * time.Microsecond, 63 * time.Microsecond, 64 * time.Microsecond,
		time.Millisecond, 1024 * time.Microsecond, 100 * time.Millisecond, 4 * time.Second, time.Minute,
	} {
		h.Observe(d)
		want.Count++
		want.Sum += d
		for i := range want.Below {
			if d < LatencyBound(i) {
				want.Below[i]++
			}
		}
	}
	if got := h.Latency(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if first, last := LatencyBound(0), LatencyBound(LatencyBounds-1); first != 16*time.Microsecond || last < 4*time.Second {
		t.Errorf("bounds from %v to %v", first, last)
	}
}
