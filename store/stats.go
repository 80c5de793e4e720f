package store

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Stats is a snapshot of what a store has done and has to do. The counters only grow.
type Stats struct {
	QueueBytes int // Write.Size of what waits or is being committed
	QueueReads int // reads that wait

	Writes    uint64 // outcomes without an error
	Conflicts uint64 // outcomes with ErrConflict
	Errors    uint64 // outcomes with any other error, and failed reads
	Busy      uint64 // calls refused with ErrBusy
	Commits   uint64 // batches
	Syncs     uint64 // commits and intervals that waited for fsync
	Swept     uint64 // tombstones collected

	Degraded error // why the store is read-only; nil if it is not

	Ack    Quantiles // Submit to done
	Commit Quantiles // one batch

	AckTimes, CommitTimes Latency // the same, in buckets
	SyncTimes             Latency // one fsync of a file, where there are files
	LoadTimes             Latency // a question about records, from its arrival to the answer
}

// Quantiles are the usual points of a latency distribution, each at most 12.5 % too high.
type Quantiles struct {
	P50, P90, P99, Max time.Duration
}

const subBuckets = 8 // per power of two: the error of a quantile is at most 1/subBuckets

// Histogram counts durations in logarithmic buckets of microseconds, in 2 KiB whatever happens. The
// zero value is empty. Safe for concurrent use; Observe allocates nothing.
type Histogram struct {
	buckets [32 * subBuckets]atomic.Uint64
	sum     atomic.Int64 // nanoseconds
}

// Observe counts d. More than 35 minutes count as 35 minutes.
func (h *Histogram) Observe(d time.Duration) {
	h.buckets[bucketOf(uint64(max(d.Microseconds(), 0)))].Add(1)
	h.sum.Add(int64(max(d, 0)))
}

func bucketOf(us uint64) int {
	if us < subBuckets {
		return int(us)
	}
	octave := bits.Len64(us) - 4 // of the lowest bit that still counts
	return min((octave+1)*subBuckets+int(us>>octave)-subBuckets, 32*subBuckets-1)
}

// upperBound returns the largest number of microseconds in bucket i.
func upperBound(i int) uint64 {
	if i < subBuckets {
		return uint64(i)
	}
	octave := i/subBuckets - 1
	return uint64(i%subBuckets+subBuckets+1)<<octave - 1
}

// Quantiles returns the distribution so far. Durations counted meanwhile may be missing.
func (h *Histogram) Quantiles() Quantiles {
	var counts [len(h.buckets)]uint64
	var total uint64
	for i := range counts {
		counts[i] = h.buckets[i].Load()
		total += counts[i]
	}
	at := func(percent uint64) time.Duration {
		rank, seen := (total*percent+99)/100, uint64(0)
		for i, n := range counts {
			if seen += n; n > 0 && seen >= rank {
				return time.Duration(upperBound(i)) * time.Microsecond
			}
		}
		return 0
	}
	return Quantiles{P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}
