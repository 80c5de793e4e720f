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
	tidyPeriod   = 2 * time.Second
	tidyPause    = 6 * time.Second // at least, between two collections of ours
	tidyBytesMin = 32 << 20        // less is not worth one
)

// tidyMemory returns memory to the system after a burst, until done is closed. The runtime collects when
// the heap has grown, or after two minutes: a server that has become quiet would keep what a flood cost
// it for so long. One that allocates is left alone, because its collector runs anyway. closed counts the
// connections that are gone: what they held is garbage that nobody has allocated lately.
func tidyMemory(done <-chan struct{}, closed func() uint64) {
	tick := time.NewTicker(tidyPeriod)
	defer tick.Stop()
	last, tidied, left := readMemory(), readMemory(), closed()
	var when time.Time
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		now := readMemory()
		quiet := now.allocated-last.allocated < now.waste/4+tidyBytesMin/8
		last = now
		happened := now.allocated-tidied.allocated > tidyBytesMin/2 || closed() != left
		if !quiet || !happened || now.taken < tidyBytesMin || time.Since(when) < tidyPause {
			continue
		}
		debug.FreeOSMemory()
		last, when, left = readMemory(), time.Now(), closed()
		tidied = last
	}
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
