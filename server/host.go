package server

import (
	"bufio"
	"crypto/rand"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// readiness says whether the server takes clients.
type readiness = atomic.Bool

func envSet(name string) bool {
	_, ok := os.LookupEnv(name)
	return ok
}

func randomText() string { return strings.ToLower(rand.Text()[:10]) }

// memoryTotal returns the bytes of memory this process may use: the container's limit, or the
// machine's memory; 0 if neither can be read.
func memoryTotal() int64 {
	host := hostMemory()
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && (host == 0 || n < host) {
			return n
		}
	}
	return host
}

func hostMemory() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}
