package pebble

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	lsm "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"deepstream-fast/store"
	"deepstream-fast/store/storetest"
)

// slowDisk adds the time an fsync takes on a disk of its own, which one in a virtual machine does
// not have to show.
type slowDisk struct {
	vfs.FS
	delay time.Duration
}

func (d slowDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return slowFile{f, d.delay}, err
}

func (d slowDisk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(oldname, newname, c)
	return slowFile{f, d.delay}, err
}

type slowFile struct {
	vfs.File
	delay time.Duration
}

func (f slowFile) SyncData() error { <-time.After(f.delay); return f.File.SyncData() }
func (f slowFile) Sync() error     { <-time.After(f.delay); return f.File.Sync() }

const benchNames = 100_000

func benchWrites() (writes []store.Write) {
	for i := range benchNames {
		writes = append(writes, write(fmt.Sprintf("user/%011d", i), 1, `{"d":"`+strings.Repeat("x", 200)+`"}`))
	}
	return writes
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkWrite writes durably records of 208 bytes. With batch=1 the next write waits for the
// confirmation of the last, one fsync each; with batch=group, window writes of 64 turns of loops are
// under way. An op is one write.
func BenchmarkWrite(b *testing.B) {
	for _, sync := range []time.Duration{0, 2 * time.Millisecond} {
		for _, batch := range []string{"1", "group"} {
			b.Run(fmt.Sprintf("sync=+%v/batch=%s", sync, batch), func(b *testing.B) {
				opts := Options{Dir: filepath.Join(b.TempDir(), "data")}
				if sync > 0 {
					opts.fs = slowDisk{vfs.Default, sync}
				}
				s := mustOpen(b, opts)
				perSubmit, window := 1, make(chan struct{}, 1)
				if batch == "group" {
					perSubmit, window = 32, make(chan struct{}, 64)
				}
				benchmarkWrite(b, s, perSubmit, window)
				mustClose(b, s)
			})
		}
	}
}

func benchmarkWrite(b *testing.B, s *Store, perSubmit int, window chan struct{}) {
	writes := benchWrites()
	var all sync.WaitGroup
	done := func(o []store.Outcome) {
		if o[0].Err != nil {
			panic(o[0].Err)
		}
		<-window
		all.Done()
	}
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime()
	for i := 0; i < b.N; i += perSubmit {
		window <- struct{}{}
		all.Add(1)
		at := i % (benchNames - perSubmit)
		if err := s.Submit(writes[at:at+perSubmit], done); err != nil {
			b.Fatal(err)
		}
	}
	all.Wait()
	b.StopTimer()
	st := s.Stats()
	b.ReportMetric(float64(st.Writes)/b.Elapsed().Seconds(), "writes/s")
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1e3/float64(st.Writes), "cpu-µs/write")
	b.ReportMetric(float64(st.Ack.P50.Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(st.Ack.P99.Microseconds())/1e3, "p99-ms")
	b.ReportMetric(float64(st.Writes)/float64(st.Syncs), "writes/fsync")
}

// BenchmarkVersionKey commits batches of 1,000 records of 208 bytes, in the order of their names, with
// and without a key of its own for the version: the difference is its price. The data carries the version
// in any case.
func BenchmarkVersionKey(b *testing.B) {
	for _, apart := range []bool{false, true} {
		b.Run(fmt.Sprintf("apart=%v", apart), func(b *testing.B) {
			s := mustOpen(b, Options{Dir: filepath.Join(b.TempDir(), "data")})
			writes := benchWrites()
			bt := &batch{}
			b.ResetTimer()
			cpu := cpuTime()
			var bytes int
			for i := 0; i < b.N; {
				bt.begin(s.db, time.Time{})
				for n := 0; n < 1000 && i < b.N; n++ {
					bt.add(&writes[i%benchNames])
					i++
				}
				if apart {
					bt.encode()
				} else {
					bt.sort()
					for _, w := range bt.written {
						bt.setData(w.Write)
					}
				}
				bytes += bt.ops.Len()
				if err := bt.ops.Commit(lsm.Sync); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1e3/float64(b.N), "cpu-µs/write")
			b.ReportMetric(float64(bytes)/float64(b.N), "log-B/write")
			mustClose(b, s)
		})
	}
}

// BenchmarkHead reads versions of one million records: all of them in one bulk, in random order, or
// one at a time. An op is a bulk, or a head.
func BenchmarkHead(b *testing.B) {
	const records = 1_000_000
	s := mustOpen(b, Options{Dir: filepath.Join(b.TempDir(), "data")})
	names := make([][]byte, records)
	var writes []store.Write
	for i := range names {
		names[i] = fmt.Appendf(nil, "user/%011d", (i*7_368_787)%records) // a prime: every number once
		if writes = append(writes, store.Write{Name: names[i], Version: 1, Data: []byte(`{"n":1}`)}); len(writes) == 10_000 {
			storetest.Put(b, s, writes...)
			writes = writes[:0]
		}
	}
	b.Run("bulk=1000000", func(b *testing.B) {
		for b.Loop() {
			heads, err := storetest.HeadBulk(s, names)
			if err != nil || heads[records-1].State != store.StateLive {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/name")
	})
	b.Run("bulk=1", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if h, _, err := s.db.head(names[i%records]); err != nil || h.State != store.StateLive {
				b.Fatal(err)
			}
			i++
		}
	})
	mustClose(b, s)
}

// BenchmarkOpen opens a folder that a crash left with a full set of logs.
func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "data")
	s := mustOpen(b, Options{Dir: dir})
	for range 2 {
		writes := benchWrites()
		for len(writes) > 0 {
			storetest.Put(b, s, writes[:10_000]...)
			writes = writes[10_000:]
		}
	}
	copies := 0
	for b.Loop() {
		b.StopTimer()
		copies++
		crashed := filepath.Join(b.TempDir(), fmt.Sprint(copies))
		if err := s.Backup(crashed); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		mustClose(b, mustOpen(b, Options{Dir: crashed}))
	}
	mustClose(b, s)
}
