package store

import (
	"time"
)

// LatencyBounds is the number of bounds of a Latency.
const LatencyBounds = 10

// LatencyBound returns the i-th bound: 16 µs, four times as much each, 4.2 s. A bound is the end of one
// of the histogram's buckets, so that the counts are exact.
func LatencyBound(i int) time.Duration { return 16 * time.Microsecond << (2 * i) }

// Latency is a snapshot of a Histogram in the form that metrics want: counters that only grow.
type Latency struct {
	Below [LatencyBounds]uint64 // durations below each LatencyBound
	Count uint64                // all durations
	Sum   time.Duration
}

// Latency returns the counts so far. Durations counted meanwhile may be missing.
func (h *Histogram) Latency() Latency {
	l := Latency{Sum: time.Duration(h.sum.Load())}
	for i := range h.buckets {
		n := h.buckets[i].Load()
		l.Count += n
		for bound := range l.Below {
			if upperBound(i) < uint64(LatencyBound(bound).Microseconds()) {
				l.Below[bound] += n
			}
		}
	}
	return l
}
