package server

import (
	"testing"
	"time"
)

func TestMemoryIsReturnedWhenItPays(t *testing.T) {
	const mib = 1 << 20
	start := time.Unix(0, 0)
	for name, tt := range map[string]struct {
		now    memory // 10 s after a collection that left nothing
		closed uint64
		took   time.Duration // of that collection
		want   bool
	}{
		"nothing has happened":       {now: memory{allocated: mib, taken: 10 * mib, waste: mib}},
		"a burst of logins":          {now: memory{allocated: 3 * mib, taken: 30 * mib, waste: 3 * mib}, want: true},
		"a burst, at most of live":   {now: memory{allocated: 3 * mib, taken: 300 * mib, waste: 3 * mib}},
		"still busy":                 {now: memory{allocated: 20 * mib, taken: 30 * mib, waste: 20 * mib}},
		"much more waste than noise": {now: memory{allocated: 20 * mib, taken: 300 * mib, waste: 200 * mib}, want: true},
		"somebody has left":          {now: memory{taken: 10 * mib}, closed: 1, want: true},
		"the last one was slow":      {now: memory{taken: 10 * mib}, closed: 1, took: time.Second},
	} {
		var collector tidier
		collector.done(memory{}, start, tt.took)
		if got := collector.due(tt.now, tt.closed, start.Add(10*time.Second)); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
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
