package rpc

import (
	"fmt"
	"testing"

	"deepstream-fast/internal/testkit"
)

// A connection that provided very many names must not leave the tables for them behind.
func TestLargeTablesAreGivenBack(t *testing.T) {
	h, _ := newAsking(1)
	for i := range mapKeptMax + 1 {
		h.Provide(testkit.Conn(9), fmt.Appendf(nil, "name %d", i))
	}
	names, provisions := h.names, h.provisions
	steps := 0
	for r := h.Closed(testkit.Conn(9)); r.Step(1000) == 0; steps++ {
	}
	if want := (mapKeptMax + 1) / 1000; steps != want {
		t.Errorf("took %d steps, want %d", steps, want)
	}
	clear(names) // has no effect on the tables that replaced these
	clear(provisions)
	if s := h.Stats(); s.Names != 1 || s.Providers != 1 || h.namesPeak != 1 || h.provisionsPeak != 1 {
		t.Errorf("left: %+v, peaks of %d and %d", s, h.namesPeak, h.provisionsPeak)
	}
	if err := h.verify(); err != nil {
		t.Error(err)
	}
}

func BenchmarkClosed(b *testing.B) {
	const provided = 10_000
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		h, _ := newAsking(1)
		for i := range provided {
			h.Provide(testkit.Conn(9), fmt.Appendf(nil, "name %d", i))
		}
		b.StartTimer()
		for r := h.Closed(testkit.Conn(9)); r.Step(1000) == 0; {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(provided*b.N), "ns/name")
}
