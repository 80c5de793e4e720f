package registry

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
)

// Budgets per operation on a machine of two virtual cores: subscribe 500 ns, unsubscribe and
// subscribe 900 ns, close 200 ns a subscription, a forced GC at 5 M subscriptions 10 ms of CPU.
const benchConns, benchNames = 1000, 1000

func benchKeys(n int) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = name20(nil, i)
	}
	return keys
}

// benchSubscribe is mustSubscribe without its share of the measurement.
func benchSubscribe(b *testing.B, l *Loop, slot uint32, key []byte) {
	if _, err := l.Subscribe(slot, key); err != nil {
		b.Fatal(err)
	}
}

// kinds runs f with names shared by all connections and with distinct ones; key gives the name of
// the n-th subscription of conn.
func kinds(b *testing.B, f func(b *testing.B, shared bool, key func(conn, n int) []byte)) {
	keys := benchKeys(benchConns * benchNames)
	b.Run("names=shared/subs=1M", func(b *testing.B) {
		f(b, true, func(_, n int) []byte { return keys[n] })
	})
	b.Run("names=distinct/subs=1M", func(b *testing.B) {
		f(b, false, func(conn, n int) []byte { return keys[conn*benchNames+n] })
	})
}

func BenchmarkSubscribe(b *testing.B) {
	kinds(b, func(b *testing.B, _ bool, key func(conn, n int) []byte) {
		b.ReportAllocs()
		var l *Loop
		for i := 0; b.Loop(); i++ {
			if i%(benchConns*benchNames) == 0 {
				b.StopTimer()
				_, loops := newTestTable(1, ^uint32(0))
				l, i = loops[0], 0
				b.StartTimer()
			}
			conn, n := i/benchNames, i%benchNames
			benchSubscribe(b, l, uint32(conn), key(conn, n))
		}
	})
}

func BenchmarkUnsubscribeSubscribe(b *testing.B) {
	kinds(b, func(b *testing.B, shared bool, key func(conn, n int) []byte) {
		l := fill(b, benchConns, benchNames, shared)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			conn, n := i*7919%benchConns, i*104729%benchNames
			k := key(conn, n)
			l.Unsubscribe(uint32(conn), k)
			benchSubscribe(b, l, uint32(conn), k)
			if i%100 == 99 {
				l.Quiesce()
			}
		}
	})
}

func BenchmarkClose(b *testing.B) {
	kinds(b, func(b *testing.B, shared bool, key func(conn, n int) []byte) {
		l := fill(b, benchConns, benchNames, shared)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			conn := i % benchConns
			for l.RemoveConn(uint32(conn), 1<<20, nil) {
			}
			b.StopTimer()
			for n := range benchNames {
				benchSubscribe(b, l, uint32(conn), key(conn, n))
			}
			l.Quiesce()
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchNames), "ns/sub")
	})
}

// BenchmarkPublish finds a name and walks its k subscribers among n subscriptions.
func BenchmarkPublish(b *testing.B) {
	const n = 1_000_000
	for _, k := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("k=%d/n=1M", k), func(b *testing.B) {
			tab, loops := newTestTable(1, ^uint32(0))
			keys := benchKeys(n / k)
			for i := range n {
				benchSubscribe(b, loops[0], uint32(i%10_000), keys[i/k])
			}
			b.ReportAllocs()
			sum, walked := uint64(0), 0
			for i := 0; b.Loop(); i++ {
				ref, _, _ := tab.Find(keys[i*7919%len(keys)])
				slots := loops[0].Subscribers(ref)
				for _, s := range slots {
					sum += uint64(s)
				}
				walked += len(slots)
			}
			if sum == 0 {
				b.Error("nothing walked")
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(walked), "ns/delivery")
		})
	}
}

func BenchmarkFind(b *testing.B) {
	for _, names := range []int{1, 1_000_000} {
		b.Run(fmt.Sprintf("names=%d", names), func(b *testing.B) {
			l := fill(b, 1, names, false)
			keys := benchKeys(names)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, _, ok := l.table.Find(keys[i*7919%names]); !ok {
						b.Error("not found")
						return
					}
				}
			})
		})
	}
}

// BenchmarkGC forces collections over a live registry; the CPU of all threads counts.
func BenchmarkGC(b *testing.B) {
	b.Run("names=distinct/subs=5M", func(b *testing.B) {
		l := fill(b, 5000, 1000, false)
		runtime.GC()
		before := cpuNanos(b)
		for b.Loop() {
			runtime.GC()
		}
		b.ReportMetric(float64(cpuNanos(b)-before)/1e6/float64(b.N), "cpu-ms/GC")
		runtime.KeepAlive(l)
	})
}

func cpuNanos(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
