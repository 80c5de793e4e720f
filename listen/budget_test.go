//go:build !race && !invariants

// The race detector empties sync.Pool at random, and assertions box their arguments: budgets hold
// for the plain build.

package listen

import (
	"fmt"
	"testing"
	"unsafe"

	"deepstream-fast/protocol"
)

// TestBudgets keeps what a first subscriber and a name cost.
func TestBudgets(t *testing.T) {
	if size := unsafe.Sizeof(name{}); size > 48 {
		t.Errorf("a name takes %d bytes", size)
	}
	h := New(Event, Options{}, &nullOut{})
	for i := range 100 {
		mustListen(t, h, protocol.ConnID(i), fmt.Sprintf("^p%d/.*", i))
	}
	nobody, somebody := []byte("q/1"), []byte("p7/1")
	subscribe := func(name []byte) func() {
		return func() {
			h.Turn()
			h.Subscribers(name, 0, true)
			h.Subscribers(name, 0, false)
		}
	}
	unmatched := testing.AllocsPerRun(100, subscribe(nobody))
	matched := testing.AllocsPerRun(100, subscribe(somebody))
	if unmatched != 0 || matched > 1 { // the one is the text of the name
		t.Errorf("allocations: %v for a name nobody wants, %v for another", unmatched, matched)
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	name := []byte("news/sport/results")
	for _, text := range []string{"^news/.*", "sport", "^news/.*$", "^news/[a-z]+/r"} {
		p := mustCompile(t, text)
		if n := testing.AllocsPerRun(100, func() { p.Match(name) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}
