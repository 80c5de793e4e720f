package server

import (
	"bufio"
	"log/slog"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// limitMemory gives the collector its goals, unless the environment already does: our live heap of
// pointers is small, so that collecting half as often costs little memory.
func limitMemory(log *slog.Logger) {
	if !envSet("GOGC") {
		debug.SetGCPercent(200)
	}
	if envSet("GOMEMLIMIT") {
		return
	}
	if total := memoryTotal(); total > 0 {
		limit := total / 5 * 4
		debug.SetMemoryLimit(limit)
		log.Debug("memory limit set", "event", "INFO", "bytes", limit)
	}
}

const (
	tidyPeriod   = time.Second
	tidyPause    = 3 * time.Second // at least, between two collections of ours
	tidyShare    = 100             // and of the time at most one part in so many is spent on them
	tidyBytesMin = 2 << 20         // of waste; less is not worth one
	busyBytes    = 4 << 20         // allocated in one period; with more, the runtime collects soon anyway
)

// tidyMemory returns memory to the system after a burst, until done is closed. The runtime collects when
// the heap has grown threefold, or after two minutes: a server that has become quiet would keep what
// ten thousand logins or a flood cost it for so long. closed counts the connections that are gone: what they
// held is garbage that nobody has allocated lately.
func tidyMemory(done <-chan struct{}, closed func() uint64) {
	tick := time.NewTicker(tidyPeriod)
	defer tick.Stop()
	t := tidier{last: readMemory()}
	t.tidied = t.last
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		if !t.due(readMemory(), closed(), time.Now()) {
			continue
		}
		before := time.Now()
		debug.FreeOSMemory()
		t.done(readMemory(), time.Now(), time.Since(before))
	}
}

// tidier decides when memory is returned.
type tidier struct {
	last   memory // in the last period
	closed uint64 // connections, in the last period

	tidied memory // after the last collection of ours
	left   uint64 // connections closed before it
	next   time.Time
}

// due reports whether a collection is worth it: when nothing much is going on, and there was something.
func (t *tidier) due(now memory, closed uint64, at time.Time) bool {
	quiet := now.allocated-t.last.allocated < now.waste/4+busyBytes
	t.last, t.closed = now, closed
	happened := now.allocated-t.tidied.allocated >= tidyBytesMin && now.waste >= max(tidyBytesMin, now.taken/16)
	return quiet && (happened || closed != t.left) && at.After(t.next)
}

// done takes note of a collection that has taken so long.
func (t *tidier) done(now memory, at time.Time, took time.Duration) {
	t.last, t.tidied, t.left, t.next = now, now, t.closed, at.Add(max(tidyPause, tidyShare*took))
}

type memory struct {
	allocated uint64 // bytes, since the start
	taken     uint64 // bytes of heap taken from the system
	waste     uint64 // in which nothing lives, as far as is known
}

func readMemory() memory {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) uint64 { return samples[i].Value.Uint64() }
	objects, idle := value(2), value(3)+value(4)
	return memory{allocated: value(0), taken: objects + idle, waste: objects - min(objects, value(1)) + idle}
}

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
