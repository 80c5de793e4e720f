package pebble

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"deepstream-fast/store"
	"deepstream-fast/store/storetest"
)

var (
	crashRounds = flag.Int("crash.rounds", 3, "how often TestKill kills a store under load")
	crashChild  = flag.String("crash.child", "", "folder to write to until killed; set by TestKill")
	crashFirst  = flag.Int("crash.first", 1, "version the child starts with; set by TestKill")
)

const (
	crashNames  = 1000
	openTimeMax = 5 * time.Second
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *crashChild != "" {
		if err := writeUntilKilled(*crashChild, *crashFirst, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// crashWrite is write number i of a child: name, version and data follow from it.
func crashWrite(i int) store.Write {
	w := write(strconv.Itoa(i%crashNames), int32(i), payload(i))
	w.Deleted = i%17 == 0
	w.Token = uint64(i)
	return w
}

// writeUntilKilled keeps the queue of a store full, and reports every confirmed write to out as
// four bytes.
func writeUntilKilled(dir string, first int, out io.Writer) error {
	s, err := Open(Options{Dir: dir, memTableBytes: 1 << 20}) // rotates its log several times a second
	if err != nil {
		return err
	}
	window := make(chan struct{}, 256)
	for i := first; ; i++ {
		window <- struct{}{}
		err := s.Submit([]store.Write{crashWrite(i)}, func(o []store.Outcome) {
			if o[0].Err != nil {
				panic(o[0].Err)
			}
			var report [4]byte
			binary.BigEndian.PutUint32(report[:], uint32(o[0].Token))
			if _, err := out.Write(report[:]); err != nil {
				panic(err)
			}
			<-window
		})
		if err != nil {
			return err
		}
	}
}

// TestKill runs a child that writes with all its might, kills it at a random moment, and looks what
// is left: nothing confirmed may be missing or older, nothing torn, and the folder opens quickly.
// The folder of one round is that of the next one.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	acked := map[string]int32{} // newest confirmed version by name
	last, slowest, total := 0, time.Duration(0), 0
	for round := range *crashRounds {
		newest, count := runChild(t, dir, last+1, 1+rng.IntN(20_000), acked)
		total += count
		start := time.Now()
		s := mustOpen(t, Options{Dir: dir, memTableBytes: 1 << 20})
		if took := time.Since(start); took > openTimeMax {
			t.Fatalf("round %d: opened after %v", round, took)
		} else {
			slowest = max(slowest, took)
		}
		last = max(newest, checkAfterCrash(t, s, acked))
		mustClose(t, s)
	}
	report, err := Check(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rounds, %d confirmed writes, slowest open %v, left: %+v", *crashRounds, total, slowest, report)
}

// runChild starts a child and kills it after killAt confirmations. It enters all it confirmed into
// acked, and returns the last one and their number.
func runChild(t *testing.T, dir string, first, killAt int, acked map[string]int32) (newest, count int) {
	t.Helper()
	child := exec.Command(os.Args[0], "-crash.child="+dir, "-crash.first="+strconv.Itoa(first))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	for {
		var report [4]byte
		if _, err := io.ReadFull(r, report[:]); err != nil {
			break // the pipe is empty and its writer dead
		}
		newest = int(binary.BigEndian.Uint32(report[:]))
		acked[strconv.Itoa(newest%crashNames)] = int32(newest)
		if count++; count == killAt {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || count < killAt {
		t.Fatalf("the child ended by itself after %d of %d confirmations: %v", count, killAt, err)
	}
	return newest, count
}

// checkAfterCrash checks every name, confirmed or not, and returns the newest version it found.
func checkAfterCrash(t *testing.T, s *Store, acked map[string]int32) (newest int) {
	t.Helper()
	for i := range crashNames {
		name := strconv.Itoa(i)
		r, err := storetest.Get(s, name)
		if err != nil {
			t.Fatal(err)
		}
		if r.Version < acked[name] && acked[name] > 0 {
			t.Fatalf("%q is at %d, confirmed was %d", name, r.Version, acked[name])
		}
		if r.State == store.StateAbsent {
			continue
		}
		want := crashWrite(int(r.Version))
		if string(want.Name) != name || want.Head() != r.Head || !want.Deleted && string(want.Data) != string(r.Data) {
			t.Fatalf("%q: %+v with %d bytes was never written", name, r.Head, len(r.Data))
		}
		newest = max(newest, int(r.Version))
	}
	return newest
}

// TestPowerLoss takes copies of a disk as it would be after a power failure, while a store writes:
// what was not synced is there only in parts. This is what kill -9 cannot show.
func TestPowerLoss(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	disk := vfs.NewCrashableMem()
	opts := Options{Dir: "data", fs: disk, memTableBytes: 64 << 10}
	s := mustOpen(t, opts)

	var mu sync.Mutex
	acked := map[string]int32{}
	const writes, copies = 10_000, 12
	window, reached := make(chan struct{}, 64), make(chan int, writes)
	go func() { // ends after writes; the test reads reached to its end
		for i := 1; i <= writes; i++ {
			window <- struct{}{}
			err := s.Submit([]store.Write{crashWrite(i)}, func(o []store.Outcome) {
				mu.Lock()
				acked[strconv.Itoa(i%crashNames)] = int32(i)
				mu.Unlock()
				reached <- i
				<-window
			})
			if err != nil {
				panic(err)
			}
		}
	}()
	for i := 1; i <= writes; i++ {
		if got := <-reached; got != i {
			t.Fatalf("write %d confirmed after %d", got, i-1)
		}
		if i%(writes/copies) != 0 {
			continue
		}
		mu.Lock()
		confirmed := map[string]int32{}
		for name, version := range acked {
			confirmed[name] = version
		}
		mu.Unlock()
		after := opts
		after.fs = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		c := mustOpen(t, after)
		checkAfterCrash(t, c, confirmed)
		mustClose(t, c)
		if _, err := Check(after); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, s)
}
