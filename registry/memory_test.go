package registry

import (
	"fmt"
	"runtime"
	"testing"
)

// name20 returns a key of a name space byte and a name of 20 bytes.
func name20(buf []byte, i int) []byte {
	return fmt.Appendf(buf[:0], "Euser/profile/%07d", i)
}

// heapBytes returns the live heap after a collection.
func heapBytes() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// fill subscribes conns connections to names names each: names of their own, or the same ones.
func fill(t testing.TB, conns, names int, shared bool) *Loop {
	_, loops := newTestTable(1, ^uint32(0))
	l := loops[0]
	buf := make([]byte, 0, 64)
	for c := range conns {
		for n := range names {
			i := n
			if !shared {
				i += c * names
			}
			buf = name20(buf, i)
			if _, err := l.Subscribe(uint32(c), buf); err != nil {
				t.Fatal(err)
			}
		}
	}
	return l
}

// A thousand connections with a thousand subscriptions each. The margins are over the measured 93
// and 17 bytes: the fill of hash segments depends on how many names there are.
func TestMemoryBudget(t *testing.T) {
	for _, c := range []struct {
		name   string
		shared bool
		budget float64
	}{{"distinct", false, 130}, {"shared", true, 30}} {
		before := heapBytes()
		l := fill(t, 1000, 1000, c.shared)
		perSub := float64(heapBytes()-before) / float64(l.Len())
		t.Logf("names=%s: %.1f B/subscription", c.name, perSub)
		if l.Len() != 1_000_000 || perSub > c.budget {
			t.Errorf("%s names: %d subscriptions of %.1f B, budget %.0f", c.name, l.Len(), perSub, c.budget)
		}
		runtime.KeepAlive(l)
	}
}

// What a great many names took is returned when they have gone, whoever stays: the last of them and a
// few that were there before. Slices of a close alternate with ticks, as in a server.
func TestMemoryIsReturned(t *testing.T) {
	const names, slice = 200_000, 4096
	tab, loops := newTestTable(2, ^uint32(0))
	l, other := loops[0], loops[1]
	for i := range 1000 {
		mustSubscribe(t, other, uint32(i), testKey('E', i))
	}
	before := heapBytes()
	for round := range 2 {
		var buf []byte
		for i := range names {
			buf = name20(buf, names*round+i)
			mustSubscribe(t, l, 1, buf)
		}
		full := heapBytes() - before
		ticks := 0
		for more := true; more || tab.WantsRound(); ticks++ {
			more = l.RemoveConn(1, slice, nil)
			other.Quiesce()
			l.Quiesce()
		}
		if want := names/slice + names/reclaimPerTick + 10; ticks > want {
			t.Errorf("took %d ticks, want at most %d", ticks, want)
		}
		check(t, tab, loops)
		left := int64(heapBytes()) - int64(before)
		t.Logf("%d KiB with %d names, %d KiB when they are gone", full>>10, names, left>>10)
		if left > int64(full/8) {
			t.Errorf("%d of %d bytes are kept for %d names that are gone", left, full, names)
		}
	}
	runtime.KeepAlive(tab)
}
