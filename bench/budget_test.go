package bench

import (
	"testing"

	"deepstream-fast/bench/load"
)

// An idle connection that is logged in takes at most this much resident memory, garbage of its login
// included: twice what 10,000 of them were measured to take, because fewer share what a server grows by.
const idleBytesMax = 3 << 10

func TestIdleConnectionBudget(t *testing.T) {
	const conns = 2000
	rig, err := NewRig(false, Fast)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	p, err := rig.Start(Fast)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	// What a first few hundred make the server grow by is not theirs.
	var open []*load.Conn
	defer func() { closeAll(open) }()
	dial := func(n int) int64 {
		for range n {
			c, err := load.Dial(p.Addr, len(open), dialTimeout)
			if err != nil {
				t.Fatalf("%v\n%s", err, p.Stderr())
			}
			open = append(open, c)
		}
		rss, err := p.RSS()
		if err != nil {
			t.Fatal(err)
		}
		return rss
	}
	before := dial(500)
	per := (dial(conns) - before) / conns
	t.Logf("%d bytes per idle connection", per)
	if per > idleBytesMax {
		t.Errorf("an idle connection takes %d bytes, at most %d are allowed", per, idleBytesMax)
	}
}
