package bench

import (
	"strings"
	"testing"
	"time"

	"deepstream-fast/bench/load"
)

// The tools do what they print: everybody connects, subscribes and comes back, and few subscribers of many
// names get their own.
func TestScaleAndSparseSmall(t *testing.T) {
	rig, err := NewRig(false, Fast)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	phases, err := rig.Scale(ScaleCase{Conns: 60, Subs: 600, Shared: 2})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range phases {
		names = append(names, p.Name)
		if p.RSS <= 0 || p.Peak < p.RSS {
			t.Errorf("%+v", p)
		}
	}
	if got := strings.Join(names, " "); got != "start connect subscribe storm" {
		t.Errorf("phases %s", got)
	}
	bout, err := rig.BeginSparse(Fast, load.SparseOptions{Conns: 40, Names: 10, Reach: 3, Window: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer bout.End()
	if n, cpu, err := bout.Measure(50 * time.Millisecond); err != nil || n <= 0 || cpu <= 0 {
		t.Errorf("%d publications in %v, %v", n, cpu, err)
	}
	w, err := rig.Weigh(Fast, 50, 1000)
	if err != nil || w.Subscription < 0 || w.Shared < 0 {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestScaleCaseIsChecked(t *testing.T) {
	for _, c := range []ScaleCase{{}, {Conns: 10, Subs: 9}, {Conns: 1, Subs: 1, Shared: -1}} {
		if c.validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
