package pebble

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"deepstream-fast/store"
	"deepstream-fast/store/storetest"
)

// countingDisk counts the bytes read from files.
type countingDisk struct {
	vfs.FS
	read atomic.Int64
}

func (d *countingDisk) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	return &countingFile{f, d}, nil
}

type countingFile struct {
	vfs.File
	d *countingDisk
}

func (f *countingFile) ReadAt(p []byte, off int64) (int, error) {
	f.d.read.Add(int64(len(p)))
	return f.File.ReadAt(p, off)
}

// TestHeadsReadNoData reads the heads of all records from a cold store, and counts: data that does
// not compress is 4 KiB a record, a head less than 40 bytes.
func TestHeadsReadNoData(t *testing.T) {
	const records, dataBytes, headBytes = 5000, 4096, 40
	disk := &countingDisk{FS: vfs.NewMem()}
	opts := Options{Dir: "data", fs: disk}
	s := mustOpen(t, opts)
	var names [][]byte
	var writes []store.Write
	for i := range records {
		w := write(fmt.Sprintf("record/%06d", i), int32(i), noise(dataBytes))
		names, writes = append(names, w.Name), append(writes, w)
	}
	storetest.Put(t, s, writes[:records/2]...)
	storetest.Put(t, s, writes[records/2:]...)
	if err := s.db.lsm.Flush(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)

	s = mustOpen(t, opts)
	defer mustClose(t, s)
	disk.read.Store(0)
	heads, err := storetest.HeadBulk(s, names)
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range heads {
		if h != storetest.Live(int32(i)) {
			t.Fatalf("head %d: %+v", i, h)
		}
	}
	// Beside the heads: footers, indexes and filters of the tables, and a block that heads and data
	// share where one ends and the other begins.
	const tablesMax, perTable = 16, 64 << 10
	if read := disk.read.Load(); read > records*headBytes+tablesMax*perTable {
		t.Fatalf("%d bytes read for %d heads of records with %d bytes", read, records, records*dataBytes)
	} else {
		t.Logf("%d bytes read for %d heads of records with %d bytes", read, records, records*dataBytes)
	}
}

// TestBatchAllocs keeps the way of a write into the batch free of allocations.
func TestBatchAllocs(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", fs: vfs.NewMem()})
	defer mustClose(t, s)
	b := &batch{}
	w := write("record/1", 1, strings.Repeat("x", 200))
	d := w
	d.Deleted = true
	build := func() {
		b.begin(s.db, time.Unix(1, 0))
		for range 100 {
			b.add(&w)
			b.add(&d)
		}
		b.encode()
	}
	if n := testing.AllocsPerRun(100, build); n > 0 || b.err != nil {
		t.Fatalf("%v allocations for 200 writes, %v", n, b.err)
	}
}

// TestGroupCommit shows that writes which arrive during a commit share the next one.
func TestGroupCommit(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", fs: vfs.NewMem()})
	defer mustClose(t, s)
	held, release, last := make(chan struct{}), make(chan struct{}), make(chan struct{})
	if err := s.Submit(nil, func([]store.Outcome) { close(held); <-release }); err != nil {
		t.Fatal(err)
	}
	<-held
	before := s.Stats()
	const n = 1000
	for i := range n {
		err := s.Submit([]store.Write{write(fmt.Sprint(i), 1, `{}`)}, func([]store.Outcome) {
			if i == n-1 {
				close(last)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	<-last
	if after := s.Stats(); after.Commits != before.Commits+1 || after.Syncs != before.Syncs+1 || after.Writes != n {
		t.Fatalf("%d writes took %d commits and %d fsyncs", n, after.Commits-before.Commits, after.Syncs-before.Syncs)
	}
}

func TestInterval(t *testing.T) {
	disk := vfs.NewCrashableMem()
	opts := Options{Dir: "data", fs: disk, Durability: DurabilityInterval, SyncInterval: time.Millisecond}
	s := mustOpen(t, opts)
	storetest.Put(t, s, write("x", 1, `{}`))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.Stats().Syncs == 0 {
		<-tick.C
	}
	opts.fs = disk.CrashClone(vfs.CrashCloneCfg{})
	c := mustOpen(t, opts)
	storetest.Expect(t, c, "x", storetest.Live(1), `{}`)
	mustClose(t, c)
	mustClose(t, s)
}
