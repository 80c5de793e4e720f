package cache

import (
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// Budgets per operation with a million entries on a machine of two virtual cores: get 250 ns and put
// 300 ns of zipf names, insert 350 ns, evict 350 ns, a forced collection 10 ms of CPU.
const benchEntries = 1_000_000

func benchNames(n int) [][]byte {
	names := make([][]byte, n)
	for i := range names {
		names[i] = testName(nil, i)
	}
	return names
}

// accesses runs f with a sequence of names: some often, or each as often as the others. The names
// lie in memory in that order, so that fetching one is not what is measured.
func accesses(b *testing.B, f func(b *testing.B, c *Cache, name func(i int) []byte)) {
	const nameBytes, length = 16, 1 << 20
	c := fill(benchEntries, 1<<30)
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.01, 1, benchEntries-1)
	shuffle := r.Perm(benchEntries) // so that frequent names are not neighbours
	for _, o := range []struct {
		name string
		next func() uint64
	}{{"zipf", zipf.Uint64}, {"uniform", func() uint64 { return r.Uint64N(benchEntries) }}} {
		names := make([]byte, 0, length*nameBytes)
		for range length {
			names = append(names, testName(nil, shuffle[o.next()])...)
		}
		b.Run("entries=1M/access="+o.name, func(b *testing.B) {
			b.ReportAllocs()
			f(b, c, func(i int) []byte { return names[i%length*nameBytes:][:nameBytes] })
		})
	}
}

func BenchmarkGet(b *testing.B) {
	accesses(b, func(b *testing.B, c *Cache, name func(int) []byte) {
		for i := 0; b.Loop(); i++ {
			c.Get(name(i))
		}
	})
}

func BenchmarkPut(b *testing.B) {
	data := make([]byte, 200)
	accesses(b, func(b *testing.B, c *Cache, name func(int) []byte) {
		for i := 0; b.Loop(); i++ {
			c.Put(name(i), int32(i), data)
		}
	})
}

// A write: the record is put and pinned, a thousand writes later the store confirms it.
func BenchmarkPutPinUnpin(b *testing.B) {
	data := make([]byte, 200)
	accesses(b, func(b *testing.B, c *Cache, name func(int) []byte) {
		for i := 0; b.Loop(); i++ {
			c.Put(name(i), int32(i), data)
			c.Pin(name(i))
			if i >= 1000 {
				c.Unpin(name(i - 1000))
			}
		}
	})
}

func BenchmarkInsert(b *testing.B) {
	b.Run("entries=1M", func(b *testing.B) {
		names, data := benchNames(benchEntries), make([]byte, 200)
		b.ReportAllocs()
		var c *Cache
		for i := 0; b.Loop(); i++ {
			if i%benchEntries == 0 {
				b.StopTimer()
				c = newTestCache(1<<30, ^uint32(0))
				b.StartTimer()
			}
			c.Put(names[i%benchEntries], 1, data)
		}
	})
}

func BenchmarkEvict(b *testing.B) {
	b.Run("entries=1M", func(b *testing.B) {
		names, data := benchNames(2*benchEntries), make([]byte, 200)
		c := fill(benchEntries, benchEntries*(entryCharge+classCharge[classOf(220)]))
		b.ReportAllocs()
		for i := benchEntries; b.Loop(); i++ {
			c.Put(names[i%len(names)], 1, data)
		}
		b.ReportMetric(float64(c.Stats().Evictions)/float64(b.N), "evictions/op")
	})
}

// BenchmarkCollect reports what a full cache costs the collector, above an empty one.
func BenchmarkCollect(b *testing.B) {
	for _, k := range []struct {
		name    string
		entries int
	}{{"entries=0", 0}, {"entries=1M", benchEntries}} {
		b.Run(k.name, func(b *testing.B) {
			c := fill(k.entries, 1<<30)
			runtime.GC()
			begin := cpuTime(b)
			for b.Loop() {
				runtime.GC()
			}
			b.ReportMetric(float64(cpuTime(b)-begin)/1e6/float64(b.N), "cpu-ms/op")
			runtime.KeepAlive(c)
		})
	}
}

// cpuTime returns what the process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
