package server

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestMemoryIsReturnedWhenItPays(t *testing.T) {
	const mib = 1 << 20
	start := time.Unix(0, 0)
	for name, tt := range map[string]struct {
		now    memory // 10 s after a collection that left nothing
		lately uint64 // of now.allocated in the last period
		closed uint64
		took   time.Duration // of that collection
		want   bool
	}{
		"nothing has happened":       {now: memory{allocated: mib, taken: 10 * mib, waste: mib}},
		"a burst of logins":          {now: memory{allocated: 3 * mib, taken: 30 * mib, waste: 3 * mib}, want: true},
		"a burst, at most of live":   {now: memory{allocated: 3 * mib, taken: 300 * mib, waste: 3 * mib}},
		"still busy":                 {now: memory{allocated: 20 * mib, taken: 30 * mib, waste: 20 * mib}, lately: 3 * mib},
		"much more waste than noise": {now: memory{allocated: 20 * mib, taken: 300 * mib, waste: 200 * mib}, lately: 3 * mib, want: true},
		"somebody has left":          {now: memory{taken: 10 * mib}, closed: 1, want: true},
		"the last one was slow":      {now: memory{taken: 10 * mib}, closed: 1, took: time.Second},
	} {
		var collector tidier
		collector.done(memory{}, start, tt.took)
		collector.last.allocated = tt.now.allocated - tt.lately
		if got := collector.due(tt.now, tt.closed, start.Add(10*time.Second)); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestAHeapGrowsByWhatThereIsToLookAt(t *testing.T) {
	const mib = 1 << 20
	for name, tt := range map[string]struct {
		live, scanned uint64
		want          int // percent
	}{
		"nothing yet":                       {want: growthMax},
		"a small heap":                      {live: 10 * mib, scanned: mib, want: growthMax},
		"a large one, all of it pointers":   {live: 1000 * mib, scanned: 1000 * mib, want: 112},
		"subscriptions, next to no pointer": {live: 512 * mib, scanned: 0, want: 12},
		"subscriptions, a few connections":  {live: 320 * mib, scanned: 16 * mib, want: 25},
		"so many that sweeping is the cost": {live: 80_000 * mib, scanned: 0, want: 12},
	} {
		if got := growth(tt.live, tt.scanned); got != tt.want {
			t.Errorf("%s: %d %%, want %d", name, got, tt.want)
		}
	}
}

// A heap of memory without pointers makes the collector's goal come near it, and is let go of again.
func TestTheCollectorIsPaced(t *testing.T) {
	pace.Do(paceCollector)
	const size = 256 << 20
	ballast := make([]byte, size)
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	settle := func(what string, ok func(goal uint64) bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; runtime.GC() {
			metrics.Read(goal)
			if v := goal[0].Value.Uint64(); ok(v) {
				return
			} else if time.Now().After(deadline) {
				t.Fatalf("the goal is %d bytes, want it %s", v, what)
			}
		}
	}
	settle("a third above the ballast at most", func(v uint64) bool { return v > size && v < size+size/3 })
	runtime.KeepAlive(ballast)
	settle("far below the ballast", func(v uint64) bool { return v < size/4 })
}

func TestMemoryIsNotReturnedTwiceForTheSame(t *testing.T) {
	var collector tidier
	at := time.Unix(0, 0).Add(tidyPause + tidyPeriod)
	if !collector.due(memory{}, 1, at) {
		t.Fatal("not for a connection that has left")
	}
	collector.done(memory{}, at, 0)
	if collector.due(memory{}, 2, at.Add(tidyPause-1)) {
		t.Error("again, before the pause is over")
	}
	collector.done(memory{}, at, 0)
	if collector.due(memory{}, 2, at.Add(time.Hour)) {
		t.Error("although nothing has happened since")
	}
}
