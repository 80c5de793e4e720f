package pebble

import (
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"deepstream-fast/store"
	"deepstream-fast/store/storetest"
)

// TestBackupUnderLoad takes copies while a writer goes on. Each copy is a moment: as writes are
// confirmed in order, it holds all writes up to some point behind what was confirmed before.
func TestBackupUnderLoad(t *testing.T) {
	s := mustOpen(t, Options{Dir: filepath.Join(t.TempDir(), "data"), memTableBytes: 256 << 10})
	const windowMax = 64
	var confirmed atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop; the test waits for stopped
		defer close(stopped)
		window := make(chan struct{}, windowMax)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			case window <- struct{}{}:
			}
			w := write(strconv.Itoa(i), int32(i), payload(i))
			if err := s.Submit([]store.Write{w}, func([]store.Outcome) { confirmed.Store(int64(i)); <-window }); err != nil {
				panic(err)
			}
		}
	}()
	for round := range 5 {
		for confirmed.Load() < int64(round*1000) {
			storetest.Submit(t, s) // passes the time until the next commit
		}
		atLeast := int(confirmed.Load())
		dir := filepath.Join(t.TempDir(), fmt.Sprint("backup", round))
		if err := s.Backup(dir); err != nil {
			t.Fatal(err)
		}
		report, err := Check(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if report.Records < atLeast {
			t.Fatalf("%d records copied, %d were confirmed before", report.Records, atLeast)
		}
		copied := mustOpen(t, Options{Dir: dir})
		for i := report.Records; i > 0; i -= 1 + report.Records/100 {
			storetest.Expect(t, copied, strconv.Itoa(i), storetest.Live(int32(i)), payload(i))
		}
		for i := range 2 * windowMax { // as many as the newest has: no gap before it
			storetest.Expect(t, copied, strconv.Itoa(report.Records+1+i), store.Absent, "")
		}
		mustClose(t, copied)
		if err := s.Backup(dir); err == nil {
			t.Fatal("a backup over another one")
		}
	}
	close(stop)
	<-stopped
	mustClose(t, s)
}
