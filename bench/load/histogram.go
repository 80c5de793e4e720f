package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets whose width grows with the value: 16 per power of two, so
// a quantile is right to about 6 %. The zero value is empty and ready. It never grows: 8 KiB.
type Histogram struct {
	counts [64 << subBits]uint64
	total  uint64
}

const subBits = 4

// Add counts n observations of d; a negative d counts as zero.
func (h *Histogram) Add(d time.Duration, n int) {
	h.counts[bucket(uint64(max(d, 0)))] += uint64(n)
	h.total += uint64(n)
}

// Count returns the number of observations.
func (h *Histogram) Count() uint64 { return h.total }

// Quantile returns the lower bound of the bucket that holds the q-th observation, 0 <= q <= 1, and
// 0 while the histogram is empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.total))
	if rank == h.total && rank > 0 {
		rank--
	}
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen > rank {
			return time.Duration(lowerBound(i))
		}
	}
	return 0
}

// bucket returns the index for v: v itself below 16, then its exponent and its next four bits.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// lowerBound returns the smallest value of bucket i.
func lowerBound(i int) uint64 {
	shift := max(i>>subBits-1, 0)
	return uint64(i-shift<<subBits) << shift
}
