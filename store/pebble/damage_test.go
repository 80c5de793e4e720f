package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepstream-fast/store"
	"deepstream-fast/store/storetest"
)

const damageNames = 2000

// damageFixtures makes two folders with the same records, in tables and in the log: one at rest, and
// one as kill -9 leaves it.
func damageFixtures(t *testing.T) (rest, crashed string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	s := mustOpen(t, Options{Dir: dir})
	for i := range damageNames {
		storetest.Put(t, s, write(fmt.Sprint(i), int32(i), payload(i)))
		if i == damageNames/2 {
			if err := s.db.lsm.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	rest, crashed = filepath.Join(t.TempDir(), "rest"), filepath.Join(t.TempDir(), "crashed")
	if err := s.Backup(rest); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	for _, dir := range []string{rest, crashed} {
		if report, err := Check(Options{Dir: dir}); err != nil || report.Records != damageNames {
			t.Fatalf("%+v, %v", report, err)
		}
	}
	return rest, crashed
}

// TestDamagedFilesAreNamed damages one file at a time of a folder at rest, and of one that was left by a crash.
// The store refuses to open and names the file, as does Check. Where the start has no time to read all
// tables, reading the damaged one says so.
func TestDamagedFilesAreNamed(t *testing.T) {
	rest, crashed := damageFixtures(t)
	for _, dir := range []string{rest, crashed} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err != nil {
				t.Fatal(err)
			} else if info.Size() == 0 || e.Name() == inventoryName || e.Name() == manifestSumName {
				continue
			}
			for what, damage := range damages {
				t.Run(fmt.Sprintf("%s/%s/%s", filepath.Base(dir), e.Name(), what), func(t *testing.T) {
					testDamage(t, dir, e.Name(), what, dir == rest, damage)
				})
			}
		}
	}
}

var damages = map[string]func(b []byte) []byte{
	"flipped": func(b []byte) []byte { b[len(b)/2] ^= 0xff; return b },
	"zeroed":  func(b []byte) []byte { clear(b[len(b)/3 : len(b)/2]); return b },
	"cut":     func(b []byte) []byte { return b[:len(b)/2] },
	"removed": nil,
}

func testDamage(t *testing.T, dir, file, what string, atRest bool, damage func([]byte) []byte) {
	copied := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	damageFile(t, filepath.Join(copied, file), damage)

	_, checkErr := Check(Options{Dir: copied})
	s, openErr := Open(Options{Dir: copied})
	if openErr == nil {
		lost := countLost(t, s)
		mustClose(t, s)
		if atRest || lost > 0 && !indistinguishable(file, what) {
			t.Fatalf("opened with %d records lost", lost)
		}
		return
	}
	for _, err := range []error{checkErr, openErr} {
		named := err != nil && (strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "OPTIONS-*"))
		if err != nil && (!errors.Is(err, store.ErrCorrupt) || !named || !strings.Contains(err.Error(), "backup")) {
			t.Fatalf("does not name %s and the way out: %v", file, err)
		}
	}
	if checkErr == nil {
		t.Fatal("the check has nothing to say")
	}
	if strings.HasSuffix(file, ".sst") && (what == "flipped" || what == "zeroed") {
		s := mustOpen(t, Options{Dir: copied, scrubTime: -1}) // as if there were too much to verify
		testDamagedReads(t, s, file)
		mustClose(t, s)
	}
}

// indistinguishable reports whether a crash, too, can leave a folder like that: without the end of
// the last log, or without a log.
func indistinguishable(file, what string) bool {
	return strings.HasSuffix(file, ".log") && (what == "cut" || what == "removed")
}

// countLost returns how many records are absent. None may be anything else but right.
func countLost(t *testing.T, s *Store) (lost int) {
	t.Helper()
	for i := range damageNames {
		if r, err := storetest.Get(s, fmt.Sprint(i)); err == nil && r.Head == store.Absent {
			lost++
			continue
		}
		storetest.Expect(t, s, fmt.Sprint(i), storetest.Live(int32(i)), payload(i))
	}
	return lost
}

// testDamagedReads reads everything from a store with a damaged table: a record is as it was written,
// or the answer names the file.
func testDamagedReads(t *testing.T, s *Store, file string) {
	refused := 0
	for i := range damageNames {
		r, err := storetest.Get(s, fmt.Sprint(i))
		switch {
		case err == nil && string(r.Data) != payload(i):
			t.Fatalf("record %d: %+v with data that was never written", i, r.Head)
		case err != nil && (!errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), file)):
			t.Fatalf("record %d: does not name %s: %v", i, file, err)
		case err != nil:
			refused++
		}
	}
	if _, err := storetest.HeadBulk(s, allNames()); err == nil && refused == 0 {
		t.Fatal("all could be read although a block is damaged")
	}
}

func allNames() (names [][]byte) {
	for i := range damageNames {
		names = append(names, fmt.Append(nil, i))
	}
	return names
}

func damageFile(t *testing.T, path string, damage func([]byte) []byte) {
	t.Helper()
	if damage == nil {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(b, "\x00")) // a log has room for more
	if damaged := damage(b[:used]); len(damaged) < used {
		b = damaged
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
