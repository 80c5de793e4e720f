package cache

import (
	"runtime"
	"testing"
)

// heap returns the live heap after a collection, in bytes and in objects.
func heap() (bytes, objects int64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.HeapObjects)
}

// fill returns a cache of n names of 16 bytes with 200 bytes of data each.
func fill(n int, bytesMax int64) *Cache {
	c := newTestCache(bytesMax, ^uint32(0))
	data, name := make([]byte, 200), make([]byte, 0, 64)
	for i := range n {
		name = testName(name, i)
		c.Put(name, 1, data)
	}
	return c
}

// 290 bytes an entry are the budget for 216 of name and data. The number of objects is what a
// collection costs.
func TestMemoryBudget(t *testing.T) {
	const n = 300_000
	bytes, objects := heap()
	c := fill(n, 1<<30)
	grownBytes, grownObjects := heap()
	grownBytes, grownObjects = grownBytes-bytes, grownObjects-objects
	perEntry, perObject := float64(grownBytes)/n, n/float64(grownObjects)
	t.Logf("%.1f B/entry, %.1f by its own count, %.0f entries/object", perEntry, float64(c.Bytes())/n, perObject)
	if c.Len() != n || perEntry > 275 || perObject < 100 {
		t.Errorf("%d entries of %.1f B, budget 275; %.0f of them an object, at least 100", c.Len(), perEntry, perObject)
	}
	for i := range n {
		c.Remove(testName(nil, i))
	}
	left, _ := heap()
	if left -= bytes; left > 2<<20 {
		t.Errorf("%d bytes of %d are left without an entry", left, grownBytes)
	}
	runtime.KeepAlive(c)
}

// The memory held stays within the budget and 3.2 MiB, whatever sizes follow each other.
func TestBudgetIsMemory(t *testing.T) {
	const bytesMax, overhead = 12 << 20, 3<<20 + 200<<10
	before, _ := heap()
	c := newTestCache(bytesMax, ^uint32(0))
	data, name := make([]byte, 1<<20), make([]byte, 0, 64)
	next := 0
	for round, size := range []int{10, 300_000, 200, 16_000, 30, 0, 4000, 100, 1 << 20, 60} {
		for put := 0; put < 2*bytesMax; put += size + 100 {
			name = testName(name, next)
			c.Put(name, 1, data[:size-size*(next%7)/20])
			if next++; next%50 == 0 { // survivors of every round, all over the spans
				c.Pin(name)
				c.Unpin(name)
			}
		}
		if held, _ := heap(); held-before > bytesMax+overhead+1<<20 || c.Bytes() > bytesMax { // 1 MiB is data
			t.Fatalf("round %d, %d bytes: the heap has %d, Bytes is %d, budget %d", round, size, held-before, c.Bytes(), bytesMax)
		}
	}
	check(t, c)
	runtime.KeepAlive(c)
}
