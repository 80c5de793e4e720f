package pebble

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"deepstream-fast/store"
	"deepstream-fast/store/storetest"
)

// brokenDisk fails every operation that changes something, from the failAt-th on, until healed.
type brokenDisk struct {
	vfs.FS
	ops    atomic.Int64
	failAt atomic.Int64
}

const healthy = 1 << 40

func newBrokenDisk(under vfs.FS, cause error) *brokenDisk {
	b := &brokenDisk{}
	b.failAt.Store(healthy)
	b.FS = errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && b.ops.Add(1) >= b.failAt.Load() {
			return cause
		}
		return nil
	}))
	return b
}

// ledger knows what a store has confirmed, and fails the test if the store forgets it.
type ledger struct {
	s     *Store
	next  int
	acked map[string]store.Head
}

const ledgerNames = 50

// write submits one write and returns why it failed, if it did.
func (l *ledger) write(t *testing.T) error {
	t.Helper()
	l.next++
	name := fmt.Sprint(l.next % ledgerNames)
	w := write(name, int32(l.next), payload(l.next))
	w.Deleted = l.next%11 == 0
	done := make(chan error, 1)
	if err := l.s.Submit([]store.Write{w}, func(o []store.Outcome) { done <- o[0].Err }); err != nil {
		return err
	}
	err := <-done
	if err == nil {
		l.acked[name] = w.Head()
	}
	return err
}

// payload makes data that tells which write it is of, of a length that depends on it as well.
func payload(i int) string {
	return fmt.Sprintf(`{"i":%d,"fill":"%s"}`, i, strings.Repeat("x", i%3000))
}

// check reads every confirmed name: nothing may be missing, older or torn.
func (l *ledger) check(t *testing.T) {
	t.Helper()
	for name, want := range l.acked {
		r, err := storetest.Get(l.s, name)
		if err != nil || r.Version < want.Version {
			t.Fatalf("%q is at %+v (%v), confirmed was %+v", name, r.Head, err, want)
		}
		if r.State == store.StateLive && string(r.Data) != payload(int(r.Version)) {
			t.Fatalf("%q at version %d has data of %d bytes that starts %.40q", name, r.Version, len(r.Data), r.Data)
		}
	}
}

// untilWritable writes until the store has recovered.
func (l *ledger) untilWritable(t *testing.T) {
	t.Helper()
	tick, giveUp := time.NewTicker(time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for {
		select {
		case <-giveUp:
			t.Fatalf("not recovered: %v", l.s.Stats().Degraded)
		case <-tick.C:
			if err := l.write(t); err == nil {
				return
			} else if !errors.Is(err, store.ErrReadOnly) {
				t.Fatal(err)
			}
		}
	}
}

// TestEveryFault breaks the disk at every kind of moment: in the log, at its rotation, in a flush,
// in a compaction, in the manifest, twice in a row during recovery.
func TestEveryFault(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EIO} {
		t.Run(cause.Error(), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			memory := vfs.NewMem()
			broken := newBrokenDisk(memory, cause)
			log := &logBook{}
			opts := Options{Dir: "data", Log: log.logger(), ProbeInterval: time.Millisecond, fs: broken, memTableBytes: 64 << 10}
			l := &ledger{s: mustOpen(t, opts), acked: map[string]store.Head{}}
			const faults = 25
			for range faults {
				broken.failAt.Store(broken.ops.Load() + rng.Int64N(150))
				var err error
				for err == nil {
					err = l.write(t)
				}
				if !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, cause) {
					t.Fatalf("failed with %v, want %v because of %v", err, store.ErrReadOnly, cause)
				}
				l.check(t)
				if err := l.write(t); !errors.Is(err, store.ErrReadOnly) {
					t.Fatalf("a write on a broken disk: %v", err)
				}
				if rng.IntN(2) == 0 { // it breaks again while the store recovers
					broken.failAt.Store(broken.ops.Load() + rng.Int64N(60))
					_ = l.write(t)
				}
				broken.failAt.Store(healthy)
				l.untilWritable(t)
				l.check(t)
			}
			failed, recovered := log.count("takes no writes"), log.count("takes writes again")
			if failed < faults || failed != recovered {
				t.Fatalf("%d faults: logged %d failures and %d recoveries", faults, failed, recovered)
			}
			mustClose(t, l.s)
			opts.fs = memory
			if _, err := Check(opts); err != nil {
				t.Fatal(err)
			}
			l.s = mustOpen(t, opts)
			l.check(t)
			mustClose(t, l.s)
		})
	}
}

