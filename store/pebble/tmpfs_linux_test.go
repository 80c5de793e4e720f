package pebble

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestDiskFullForReal is TestDiskFull with a kernel behind it where this process may mount a tmpfs,
// and one more round of the simulation where it may not.
func TestDiskFullForReal(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=32m"); err != nil {
		t.Logf("simulated: %v", err)
		TestDiskFull(t)
		return
	}
	defer func() {
		if err := syscall.Unmount(mount, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	filler := filepath.Join(mount, "filler")
	if err := os.WriteFile(filler, make([]byte, 24<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	testDiskFull(t, Options{Dir: filepath.Join(mount, "data")}, func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	})
}
