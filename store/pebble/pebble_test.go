package pebble

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"deepstream-fast/store"
	"deepstream-fast/store/storetest"
)

func TestContract(t *testing.T) {
	for _, durability := range []Durability{DurabilityAck, DurabilityInterval, DurabilityNone} {
		t.Run(fmt.Sprintf("durability=%s", durability), func(t *testing.T) {
			var opts Options
			storetest.Run(t, storetest.Backend{
				Open: func(t *testing.T, c storetest.Config) store.Store {
					opts = Options{Dir: t.TempDir(), Durability: durability, TombstoneRetention: c.TombstoneRetention, Now: c.Now, QueueBytesMax: c.QueueBytesMax}
					return mustOpen(t, opts)
				},
				Reopen: func(t *testing.T, s store.Store) store.Store {
					mustClose(t, s)
					if _, err := Check(opts); err != nil {
						t.Fatal(err)
					}
					return mustOpen(t, opts)
				},
			})
		})
	}
}

func mustOpen(t testing.TB, opts Options) *Store {
	t.Helper()
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t testing.TB, s store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(name string, version int32, data string) store.Write {
	return store.Write{Name: []byte(name), Version: version, Data: []byte(data)}
}

// logBook is a log that tests read. Safe for concurrent use.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), s)
}

func (l *logBook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func TestFolderInUseIsRefused(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := mustOpen(t, opts)
	defer mustClose(t, s)
	if _, err := Open(opts); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("second open: %v", err)
	}
	if _, err := Check(opts); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("check while open: %v", err)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := mustOpen(t, opts)
	if err := s.db.lsm.Set(formatKey, []byte{format + 1}, nil); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	if _, err := Open(opts); err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Fatalf("open of a newer format: %v", err)
	}
}

func TestOptionsValidate(t *testing.T) {
	for key, o := range map[string]Options{
		"storage.options.path":         {},
		"storage.options.durability":   {Dir: "x", Durability: "always"},
		"storage.options.syncInterval": {Dir: "x", SyncInterval: -1},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestCheckOfNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "no")
	if _, err := Check(Options{Dir: dir}); err == nil {
		t.Fatal("a folder that does not exist passed")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Fatal("the check created the folder")
	}
}

// TestSweepOfMany collects more tombstones than fit into one commit, with nobody writing.
func TestSweepOfMany(t *testing.T) {
	var now atomic.Int64
	s := mustOpen(t, Options{Dir: t.TempDir(), Now: func() time.Time { return time.Unix(now.Load(), 0) }, SweepInterval: time.Millisecond})
	defer mustClose(t, s)
	const n = 3*sweepMax + 1
	var writes []store.Write
	for i := range n {
		writes = append(writes, store.Write{Name: fmt.Append(nil, i), Version: 1, Deleted: true})
	}
	storetest.Put(t, s, writes...)
	now.Store(int64(8 * 24 * time.Hour / time.Second))
	for s.Stats().Swept < n {
		storetest.Expect(t, s, "unrelated", store.Absent, "") // passes the time
	}
	storetest.Expect(t, s, "0", store.Absent, "")
	if it, err := s.db.lsm.NewIter(spaceBounds(spaceTombstone)); err != nil || it.First() || it.Close() != nil {
		t.Fatalf("tombstones are left to collect: %v", err)
	}
}

// What an acknowledged write waited for shows in the times of fsyncs.
func TestSyncsAreTimed(t *testing.T) {
	s := mustOpen(t, Options{Dir: t.TempDir(), Durability: DurabilityAck})
	defer mustClose(t, s)
	before := s.Stats().SyncTimes
	done := make(chan struct{})
	if err := s.Submit([]store.Write{write("a", 1, "{}")}, func([]store.Outcome) { close(done) }); err != nil {
		t.Fatal(err)
	}
	<-done
	if after := s.Stats().SyncTimes; after.Count <= before.Count || after.Sum <= before.Sum {
		t.Errorf("before the write %+v, after it %+v", before, after)
	}
}
