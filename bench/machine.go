package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine says where numbers come from, without which they mean nothing: processor, kernel, Go and commit.
func Machine() string {
	return fmt.Sprintf("%s, %s, %s, commit %s", cpuModel(), kernel(), runtime.Version(), commit())
}

// Command returns the command line that repeats this run; program is how it is started.
func Command(program string) string {
	words := []string{program}
	for _, arg := range os.Args[1:] {
		if arg == "" || strings.ContainsAny(arg, " *") {
			arg = strconv.Quote(arg)
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return runtime.GOOS
	}
	return "Linux " + unix.ByteSliceToString(u.Release[:])
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// SyncTime returns the median time that the disk under the rig takes for fdatasync of a page that was
// appended: what one write that waits for nobody else's costs. TMPDIR chooses the disk.
func (r *Rig) SyncTime() (time.Duration, error) {
	path := filepath.Join(r.dir, "sync")
	f, err := os.Create(path)
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	defer func() { _ = os.Remove(path) }()
	defer func() { _ = f.Close() }()
	var took []time.Duration
	for range 100 {
		if _, err := f.Write(make([]byte, 4<<10)); err != nil {
			return 0, fmt.Errorf("bench: %w", err)
		}
		start := time.Now()
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("bench: %w", err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