// TestFaultWhileIdle breaks the disk under the background work of a store that nobody writes to.
func TestFaultWhileIdle(t *testing.T) {
	broken := newBrokenDisk(vfs.NewMem(), syscall.EIO)
	s := mustOpen(t, Options{Dir: "data", ProbeInterval: time.Millisecond, fs: broken})
	l := &ledger{s: s, acked: map[string]store.Head{}}
	for range 10 {
		if err := l.write(t); err != nil {
			t.Fatal(err)
		}
	}
	broken.failAt.Store(0)
	if err := s.db.lsm.Flush(); err != nil {
		t.Logf("flush: %v", err) // into nowhere; whether Pebble notices does not matter
	}
	tick, giveUp := time.NewTicker(time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for s.Stats().Degraded == nil {
		select {
		case <-tick.C:
		case <-giveUp:
			t.Fatal("nobody noticed")
		}
	}
	l.check(t)
	broken.failAt.Store(healthy)
	l.untilWritable(t)
	l.check(t)
	mustClose(t, s)
}

func TestCloseOnBrokenDisk(t *testing.T) {
	broken := newBrokenDisk(vfs.NewMem(), syscall.ENOSPC)
	s := mustOpen(t, Options{Dir: "data", fs: broken, ProbeInterval: time.Hour})
	l := &ledger{s: s, acked: map[string]store.Head{}}
	if err := l.write(t); err != nil {
		t.Fatal(err)
	}
	broken.failAt.Store(0)
	if err := l.write(t); !errors.Is(err, store.ErrReadOnly) {
		t.Fatal(err)
	}
	l.check(t)
	mustClose(t, s)
}

// smallDisk is an in-memory disk with room for limit bytes. A write that does not fit is cut short,
// as the kernel does it.
type smallDisk struct {
	vfs.FS
	limit atomic.Int64
}

func (d *smallDisk) used() (n int64) {
	names, _ := d.List("data")
	for _, name := range names {
		if info, err := d.Stat(d.PathJoin("data", name)); err == nil {
			n += info.Size()
		}
	}
	return n
}

func (d *smallDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return &smallFile{f, d}, err
}

func (d *smallDisk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(oldname, newname, c)
	return &smallFile{f, d}, err
}

type smallFile struct {
	vfs.File
	d *smallDisk
}

func (f *smallFile) Write(p []byte) (int, error) {
	if room := max(f.d.limit.Load()-f.d.used(), 0); room < int64(len(p)) {
		n, _ := f.File.Write(p[:room])
		return n, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func TestDiskFull(t *testing.T) {
	d := &smallDisk{FS: vfs.NewMem()}
	d.limit.Store(8 << 20)
	testDiskFull(t, Options{Dir: "data", fs: d}, func() { d.limit.Store(64 << 20) })
}

// testDiskFull fills the disk below opts with records, makes room, and expects that nothing else has
// to be done.
func testDiskFull(t *testing.T, opts Options, makeRoom func()) {
	log := &logBook{}
	opts.Log, opts.ProbeInterval, opts.memTableBytes = log.logger(), time.Millisecond, 256<<10
	l := &ledger{s: mustOpen(t, opts), acked: map[string]store.Head{}}
	var err error
	for err == nil {
		if err = l.write(t); err == nil { // a name each, so that compaction gains nothing
			_ = l.s.Submit([]store.Write{write(fmt.Sprint("fill", l.next), 1, noise(20_000))}, func([]store.Outcome) {})
		}
	}
	if !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk filled up with: %v", err)
	}
	l.check(t)
	makeRoom()
	l.untilWritable(t)
	for range 100 {
		if err := l.write(t); err != nil {
			t.Fatal(err)
		}
	}
	l.check(t)
	if failed, recovered := log.count("takes no writes"), log.count("takes writes again"); failed == 0 || failed != recovered {
		t.Fatalf("logged %d failures, %d recoveries", failed, recovered)
	}
	mustClose(t, l.s)
	if _, err := Check(opts); err != nil {
		t.Fatal(err)
	}
	l.s = mustOpen(t, opts)
	l.check(t)
	mustClose(t, l.s)
}

// noise makes a JSON string that does not compress.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('#' + rand.IntN(57)) // up to '[': no quote, no backslash
	}
	return `"` + string(b) + `"`
}
