package ws

import (
	"math/bits"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"
)

// Budget bounds the memory that partial messages of all connections of a server take together.
// Safe for concurrent use. A nil Budget bounds nothing, which suits a driver or a test.
type Budget struct {
	// Set by NewBudget, then constant.
	bytesMax int64

	// Safe from any goroutine.
	used atomic.Int64
}

// NewBudget returns a Budget of bytesMax bytes.
func NewBudget(bytesMax int64) *Budget { return &Budget{bytesMax: bytesMax} }

// Used returns the bytes in use. It may exceed the maximum for the moment in which a reservation
// is being refused.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

func (b *Budget) reserve(n int) bool {
	if b == nil || b.used.Add(int64(n)) <= b.bytesMax {
		return true
	}
	b.used.Add(-int64(n))
	return false
}

func (b *Budget) release(n int) {
	if b != nil {
		b.used.Add(-int64(n))
	}
}

// Buffers over pooledBytesMin come from pools, one for each power of two up to pooledBytesMax:
// allocating (and zeroing) them would dominate reading such a message, see BenchmarkAssemble. The
// smallest pool is the one for a whole read of 64 KiB, the largest for the usual maximum of a message.
// A bigger one is rare and left to the garbage collector, so that no pool keeps a giant.
const (
	pooledBytesMin = 32 << 10
	pooledBytesMax = 1 << 20
)

var pools [5]bytebufferpool.Pool // 64, 128, 256, 512, 1024 KiB

// poolOf returns the pool of buffers with room for n bytes and their exact size, or nil and n.
func poolOf(n int) (*bytebufferpool.Pool, int) {
	if n <= pooledBytesMin || n > pooledBytesMax {
		return nil, n
	}
	class := bits.Len(uint(n-1)) - bits.Len(uint(pooledBytesMin))
	return &pools[class], pooledBytesMin << (class + 1)
}
