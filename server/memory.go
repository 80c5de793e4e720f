package server

import (
	"bufio"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Goals of the collector. It runs again when the heap has grown by a share of what lives in it, and so may
// waste as much. Most of a large heap of ours are subscriptions, in which it has nothing to look at: a share
// of those would be memory for nothing. So what a heap may grow by follows what there is to look at.
const (
	growthMax      = 200      // percent of what lives; a small heap is not worth collecting more often
	growthBytesMin = 64 << 20 // that a heap may always grow by, besides what holds pointers
	growthShareMin = 8        // one part in so many of what lives, likewise: every span has to be swept
)

// limitMemory gives the collector its goals, unless the environment already does.
func limitMemory(log *slog.Logger) {
	if !envSet("GOGC") {
		pace.Do(paceCollector)
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

// pace keeps a second server of the process from pacing as well.
var pace sync.Once

// paceCollector sets the goal of the next collection anew after every one, for the rest of the process. A goal
// that differs by less than an eighth from the one in force is not worth stopping the world for.
func paceCollector() {
	percent := growthMax
	debug.SetGCPercent(percent)
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	type collection struct{ _ *collection } // has a pointer: a tiny object would share its fate with others
	var ended func(*collection)
	ended = func(c *collection) {
		metrics.Read(samples)
		want := growth(samples[0].Value.Uint64(), samples[1].Value.Uint64())
		if want != percent && (want == growthMax || max(want-percent, percent-want) > percent/8) {
			percent = want
			debug.SetGCPercent(percent)
		}
		runtime.SetFinalizer(c, ended) // the next collection finds it unused again
	}
	runtime.SetFinalizer(new(collection), ended)
}

// growth returns by how many percent a heap with so many live bytes may grow, of which so many may hold pointers.
func growth(live, scanned uint64) int {
	bytes := max(growthBytesMin, live/growthShareMin) + scanned
	return int(min(growthMax, bytes*100/max(live, 1)))
}

const (
	tidyPeriod   = 250 * time.Millisecond
	tidyPause    = time.Second // at least, between two collections of ours
	tidyShare    = 100         // and of the time at most one part in so many is spent on them
	tidyBytesMin = 2 << 20     // of waste; less is not worth one
	busyBytes    = 1 << 20     // allocated in one period, and
	busyShare    = 16          // one part in so many of the waste; with more, the runtime collects soon anyway
)

// tidyMemory returns memory to the system after a burst, until done is closed. The runtime collects when
// the heap has grown to its goal, or after two minutes: a server that has become quiet would keep what
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
	quiet := now.allocated-t.last.allocated < now.waste/busyShare+busyBytes
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
